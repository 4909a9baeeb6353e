#include "teacher/teacher_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "teacher/feature_wish.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

// L = 16, 3072 bytes an image of its own size.
FeatureGeometry Geometry() {
  FeatureGeometry geometry;
  geometry.channels = 3, geometry.image_height_px = 32, geometry.image_width_px = 32, geometry.patch_px = 8;
  geometry.feature_width = 5, geometry.projected_width = 2, geometry.block_width = 6, geometry.num_blocks = 3;
  geometry.has_class_token = true, geometry.max_images = 400, geometry.max_request_bytes = 8 << 20;
  return geometry;
}

std::string Bytes(size_t size, int seed) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + seed) % 251);
  return bytes;
}

absl::string_view AsBytes(const std::vector<int32_t>& values) {
  return absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int32_t));
}

// What a student with the teacher's own image size and grid asks.
FeatureRequestHeader Header(int num_images, int num_indices) {
  FeatureRequestHeader header;
  header.set_num_images(num_images), header.set_num_indices(num_indices);
  header.set_channels(3), header.set_height_px(32), header.set_width_px(32);
  header.mutable_wish()->set_rows(4), header.mutable_wish()->set_cols(4);
  return header;
}

// The same, where the teacher draws the patches.
FeatureRequestHeader DrawingHeader(int num_images, int num_visible) {
  FeatureRequestHeader header = Header(num_images, 0);
  header.mutable_wish()->mutable_focused()->set_num_visible(num_visible);
  return header;
}

FeatureRequest First(uint64_t id, int num_images, int num_indices, const std::string& payload = "") {
  FeatureRequest frame;
  frame.set_request_id(id);
  *frame.mutable_header() = Header(num_images, num_indices);
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
  // 1,075,200 image bytes: a frame's boundary lies inside the images, another inside the indices.
  const int num_images = 350;
  for (const int num_indices : {0, 1, 15, 16}) {
    const std::string images = Bytes(num_images * 3072, num_indices);
    std::vector<int32_t> indices;
    for (int i = 0; i < num_images * num_indices; ++i) indices.push_back((i * 7) % 16);
    FeatureRequestFrames frames(9, Header(num_images, num_indices), images, AsBytes(indices));
    FeatureRequestAssembler assembler(Geometry());
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
    EXPECT_EQ(task.num_chosen, num_indices == 0 ? 16 : num_indices);
    EXPECT_EQ(task.images, images);
    EXPECT_TRUE(task.keys.empty());
    EXPECT_EQ(task.indices, indices);
    EXPECT_FALSE(assembler.begun());
  }
}

TEST(FeatureFramesTest, WishesAndKeysSurviveFraming) {
  FeatureRequestHeader header = DrawingHeader(3, 2);
  header.set_channels(1), header.set_height_px(24), header.set_width_px(40);
  FeatureWish* const wish = header.mutable_wish();
  wish->set_rows(3), wish->set_cols(5), wish->set_layer(2), wish->set_class_token(true);
  wish->mutable_focused()->set_most_attended(true);
  const std::string images = Bytes(3 * 24 * 40, 1);
  const std::vector<RandomKey> keys = {RandomKey(4), RandomKey(5).Fold("mask"), RandomKey(6).Fold(7)};
  const std::string key_bytes = KeyBytes(keys);
  ASSERT_EQ(key_bytes.size(), 48u);
  FeatureRequestFrames frames(1, header, images, key_bytes);
  FeatureRequestAssembler assembler(Geometry());
  FeatureRequest frame;
  ASSERT_TRUE(frames.Next(&frame));
  const auto whole = assembler.Add(frame);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_TRUE(*whole);
  EXPECT_FALSE(frames.Next(&frame));
  FeatureTask task = assembler.Take();
  EXPECT_EQ(task.images, images);
  EXPECT_EQ(task.keys, keys);
  EXPECT_TRUE(task.indices.empty());
  EXPECT_EQ(task.num_chosen, 2);
  EXPECT_EQ(task.channels, 1);
  EXPECT_EQ(task.height_px, 24);
  EXPECT_EQ(task.width_px, 40);
  EXPECT_EQ(WishKey(task.wish), WishKey(header.wish()));
}

TEST(FeatureFramesTest, ReplySurvivesFraming) {
  for (const int64_t size : {int64_t{4}, limits::kChunkBytes, limits::kChunkBytes + 4, 3 * limits::kChunkBytes}) {
    const std::string features = Bytes(size, 3);
    // Drawn indices come first: none, some of the first frame, or more than a frame.
    for (const int64_t drawn_bytes : {int64_t{0}, size / 4, size - 4, size}) {
      SCOPED_TRACE(::testing::Message() << drawn_bytes << " of " << size);
      std::string received(size, '\0');
      FeatureReplyFrames frames(4, TENSOR_TYPE_FLOAT32, features);
      FeatureReplyAssembler assembler(4, TENSOR_TYPE_FLOAT32, {received.data(), static_cast<size_t>(drawn_bytes)},
                                      {received.data() + drawn_bytes, static_cast<size_t>(size - drawn_bytes)});
      FeatureReply frame;
      bool whole = false, first = true;
      while (frames.Next(&frame)) {
        ASSERT_LE(static_cast<int64_t>(frame.payload().size()), limits::kChunkBytes);
        EXPECT_EQ(frame.type(), std::exchange(first, false) ? TENSOR_TYPE_FLOAT32 : TENSOR_TYPE_UNSPECIFIED);
        auto added = assembler.Add(frame);
        ASSERT_TRUE(added.ok()) << added.status();
        whole = *added;
      }
      EXPECT_TRUE(whole);
      EXPECT_EQ(received, features);
    }
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
      {"too many indices", {First(7, 1, 17)}, "num_indices is 17, must be in [0, 16]"},
      {"negative indices", {First(7, 1, -1)}, "num_indices is -1"},
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
    FeatureRequestAssembler assembler(Geometry());
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

TEST(FeatureFramesTest, EveryWishThatTheTeacherCannotGrantIsRefused) {
  const struct {
    const char* message;
    std::function<void(FeatureRequestHeader*)> spoil;
  } cases[] = {
      {"the grid is 0x4, must have 1 to 4096 patches", [](auto* h) { h->mutable_wish()->set_rows(0); }},
      {"the grid is 4x-1, must", [](auto* h) { h->mutable_wish()->set_cols(-1); }},
      {"the grid is -4x-4, must", [](auto* h) { h->mutable_wish()->set_rows(-4), h->mutable_wish()->set_cols(-4); }},
      {"the grid is 64x65, must", [](auto* h) { h->mutable_wish()->set_rows(64), h->mutable_wish()->set_cols(65); }},
      {"the grid is 65536x65536, must",
       [](auto* h) { h->mutable_wish()->set_rows(65536), h->mutable_wish()->set_cols(65536); }},
      {"channels is 2, must be 1 or the teacher's 3", [](auto* h) { h->set_channels(2); }},
      {"height_px is 0, must be in [1, 8192]", [](auto* h) { h->set_height_px(0); }},
      {"height_px is 8193, must be in [1, 8192]", [](auto* h) { h->set_height_px(8193); }},
      {"width_px is -1, must be in [1, 8192]", [](auto* h) { h->set_width_px(-1); }},
      {"layer is 4, must be in [0, 3]", [](auto* h) { h->mutable_wish()->set_layer(4); }},
      {"layer is -1, must be in [0, 3]", [](auto* h) { h->mutable_wish()->set_layer(-1); }},
      {"layer is 1, and only the last tokens",
       [](auto* h) { h->mutable_wish()->set_layer(1), h->mutable_wish()->set_projected(true); }},
      {"focused.num_visible is 0, must be in [1, 16]", [](auto* h) { *h = DrawingHeader(1, 0); }},
      {"focused.num_visible is 17, must be in [1, 16]", [](auto* h) { *h = DrawingHeader(1, 17); }},
      {"num_indices is 2, must be in [0, 0] of a focused draw",
       [](auto* h) { h->mutable_wish()->mutable_focused()->set_num_visible(2); }},
      {"neither features nor focused masks", [](auto* h) { h->mutable_wish()->set_no_features(true); }},
      {"8405312 bytes, must be at most 8388608",
       [](auto* h) { h->set_height_px(8192), h->set_width_px(342), h->set_num_indices(0); }},
  };
  ASSERT_TRUE(SizeOf(Header(1, 2), Geometry()).ok());
  for (const auto& test : cases) {
    SCOPED_TRACE(test.message);
    FeatureRequest frame = First(7, 1, 2);
    test.spoil(frame.mutable_header());
    FeatureRequestAssembler assembler(Geometry());
    const auto refused = assembler.Add(frame);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(test.message));
  }
  FeatureGeometry plain = Geometry();
  plain.has_class_token = false, plain.projected_width = 0;
  FeatureRequestHeader projected = Header(1, 2), class_token = Header(1, 2), focused = DrawingHeader(1, 2);
  projected.mutable_wish()->set_projected(true), class_token.mutable_wish()->set_class_token(true);
  for (const auto& [header, message] : {std::pair<FeatureRequestHeader, const char*>{projected, "no projection"},
                                        {class_token, "the teacher has none"},
                                        {focused, "no class token to draw them by"}}) {
    EXPECT_TRUE(SizeOf(header, Geometry()).ok());
    EXPECT_EQ(SizeOf(header, plain).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(SizeOf(header, plain).status().message()), HasSubstr(message));
  }
}

TEST(FeatureFramesTest, WishesAtTheirLimitsAreTaken) {
  FeatureRequestHeader header = Header(1, 1);
  header.mutable_wish()->set_rows(64), header.mutable_wish()->set_cols(64), header.mutable_wish()->set_layer(3);
  EXPECT_TRUE(SizeOf(header, Geometry()).ok()) << SizeOf(header, Geometry()).status();
  header = Header(1, 1);
  header.set_height_px(8192), header.set_width_px(1);
  EXPECT_TRUE(SizeOf(header, Geometry()).ok());
  header.set_height_px(1), header.set_width_px(8192);
  EXPECT_TRUE(SizeOf(header, Geometry()).ok());
}

// In place of indices come keys: neither the one nor the other fits where both are sent.
TEST(FeatureFramesTest, AFocusedRequestBringsOneKeyPerImageAndNoIndices) {
  FeatureRequest frame = First(7, 1, 2);
  *frame.mutable_header() = DrawingHeader(1, 2);
  const std::vector<RandomKey> keys = {RandomKey(1), RandomKey(2)};
  const std::vector<int32_t> indices = {3, 5};
  for (const auto& [choice, message] :
       {std::pair<std::string, const char*>{KeyBytes(keys), "3104 bytes, its header announces 3088"},
        {KeyBytes({keys.data(), 1}) + std::string(AsBytes(indices)), "3096 bytes, its header announces 3088"}}) {
    frame.set_payload(Bytes(3072, 0) + choice);
    const auto refused = FeatureRequestAssembler(Geometry()).Add(frame);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(message));
  }
  frame.set_payload(Bytes(3072, 0) + std::string(AsBytes(indices)));
  const auto half = FeatureRequestAssembler(Geometry()).Add(frame);
  ASSERT_TRUE(half.ok());
  EXPECT_FALSE(*half);  // half a key
}

TEST(FeatureFramesTest, EveryMalformedReplyIsDataLoss) {
  std::string memory(8, '\0');
  auto reply = [](uint64_t id, int64_t total, const std::string& payload) {
    FeatureReply frame;
    frame.set_request_id(id);
    frame.set_total_bytes(total);
    frame.set_payload(payload);
    if (total > 0) frame.set_type(TENSOR_TYPE_FLOAT32);
    return frame;
  };
  FeatureReply untyped = reply(1, 8, "1234"), newer = untyped;
  untyped.clear_type(), newer.set_type(static_cast<TensorType>(77));
  const struct {
    std::vector<FeatureReply> frames;
    const char* message;
  } cases[] = {
      {{reply(2, 8, "1234")}, "answered request 2 where 1 is next"},
      {{reply(1, 12, "1234")}, "has 12 bytes, 8 were asked for"},
      {{untyped}, "request 1 is of TENSOR_TYPE_UNSPECIFIED, its contract says TENSOR_TYPE_FLOAT32"},
      {{newer}, "request 1 is of TENSOR_TYPE number 77, its contract says TENSOR_TYPE_FLOAT32"},
      {{reply(1, 8, "")}, "a frame of 0 bytes"},
      {{reply(1, 8, "1234"), reply(1, 0, "12345")}, "a frame of 5 bytes after 4 of 8"},
  };
  for (const auto& test : cases) {
    FeatureReplyAssembler assembler(1, TENSOR_TYPE_FLOAT32, {memory.data(), 4}, {memory.data() + 4, 4});
    for (size_t i = 0; i + 1 < test.frames.size(); ++i) ASSERT_TRUE(assembler.Add(test.frames[i]).ok());
    auto refused = assembler.Add(test.frames.back());
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(test.message));
  }
}

TEST(FeatureFramesTest, SizesCountTheAnswerToo) {
  FeatureRequestHeader header = Header(2, 3);
  auto size = SizeOf(header, Geometry());
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(size->image_bytes, 2 * 3 * 32 * 32);
  EXPECT_EQ(size->index_bytes, 2 * 3 * 4);
  EXPECT_EQ(size->reply_bytes(), 2 * 3 * 5 * 4);
  EXPECT_EQ(size->total(), size->image_bytes + size->index_bytes + size->reply_bytes());
  header.set_num_indices(0);
  EXPECT_EQ(SizeOf(header, Geometry())->reply_bytes(), 2 * 16 * 5 * 4);
  EXPECT_EQ(SizeOf(header, Geometry())->index_bytes, 0);
  header = Header(2, 3);
  header.mutable_wish()->set_layer(1);
  EXPECT_EQ(SizeOf(header, Geometry())->feature_bytes, 2 * 3 * 6 * 4);
  header.mutable_wish()->set_layer(0), header.mutable_wish()->set_projected(true);
  header.mutable_wish()->set_class_token(true);
  EXPECT_EQ(SizeOf(header, Geometry())->feature_bytes, 2 * (1 + 3) * 2 * 4);
  header.set_num_indices(0), header.mutable_wish()->mutable_focused()->set_num_visible(3);
  size = SizeOf(header, Geometry());
  EXPECT_EQ(size->index_bytes, 0);
  EXPECT_EQ(size->key_bytes, 2 * 16);
  EXPECT_EQ(size->drawn_bytes, 2 * 3 * 4);
  EXPECT_EQ(size->total(), 2 * 3072 + 2 * 16 + 2 * 3 * 4 + 2 * (1 + 3) * 2 * 4);
  header.mutable_wish()->set_no_features(true), header.set_channels(1);
  size = SizeOf(header, Geometry());
  EXPECT_EQ(size->image_bytes, 2 * 32 * 32);
  EXPECT_EQ(size->reply_bytes(), 2 * 3 * 4);
}

TEST(FeatureFramesTest, MostImagesIsWhatBothLimitsLeave) {
  FeatureGeometry geometry = Geometry();
  const int64_t image = SizeOf(Header(1, 2), geometry)->total();
  EXPECT_EQ(MostImages(Header(7, 2), geometry).value(), 400);
  geometry.max_request_bytes = 10 * image - 1;
  EXPECT_EQ(MostImages(Header(0, 2), geometry).value(), 9);
  EXPECT_TRUE(SizeOf(Header(9, 2), geometry).ok());
  EXPECT_FALSE(SizeOf(Header(10, 2), geometry).ok());
  geometry.max_request_bytes = image - 1;
  EXPECT_EQ(MostImages(Header(1, 2), geometry).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(FeatureFramesTest, FinerGridsHaveFewerImages) {
  const FeatureGeometry geometry = Geometry();  // 400 images of 16 patches
  EXPECT_EQ(geometry.max_images_of(1), 400);
  EXPECT_EQ(geometry.max_images_of(17), 376);
  EXPECT_EQ(geometry.max_images_of(4096), 1);
  EXPECT_EQ(geometry.max_images_of(1 << 30), 1);
  FeatureRequestHeader header = Header(100, 1);
  header.mutable_wish()->set_rows(8), header.mutable_wish()->set_cols(8);
  EXPECT_TRUE(SizeOf(header, geometry).ok());
  EXPECT_EQ(MostImages(header, geometry).value(), 100);
  header.set_num_images(101);
  EXPECT_EQ(SizeOf(header, geometry).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(SizeOf(header, geometry).status().message()),
              HasSubstr("num_images is 101, must be in [1, 100]"));
}

TEST(FeatureFramesTest, ContractsThatMakeNoSenseAreRefusedByField) {
  TeacherContract good;
  good.set_feature_width(5);
  good.set_image_height_px(32);
  good.set_image_width_px(40);
  good.set_channels(3);
  good.set_num_blocks(2);
  good.set_block_width(6);
  good.set_patch_px(8);
  good.set_max_requests_in_flight(1);
  good.set_max_images_per_request(4);
  good.set_max_request_bytes(1 << 20);
  good.set_feature_type(TENSOR_TYPE_FLOAT32);
  ASSERT_TRUE(GeometryOf(good).ok());
  EXPECT_EQ(GeometryOf(good)->num_patches(), 20);
  EXPECT_EQ(GeometryOf(good)->projected_width, 0);
  EXPECT_EQ(GeometryOf(good)->feature_type, TENSOR_TYPE_FLOAT32);
  const std::pair<const char*, std::function<void(TeacherContract*)>> cases[] = {
      {"feature_width", [](TeacherContract* c) { c->set_feature_width(0); }},
      {"image_height_px", [](TeacherContract* c) { c->set_image_height_px(-1); }},
      {"image_width_px", [](TeacherContract* c) { c->set_image_width_px(0); }},
      {"channels", [](TeacherContract* c) { c->set_channels(0); }},
      {"num_blocks", [](TeacherContract* c) { c->set_num_blocks(0); }},
      {"block_width", [](TeacherContract* c) { c->set_block_width(0); }},
      {"projected_width", [](TeacherContract* c) { c->set_projected_width(-1); }},
      {"max_request_bytes", [](TeacherContract* c) { c->set_max_request_bytes(0); }},
      {"patch_px", [](TeacherContract* c) { c->set_patch_px(0); }},
      {"patch_px 7 does not divide", [](TeacherContract* c) { c->set_patch_px(7); }},
      {"patch_px 8 does not divide image_width_px 36", [](TeacherContract* c) { c->set_image_width_px(36); }},
      {"max_images_per_request", [](TeacherContract* c) { c->set_max_images_per_request(0); }},
      {"max_requests_in_flight", [](TeacherContract* c) { c->set_max_requests_in_flight(0); }},
      {"feature_type is TENSOR_TYPE_UNSPECIFIED, known are TENSOR_TYPE_FLOAT32",
       [](TeacherContract* c) { c->set_feature_type(TENSOR_TYPE_UNSPECIFIED); }},
      {"feature_type is TENSOR_TYPE number 77, known are TENSOR_TYPE_FLOAT32",
       [](TeacherContract* c) { c->set_feature_type(static_cast<TensorType>(77)); }},
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
