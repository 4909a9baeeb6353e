#include "worker/tools/npy_file.h"

#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace mimeo {

std::string NpyHeader(int64_t rows, int64_t columns) {
  constexpr size_t kAlignment = 64;  // of the numbers behind it
  const std::string start("\x93NUMPY\x01\x00", 8);
  std::string description =
      absl::StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': (", rows, ", ", columns, "), }");
  const size_t used = start.size() + 2 + description.size() + 1;
  description.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  description += '\n';
  const char length[] = {static_cast<char>(description.size() & 0xff), static_cast<char>(description.size() >> 8)};
  return absl::StrCat(start, absl::string_view(length, 2), description);
}

absl::Status WriteNpy(const std::string& path, const at::Tensor& rows_ND) {
  const at::Tensor rows = rows_ND.to(at::kFloat).contiguous();
  std::string bytes = NpyHeader(rows.size(0), rows.size(1));
  bytes.append(reinterpret_cast<const char*>(rows.const_data_ptr<float>()), rows.nbytes());
  return WriteFileAtomic(path, bytes);
}

}  // namespace mimeo
