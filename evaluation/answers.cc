#include "evaluation/answers.h"

#include <algorithm>
#include <map>
#include <utility>

namespace mimeo {

double Accuracy(const Answers& answers) {
  if (answers.truth.empty()) return 0;
  int64_t right = 0;
  for (size_t i = 0; i < answers.truth.size(); ++i) right += answers.said[i] == answers.truth[i];
  return static_cast<double>(right) / static_cast<double>(answers.truth.size());
}

std::vector<ClassAnswers> ByClass(const Answers& answers) {
  std::map<int, ClassAnswers> found;
  for (size_t i = 0; i < answers.truth.size(); ++i) {
    ClassAnswers& of_class = found[answers.truth[i]];
    of_class.label = answers.truth[i];
    ++of_class.images;
    of_class.right += answers.said[i] == answers.truth[i];
  }
  std::vector<ClassAnswers> classes;
  for (const auto& [label, of_class] : found) classes.push_back(of_class);
  return classes;
}

double BalancedAccuracy(const Answers& answers) {
  const std::vector<ClassAnswers> classes = ByClass(answers);
  if (classes.empty()) return 0;
  double sum = 0;
  for (const ClassAnswers& of_class : classes) sum += of_class.recall();
  return sum / static_cast<double>(classes.size());
}

Answers AlwaysMostFrequent(std::vector<int> truth) {
  std::map<int, int64_t> counts;
  for (const int label : truth) ++counts[label];
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  Answers answers;
  if (most != counts.end()) answers.said.assign(truth.size(), most->first);
  answers.truth = std::move(truth);
  return answers;
}

}  // namespace mimeo
