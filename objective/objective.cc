#include "objective/objective.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "objective/mimic.h"
#include "objective/reconstruction.h"

namespace mimeo {

struct ObjectiveSum::Term {
  std::string name;
  double weight = 1;
  std::unique_ptr<Objective> objective;
  const Reconstruction* reconstruction = nullptr;  // `objective`, when it is one
};

ObjectiveSum::ObjectiveSum() = default;
ObjectiveSum::~ObjectiveSum() = default;

absl::StatusOr<std::unique_ptr<ObjectiveSum>> ObjectiveSum::Create(const JobSpec& spec, const Encoder& encoder,
                                                                   const std::map<std::string, int>& teacher_widths,
                                                                   Parameters* parameters) {
  auto sum = std::unique_ptr<ObjectiveSum>(new ObjectiveSum());
  std::vector<std::string> problems;
  for (const ObjectiveSpec& wanted : spec.objective()) {
    auto term = std::make_unique<Term>();
    term->name = wanted.name();
    term->weight = wanted.weight();
    const std::string prefix = "objective." + wanted.name() + ".";
    switch (wanted.kind_case()) {
      case ObjectiveSpec::kReconstruction: {
        auto made = std::make_unique<Reconstruction>(wanted.reconstruction(), encoder, prefix, parameters);
        term->reconstruction = made.get();
        term->objective = std::move(made);
        break;
      }
      case ObjectiveSpec::kMimic: {
        const auto width = teacher_widths.find(wanted.mimic().teacher());
        if (width == teacher_widths.end()) {
          problems.push_back(absl::StrCat("objective[", wanted.name(), "].mimic.teacher: no teacher is called \"",
                                          wanted.mimic().teacher(), "\""));
          continue;
        }
        term->objective = std::make_unique<Mimic>(wanted.mimic(), encoder, width->second, prefix, parameters);
        break;
      }
      case ObjectiveSpec::KIND_NOT_SET:
        problems.push_back(absl::StrCat("objective[", wanted.name(), "]: no kind; one of reconstruction, mimic"));
        continue;
    }
    sum->terms_.push_back(std::move(term));
  }
  if (problems.empty()) return sum;
  const std::string known = absl::StrJoin(teacher_widths, ", ", [](std::string* out, const auto& teacher) {
    absl::StrAppend(out, teacher.first, " (width ", teacher.second, ")");
  });
  return absl::InvalidArgumentError(
      absl::StrCat(absl::StrJoin(problems, "\n"), "\nteachers: ", known.empty() ? "none" : known));
}

Needs ObjectiveSum::needs() const {
  Needs all;
  std::set<std::string> teachers;
  for (const auto& term : terms_) {
    const Needs one = term->objective->needs();
    all.num_views = std::max(all.num_views, one.num_views);
    teachers.insert(one.teachers.begin(), one.teachers.end());
  }
  all.teachers.assign(teachers.begin(), teachers.end());
  return all;
}

ObjectiveSum::Result ObjectiveSum::Compute(const ForwardPass& pass) const {
  Result result;
  for (const auto& term : terms_) {
    const at::Tensor loss = term->objective->Compute(pass);
    result.terms[term->name] = loss.detach();
    const at::Tensor weighted = loss * term->weight;
    result.total = result.total.defined() ? result.total + weighted : weighted;
  }
  return result;
}

const PixelDecoder* ObjectiveSum::pixel_decoder() const {
  for (const auto& term : terms_) {
    if (term->reconstruction != nullptr) return &term->reconstruction->decoder();
  }
  return nullptr;
}

bool ObjectiveSum::normalizes_patches() const {
  for (const auto& term : terms_) {
    if (term->reconstruction != nullptr) return term->reconstruction->normalizes_patches();
  }
  return false;
}

}  // namespace mimeo
