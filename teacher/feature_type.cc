#include "teacher/feature_type.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mimeo {
namespace {

constexpr struct {
  TensorType type;
  int value_bytes;
} kTypes[] = {
    {TENSOR_TYPE_FLOAT32, 4},
};

}  // namespace

int ValueBytes(TensorType type) {
  for (const auto& known : kTypes) {
    if (known.type == type) return known.value_bytes;
  }
  return 0;
}

std::string TypeName(TensorType type) {
  return TensorType_IsValid(type) ? TensorType_Name(type) : absl::StrCat("TENSOR_TYPE number ", static_cast<int>(type));
}

std::string KnownTypes() {
  std::vector<std::string> names;
  for (const auto& known : kTypes) names.push_back(TypeName(known.type));
  return absl::StrJoin(names, ", ");
}

}  // namespace mimeo
