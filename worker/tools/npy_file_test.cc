#include "worker/tools/npy_file.h"

#include <ATen/ops/tensor.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

// What numpy 2.4.6 wrote: numpy.save(file, numpy.array([[1, 2], [3, 4], [5, -0.5]], dtype=numpy.float32)).
TEST(NpyFileTest, EqualsWhatNumpyWrites) {
  const std::string numpys = absl::StrCat(
      std::string("\x93NUMPY\x01\x00v\x00", 10), "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }",
      std::string(58, ' '), "\n", absl::HexStringToBytes("0000803f0000004000004040000080400000a040000000bf"));
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "features.npy");
  ASSERT_OK(WriteNpy(path, at::tensor(std::vector<float>{1, 2, 3, 4, 5, -0.5}).view({3, 2})));
  ASSERT_OK_AND_ASSIGN(const std::string written, ReadFile(path));
  EXPECT_EQ(written, numpys);
}

TEST(NpyFileTest, NumbersBeginAtAMultipleOf64) {
  EXPECT_EQ(NpyHeader(100000, 1280).size(), 128u);
  for (const int64_t rows : {1, 10, 999999999}) EXPECT_EQ(NpyHeader(rows, 768).size() % 64, 0u) << rows;
}

// Rows that another tensor has between them.
TEST(NpyFileTest, StridesDoNotMatter) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "features.npy");
  ASSERT_OK(WriteNpy(path, at::tensor(std::vector<float>{1, 3, 2, 4}).view({2, 2}).t()));
  ASSERT_OK_AND_ASSIGN(const std::string written, ReadFile(path));
  EXPECT_EQ(absl::BytesToHexString(written.substr(written.size() - 16)), "0000803f000000400000404000008040");
}

}  // namespace
}  // namespace mimeo
