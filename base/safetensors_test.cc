#include "base/safetensors.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

// A stream from its JSON header and data, as any other program might write it.
std::string Stream(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string prefix(8, '\0');
  std::memcpy(&prefix[0], &length, 8);
  return prefix + header + data;
}

std::string Entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":", shape, ",\"data_offsets\":", offsets,
                      "}");
}

// What the safetensors package for Python (0.6) writes for {"a": [1.0, 2.0], "b": uint8 [[7]]} with metadata {"k":
// "v"}.
std::string ReferenceStream() {
  const float values[] = {1.0f, 2.0f};
  return Stream("{\"__metadata__\":{\"k\":\"v\"}," + Entry("a", "F32", "[2]", "[0,8]") + "," +
                    Entry("b", "U8", "[1,1]", "[8,9]") + "}   ",
                std::string(reinterpret_cast<const char*>(values), 8) + "\x07");
}

TEST(SafetensorsTest, ReadsTheReferenceLayout) {
  const std::string stream = ReferenceStream();
  ASSERT_OK_AND_ASSIGN(const SafetensorsView view, SafetensorsView::Parse(stream));
  ASSERT_EQ(view.tensors().size(), 2u);
  const TensorBytes& a = view.tensors().at("a");
  EXPECT_EQ(a.dtype, "F32");
  EXPECT_EQ(a.shape, std::vector<int64_t>{2});
  float value;
  std::memcpy(&value, a.bytes.data() + 4, 4);
  EXPECT_EQ(value, 2.0f);
  EXPECT_EQ(view.tensors().at("b").bytes, "\x07");
  EXPECT_EQ(view.metadata().at("k"), "v");
}

TEST(SafetensorsTest, WhatIsWrittenIsRead) {
  const std::string floats(24, 'f'), halves(6, 'h');
  const std::map<std::string, TensorBytes> tensors = {{"z.weight", {"F32", {2, 3}, floats}},
                                                      {"a", {"BF16", {3}, halves}},
                                                      {"empty", {"I64", {0, 4}, ""}},
                                                      {"scalar", {"F64", {}, absl::string_view(floats).substr(0, 8)}}};
  const std::map<std::string, std::string> metadata = {{"files", "[\"\xc3\xa9\\n\"]"}};
  const std::string stream = SerializeSafetensors(tensors, metadata);
  ASSERT_OK_AND_ASSIGN(const SafetensorsView view, SafetensorsView::Parse(stream));
  EXPECT_EQ(view.metadata(), metadata);
  ASSERT_EQ(view.tensors().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(view.tensors().at(name).dtype, tensor.dtype);
    EXPECT_EQ(view.tensors().at(name).shape, tensor.shape);
    EXPECT_EQ(view.tensors().at(name).bytes, tensor.bytes);
  }
}

TEST(SafetensorsTest, DataBeginsEightByteAligned) {
  for (int length = 1; length < 12; ++length) {
    const std::map<std::string, TensorBytes> tensors = {{std::string(length, 'n'), {"F32", {1}, "abcd"}}};
    EXPECT_EQ(SafetensorsHeader(tensors, {}).size() % 8, 0u) << length;
    EXPECT_OK(SafetensorsView::Parse(SerializeSafetensors(tensors, {})));
  }
}

TEST(SafetensorsTest, AStreamCutAnywhereIsDataLoss) {
  const std::string stream = ReferenceStream();
  for (size_t length = 0; length < stream.size(); ++length) {
    EXPECT_THAT(SafetensorsView::Parse(stream.substr(0, length)), StatusIs(absl::StatusCode::kDataLoss)) << length;
  }
  EXPECT_OK(SafetensorsView::Parse(stream));
  EXPECT_THAT(SafetensorsView::Parse(stream + "x"),
              StatusIs(absl::StatusCode::kDataLoss, "9 bytes of data, but there are 10"));
}

TEST(SafetensorsTest, NoDamagedHeaderIsFatal) {
  const std::string stream = ReferenceStream();
  for (size_t at = 0; at < stream.size(); ++at) {
    for (const char c : {'\0', '"', '9', '{', ']', '\xff'}) {
      std::string damaged = stream;
      damaged[at] = c;
      const absl::StatusOr<SafetensorsView> view = SafetensorsView::Parse(damaged);
      EXPECT_TRUE(view.ok() || absl::IsDataLoss(view.status())) << at << ": " << view.status();
    }
  }
}

TEST(SafetensorsTest, ContradictionsNameTheTensorAndTheNumbers) {
  const auto parse = [](const std::string& entries, const std::string& data) {
    return SafetensorsView::Parse(Stream("{" + entries + "}", data)).status();
  };
  const std::string eight(8, 'x');
  EXPECT_THAT(parse(Entry("w", "F32", "[3]", "[0,8]"), eight),
              StatusIs(absl::StatusCode::kDataLoss, "'w': 8 bytes do not hold F32 of shape [3]"));
  EXPECT_THAT(parse(Entry("w", "F33", "[2]", "[0,8]"), eight), StatusIs(absl::StatusCode::kDataLoss, "F33"));
  EXPECT_THAT(parse(Entry("w", "F32", "[2]", "[8,0]"), eight), StatusIs(absl::StatusCode::kDataLoss, "'w'"));
  EXPECT_THAT(parse(Entry("w", "F32", "[4]", "[0,16]"), eight), StatusIs(absl::StatusCode::kDataLoss, "cut short"));
  EXPECT_THAT(parse(Entry("w", "F32", "[-2]", "[0,8]"), eight), StatusIs(absl::StatusCode::kDataLoss, "dimension"));
  EXPECT_THAT(parse(Entry("w", "F32", "[2.0]", "[0,8]"), eight), StatusIs(absl::StatusCode::kDataLoss, "dimension"));
  EXPECT_THAT(parse(Entry("w", "F32", "[4611686018427387904,4611686018427387904]", "[0,8]"), eight),
              StatusIs(absl::StatusCode::kDataLoss, "do not hold"));
  EXPECT_THAT(parse("\"w\":[1]", eight), StatusIs(absl::StatusCode::kDataLoss, "data_offsets"));
  EXPECT_THAT(parse("\"__metadata__\":{\"k\":1}", ""), StatusIs(absl::StatusCode::kDataLoss, "'k'"));
}

TEST(SafetensorsTest, OverlapsAndGapsAreRefused) {
  const std::string eight(8, 'x');
  const std::string overlap = "{" + Entry("a", "U8", "[6]", "[0,6]") + "," + Entry("b", "U8", "[4]", "[4,8]") + "}";
  EXPECT_THAT(SafetensorsView::Parse(Stream(overlap, eight)),
              StatusIs(absl::StatusCode::kDataLoss, "'b': begins at byte 4"));
  const std::string gap = "{" + Entry("a", "U8", "[2]", "[0,2]") + "," + Entry("b", "U8", "[4]", "[4,8]") + "}";
  EXPECT_THAT(SafetensorsView::Parse(Stream(gap, eight)),
              StatusIs(absl::StatusCode::kDataLoss, "'b': begins at byte 4"));
}

// The reference implementation reads a header of 100,000,000 bytes and refuses one of more.
TEST(SafetensorsTest, TheLongestHeaderIsTheReferences) {
  std::string prefix(16, '\0');
  const uint64_t longest = 100'000'000, longer = longest + 1;
  std::memcpy(&prefix[0], &longest, 8);
  EXPECT_THAT(SafetensorsView::Parse(prefix),
              StatusIs(absl::StatusCode::kDataLoss, "cut short: a header of 100000000"));
  std::memcpy(&prefix[0], &longer, 8);
  EXPECT_THAT(SafetensorsView::Parse(prefix),
              StatusIs(absl::StatusCode::kDataLoss, "a header of 100000001 bytes; at most 100000000"));

  const std::string around = R"({"__metadata__":{"files":""}})";
  const std::map<std::string, std::string> metadata = {{"files", std::string(longer - around.size(), 'x')}};
  EXPECT_OK(CheckSafetensorsHeader({}, {{"files", "x"}}));
  EXPECT_THAT(CheckSafetensorsHeader({}, metadata),
              StatusIs(absl::StatusCode::kInvalidArgument, "would have 100000008 bytes"));
}

TEST(SafetensorsTest, WhatStandsInItsPlaceIsNamed) {
  EXPECT_THAT(SafetensorsView::Parse("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n"),
              StatusIs(absl::StatusCode::kDataLoss, "a Git LFS pointer"));
  EXPECT_THAT(SafetensorsView::Parse("404"), StatusIs(absl::StatusCode::kDataLoss, "begins with \"404\""));
  EXPECT_THAT(SafetensorsView::Parse(""), StatusIs(absl::StatusCode::kDataLoss, "it is empty"));
  EXPECT_THAT(SafetensorsView::Parse(std::string(100, '\0')), StatusIs(absl::StatusCode::kDataLoss, "zeros"));
}

TEST(SafetensorsTest, AHugeHeaderIsRefusedBeforeItIsRead) {
  std::string stream(16, '\xff');
  stream[7] = 0x00;
  EXPECT_THAT(SafetensorsView::Parse(stream), StatusIs(absl::StatusCode::kDataLoss, "at most"));
}

TEST(SafetensorsTest, FilesAreMappedAndNamedInErrors) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "model.safetensors");
  EXPECT_THAT(SafetensorsFile::Open(path).status(), StatusIs(absl::StatusCode::kNotFound, path));
  ASSERT_OK(WriteFileAtomic(path, ReferenceStream().substr(0, 100)));
  EXPECT_THAT(SafetensorsFile::Open(path).status(), StatusIs(absl::StatusCode::kDataLoss, path));
  ASSERT_OK(WriteFileAtomic(path, ReferenceStream()));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SafetensorsFile> file, SafetensorsFile::Open(path));
  EXPECT_EQ(file->view().tensors().at("b").bytes, "\x07");
  EXPECT_EQ(file->bytes().size(), ReferenceStream().size());
}

}  // namespace
}  // namespace mimeo
