// A file of weights from anywhere, or a checkpoint. Each tensor has as many bytes as its type and shape say, inside the
// stream. What is accepted reads back equal after it is written.
#include <string>

#include "base/safetensors.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(safetensors) {
  const absl::StatusOr<SafetensorsView> view = SafetensorsView::Parse(bytes);
  if (!view.ok()) return CheckRefusal(view.status(), {absl::StatusCode::kDataLoss}, 2048);
  for (const auto& [name, tensor] : view->tensors()) {
    int64_t size = DtypeBytes(tensor.dtype);
    for (const int64_t dim : tensor.shape) size *= dim;
    MIMEO_CHECK(static_cast<int64_t>(tensor.bytes.size()) == size, name);
    MIMEO_CHECK(tensor.bytes.begin() >= bytes.begin() && tensor.bytes.end() <= bytes.end(), name);
  }
  const std::string written = SerializeSafetensors(view->tensors(), view->metadata());
  const absl::StatusOr<SafetensorsView> again = SafetensorsView::Parse(written);
  MIMEO_CHECK(again.ok(), again.status().ToString());
  MIMEO_CHECK(again->metadata() == view->metadata());
  MIMEO_CHECK(again->tensors().size() == view->tensors().size());
  for (const auto& [name, tensor] : view->tensors()) {
    const auto found = again->tensors().find(name);
    MIMEO_CHECK(found != again->tensors().end(), name);
    MIMEO_CHECK(found->second.dtype == tensor.dtype && found->second.shape == tensor.shape, name);
    MIMEO_CHECK(found->second.bytes == tensor.bytes, name);
  }
}

}  // namespace mimeo::fuzz
