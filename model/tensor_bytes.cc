#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "model/weights.h"

namespace mimeo {
namespace {

constexpr std::pair<const char*, at::ScalarType> kTypes[] = {
    {"F32", at::kFloat}, {"F64", at::kDouble}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}, {"I64", at::kLong},
    {"I32", at::kInt},   {"I16", at::kShort},  {"I8", at::kChar},  {"U8", at::kByte},       {"BOOL", at::kBool},
};

at::Tensor ViewBytes(const TensorBytes& stored, at::ScalarType type) {
  void* const bytes = const_cast<char*>(stored.bytes.data());
  if (reinterpret_cast<uintptr_t>(bytes) % c10::elementSize(type) == 0) return at::from_blob(bytes, stored.shape, type);
  at::Tensor copy = at::empty(stored.shape, type);
  std::memcpy(copy.data_ptr(), stored.bytes.data(), stored.bytes.size());
  return copy;
}

}  // namespace

absl::StatusOr<NamedTensors> ReadTensors(const SafetensorsView& view) {
  NamedTensors tensors;
  for (const auto& [name, stored] : view.tensors()) {
    const at::ScalarType* type = nullptr;
    for (const auto& [label, candidate] : kTypes) {
      if (stored.dtype == label) type = &candidate;
    }
    if (type == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": type ", stored.dtype, " is not supported"));
    }
    tensors.emplace(name, ViewBytes(stored, *type));
  }
  return tensors;
}

absl::Status WriteSafetensors(const std::string& path, const NamedTensors& tensors,
                              const std::map<std::string, std::string>& metadata) {
  const at::NoGradGuard no_grad;
  std::map<std::string, TensorBytes> stored;
  NamedTensors contiguous;  // keeps the bytes alive
  for (const auto& [name, tensor] : tensors) {
    const char* label = nullptr;
    for (const auto& [candidate, type] : kTypes) {
      if (tensor.scalar_type() == type) label = candidate;
    }
    if (label == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": safetensors has no type for ", toString(tensor.scalar_type())));
    }
    const at::Tensor bytes = tensor.detach().to(at::kCPU).contiguous();
    contiguous.emplace(name, bytes);
    stored.emplace(name, TensorBytes{label, bytes.sizes().vec(),
                                     absl::string_view(static_cast<const char*>(bytes.data_ptr()), bytes.nbytes())});
  }
  const absl::Status header = CheckSafetensorsHeader(stored, metadata);
  if (!header.ok()) return absl::Status(header.code(), absl::StrCat(path, ": ", header.message()));
  return WriteFileAtomic(path, SerializeSafetensors(stored, metadata));
}

}  // namespace mimeo
