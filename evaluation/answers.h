// What a classifier said of labelled images, and how right it was. Values and pure functions; no torch.
#pragma once

#include <cstdint>
#include <vector>

namespace mimeo {

// Both lists have one entry for each image, in the same order. Classes are numbers, and no image is without one.
struct Answers {
  std::vector<int> truth;  // the class that the image has
  std::vector<int> said;   // the class that the classifier gave it
};

// The share of images whose answer is right, in [0, 1]. 0 where there are no images.
double Accuracy(const Answers& answers);

// How many images of one class there are, and how many of those are answered rightly.
struct ClassAnswers {
  int label = 0;
  int64_t images = 0;
  int64_t right = 0;
  double recall() const { return static_cast<double>(right) / static_cast<double>(images); }
};
// Of each class that an image has, ascending by its number. A class that was only said is not in it.
std::vector<ClassAnswers> ByClass(const Answers& answers);

// The mean of the recalls of all classes, in [0, 1]: every class counts alike, however many images it has. 0 where
// there are no images. (Brodersen et al., "The balanced accuracy and its posterior distribution", ICPR 2010; it is what
// scikit-learn's balanced_accuracy_score computes.)
double BalancedAccuracy(const Answers& answers);

// The answers of somebody who looks at no image and always says the class that is most frequent among these; of classes
// that are equally frequent the first by number. Their accuracy is what every other one is judged by first.
Answers AlwaysMostFrequent(std::vector<int> truth);

}  // namespace mimeo
