// The frames that a student sends to a teacher server. Each request that comes out whole has the bytes that its header
// says, within the teacher's bound, and the same frames made of it anew give the same request.
#include <string>

#include "teacher/teacher_frames.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {
namespace {

FeatureGeometry Geometry() {
  FeatureGeometry geometry;
  geometry.channels = 3, geometry.image_height_px = 32, geometry.image_width_px = 32, geometry.patch_px = 8;
  geometry.feature_width = 5, geometry.projected_width = 2, geometry.block_width = 6, geometry.num_blocks = 3;
  geometry.has_class_token = true, geometry.max_images = 400, geometry.max_request_bytes = 8 << 20;
  return geometry;
}

void CheckTask(const FeatureTask& task, const FeatureRequestHeader& header) {
  const absl::StatusOr<FeatureRequestSize> size = SizeOf(header, Geometry());
  MIMEO_CHECK(size.ok(), size.status().ToString());
  MIMEO_CHECK(size->total() <= Geometry().max_request_bytes, size->total(), " bytes");
  MIMEO_CHECK(static_cast<int64_t>(task.images.size()) == size->image_bytes, task.images.size(), " bytes of images");
  const auto patches = int64_t{task.wish.rows()} * task.wish.cols();
  for (const int32_t index : task.indices) MIMEO_CHECK(index >= 0 && index < patches, index);
  const std::string choice =
      task.keys.empty() ? std::string(reinterpret_cast<const char*>(task.indices.data()), task.indices.size() * 4)
                        : KeyBytes(task.keys);
  MIMEO_CHECK(static_cast<int64_t>(choice.size()) == size->index_bytes + size->key_bytes, choice.size(), " bytes");
  FeatureRequestAssembler assembler(Geometry());
  FeatureRequestFrames frames(task.request_id, header, task.images, choice);
  bool complete = false;
  for (FeatureRequest frame; frames.Next(&frame);) {
    const absl::StatusOr<bool> added = assembler.Add(frame);
    MIMEO_CHECK(added.ok() && !complete, added.status().ToString());
    complete = *added;
  }
  MIMEO_CHECK(complete, "it was complete before");
  const FeatureTask again = assembler.Take();
  MIMEO_CHECK(again.images == task.images && again.indices == task.indices && again.num_chosen == task.num_chosen);
}

}  // namespace

FUZZ_TARGET(teacher_request) {
  FeatureRequestAssembler assembler(Geometry());
  FeatureRequestHeader header;
  for (const absl::string_view piece : Pieces(bytes)) {
    FeatureRequest frame;
    if (!frame.ParseFromArray(piece.data(), static_cast<int>(piece.size()))) return;
    if (frame.has_header()) header = frame.header();
    const absl::StatusOr<bool> complete = assembler.Add(frame);
    if (!complete.ok()) return CheckRefusal(complete.status(), {absl::StatusCode::kInvalidArgument}, 512);
    if (*complete) CheckTask(assembler.Take(), header);
  }
}

}  // namespace mimeo::fuzz
