// Real photos in two class folders, for tests. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "base/file.h"
#include "data/augment.h"
#include "data/dataset.h"

namespace mimeo::testing {

// Samples, in their order: a/cmyk.jpg, a/photo.jpg, b/grey16.png, b/lossy.webp, and b/text.jpg, which is no image.
// Their labels are 0, 0, 1, 1, 1. Dies where a test did not name data/testdata among its data.
class PhotoFolder {
 public:
  static constexpr int64_t kBroken = 4;

  PhotoFolder();
  const std::string& path() const { return dir_.path(); }
  const Dataset& dataset() const { return *dataset_; }
  // Copies data/testdata's photo there under another name, "c/more.jpg". The data set has to be opened anew.
  void Add(const std::string& name);
  std::unique_ptr<Dataset> Open() const;

  // What a pass has to make of a sample, one image at a time.
  at::Tensor CropOf(int64_t sample, const CropShape& shape) const;

 private:
  void Write(const std::string& name, const std::string& bytes);

  TempDir dir_;
  std::unique_ptr<Dataset> dataset_;
};

}  // namespace mimeo::testing
