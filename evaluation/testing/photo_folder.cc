#include "evaluation/testing/photo_folder.h"

#include "absl/strings/str_cat.h"
#include "data/decode.h"

namespace mimeo::testing {
namespace {

std::string TestPhoto(const std::string& name) { return ReadFile(absl::StrCat("data/testdata/", name)).value(); }

}  // namespace

PhotoFolder::PhotoFolder() {
  for (const char* name : {"a/cmyk.jpg", "a/photo.jpg", "b/grey16.png", "b/lossy.webp"}) {
    Write(name, TestPhoto(std::string(name).substr(2)));
  }
  Write("b/text.jpg", "text");
  dataset_ = Open();
}

void PhotoFolder::Add(const std::string& name) { Write(name, TestPhoto("photo.jpg")); }

std::unique_ptr<Dataset> PhotoFolder::Open() const { return Dataset::Open(dir_.path()).value(); }

void PhotoFolder::Write(const std::string& name, const std::string& bytes) {
  const std::string path = JoinPath(dir_.path(), name);
  (void)MakeDirs(path.substr(0, path.rfind('/')));
  (void)WriteFileAtomic(path, bytes);
}

at::Tensor PhotoFolder::CropOf(int64_t sample, const CropShape& shape) const {
  return EvaluationCrop(DecodeImage(dataset_->Read(sample).value(), 1000000).value(), shape);
}

}  // namespace mimeo::testing
