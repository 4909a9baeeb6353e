#include "base/teacher_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/limits.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

constexpr FeatureGeometry kGeometry{32, 8, 5, 400};  // L = 16, 3072 bytes an image

std::string Bytes(size_t size, int seed) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + seed) % 251);
  return bytes;
}

absl::string_view AsBytes(const std::vector<int32_t>& values) {
  return absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int32_t));
}

FeatureRequest First(uint64_t id, int num_images, int num_visible, const std::string& payload = "") {
  FeatureRequest frame;
  frame.set_request_id(id);
  frame.mutable_header()->set_num_images(num_images);
  frame.mutable_header()->set_num_visible(num_visible);
  frame.set_payload(payload);
  return frame;
}

FeatureRequest Later(uint64_t id, const std::string& payload) {
  FeatureRequest frame;
  frame.set_request_id(id);
  frame.set_payload(payload);
  return frame;
}

TEST(FeatureFramesTest, RequestSurvivesFraming) {
  const int num_images =
      350;  // 1,075,200 image bytes: a frame's boundary lies inside the images, another inside the indices
  for (const int num_visible : {0, 1, 15, 16}) {
    const std::string images = Bytes(num_images * 3072, num_visible);
    std::vector<int32_t> indices;
    for (int i = 0; i < num_images * num_visible; ++i) indices.push_back((i * 7) % 16);
    FeatureRequestFrames frames(9, num_images, num_visible, images, AsBytes(indices));
    FeatureRequestAssembler assembler(kGeometry);
    FeatureRequest frame;
    int num_frames = 0;
    bool whole = false;
    while (frames.Next(&frame)) {
      ASSERT_FALSE(whole);
      ASSERT_LE(frame.payload().size(), static_cast<size_t>(limits::kChunkBytes));
      auto added = assembler.Add(frame);
      ASSERT_TRUE(added.ok()) << added.status();
      whole = *added;
      ++num_frames;
    }
    ASSERT_TRUE(whole);
    EXPECT_EQ(num_frames, 2);
    const FeatureTask task = assembler.Take();
    EXPECT_EQ(task.request_id, 9u);
    EXPECT_EQ(task.num_images, num_images);
    EXPECT_EQ(task.num_visible, num_visible == 0 ? 16 : num_visible);
    EXPECT_EQ(task.images, images);
    EXPECT_EQ(task.indices, indices);
    EXPECT_FALSE(assembler.begun());
  }
}

TEST(FeatureFramesTest, ReplySurvivesFraming) {
  for (const int64_t size : {int64_t{4}, limits::kChunkBytes, limits::kChunkBytes + 4, 3 * limits::kChunkBytes}) {
    const std::string features = Bytes(size, 3);
    FeatureReplyFrames frames(4, features);
    std::string received(size, '\0');
    FeatureReplyAssembler assembler(4, received.data(), size);
    FeatureReply frame;
    bool whole = false;
    while (frames.Next(&frame)) {
      ASSERT_LE(static_cast<int64_t>(frame.payload().size()), limits::kChunkBytes);
      auto added = assembler.Add(frame);
      ASSERT_TRUE(added.ok()) << added.status();
      whole = *added;
    }
    EXPECT_TRUE(whole);
    EXPECT_EQ(received, features);
  }
}

TEST(FeatureFramesTest, EveryMalformedRequestIsRefusedWithItsNumber) {
  std::vector<int32_t> outside = {3, 16};
  const std::string indices_outside(AsBytes(outside));
  std::vector<int32_t> below = {-1, 2};
  const std::string indices_below(AsBytes(below));
  const struct {
    const char* what;
    std::vector<FeatureRequest> frames;
    const char* message;
  } cases[] = {
      {"no header", {Later(7, "x")}, "request 7: the first frame has no header"},
      {"no images", {First(7, 0, 1)}, "num_images is 0, must be in [1, 400]"},
      {"negative", {First(7, -3, 1)}, "num_images is -3"},
      {"too many images", {First(7, 401, 1)}, "num_images is 401, must be in [1, 400]"},
      {"too many visible", {First(7, 1, 17)}, "num_visible is 17, must be in [0, 16]"},
      {"negative visible", {First(7, 1, -1)}, "num_visible is -1"},
      {"second header", {First(7, 1, 1, "x"), First(7, 1, 1)}, "request 7: a second header"},
      {"another request", {First(7, 1, 1), Later(8, "x")}, "a frame of request 8 inside request 7"},
      {"empty", {First(7, 1, 1), Later(7, "")}, "without payload"},
      {"payload over 1 MiB", {First(7, 400, 0, Bytes(limits::kChunkBytes + 1, 0))}, "1048577 bytes, at most 1048576"},
      {"too long", {First(7, 1, 1, Bytes(3077, 0))}, "3077 bytes, its header announces 3076"},
      {"index over",
       {First(7, 1, 2, Bytes(3072, 0) + indices_outside)},
       "patch index 16 of image 0 is outside [0, 16)"},
      {"index under", {First(7, 1, 2, Bytes(3072, 0) + indices_below)}, "patch index -1 of image 0"},
      {"id repeated", {First(7, 1, 0, Bytes(3072, 0)), First(7, 1, 0)}, "request id 7 after 7"},
      {"id decreases", {First(7, 1, 0, Bytes(3072, 0)), First(6, 1, 0)}, "request id 6 after 7"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.what);
    FeatureRequestAssembler assembler(kGeometry);
    for (size_t i = 0; i + 1 < test.frames.size(); ++i) {
      auto added = assembler.Add(test.frames[i]);
      ASSERT_TRUE(added.ok()) << added.status();
      if (*added) assembler.Take();
    }
    auto refused = assembler.Add(test.frames.back());
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(test.message));
  }
}

TEST(FeatureFramesTest, EveryMalformedReplyIsDataLoss) {
  std::string memory(8, '\0');
  auto reply = [](uint64_t id, int64_t total, const std::string& payload) {
    FeatureReply frame;
    frame.set_request_id(id);
    frame.set_total_bytes(total);
    frame.set_payload(payload);
    return frame;
  };
  const struct {
    std::vector<FeatureReply> frames;
    const char* message;
  } cases[] = {
      {{reply(2, 8, "1234")}, "answered request 2 where 1 is next"},
      {{reply(1, 12, "1234")}, "has 12 bytes, 8 were asked for"},
      {{reply(1, 8, "")}, "a frame of 0 bytes"},
      {{reply(1, 8, "1234"), reply(1, 0, "12345")}, "a frame of 5 bytes after 4 of 8"},
  };
  for (const auto& test : cases) {
    FeatureReplyAssembler assembler(1, memory.data(), 8);
    for (size_t i = 0; i + 1 < test.frames.size(); ++i) ASSERT_TRUE(assembler.Add(test.frames[i]).ok());
    auto refused = assembler.Add(test.frames.back());
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(test.message));
  }
}

TEST(FeatureFramesTest, SizesCountTheAnswerToo) {
  FeatureRequestHeader header;
  header.set_num_images(2);
  header.set_num_visible(3);
  auto size = SizeOf(header, kGeometry);
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(size->image_bytes, 2 * 3 * 32 * 32);
  EXPECT_EQ(size->index_bytes, 2 * 3 * 4);
  EXPECT_EQ(size->reply_bytes, 2 * 3 * 5 * 4);
  header.set_num_visible(0);
  EXPECT_EQ(SizeOf(header, kGeometry)->reply_bytes, 2 * 16 * 5 * 4);
  EXPECT_EQ(SizeOf(header, kGeometry)->index_bytes, 0);
}

TEST(FeatureFramesTest, ContractsThatMakeNoSenseAreRefusedByField) {
  TeacherContract good;
  good.set_feature_width(5);
  good.set_image_px(32);
  good.set_patch_px(8);
  good.set_max_requests_in_flight(1);
  good.set_max_images_per_request(4);
  good.set_feature_type(TENSOR_TYPE_FLOAT32);
  ASSERT_TRUE(GeometryOf(good).ok());
  EXPECT_EQ(GeometryOf(good)->num_patches(), 16);
  const std::pair<const char*, std::function<void(TeacherContract*)>> cases[] = {
      {"feature_width", [](TeacherContract* c) { c->set_feature_width(0); }},
      {"image_px", [](TeacherContract* c) { c->set_image_px(-1); }},
      {"patch_px", [](TeacherContract* c) { c->set_patch_px(0); }},
      {"patch_px 7 does not divide", [](TeacherContract* c) { c->set_patch_px(7); }},
      {"max_images_per_request", [](TeacherContract* c) { c->set_max_images_per_request(0); }},
      {"max_requests_in_flight", [](TeacherContract* c) { c->set_max_requests_in_flight(0); }},
      {"feature_type", [](TeacherContract* c) { c->set_feature_type(TENSOR_TYPE_UNSPECIFIED); }},
  };
  for (const auto& [message, spoil] : cases) {
    TeacherContract bad = good;
    spoil(&bad);
    EXPECT_EQ(GeometryOf(bad).status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(GeometryOf(bad).status().message()), HasSubstr(message));
  }
}

}  // namespace
}  // namespace mimeo
