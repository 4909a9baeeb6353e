// How feature requests and replies (proto/teacher.proto) are cut into frames and put together again, with every check
// that a mistaken or hostile peer makes necessary. Both ends of the stream use it; no RPC inside. Value types, one
// thread each.
//
// Hosts are little-endian, as the wire is. T: teacher width, K: visible patches, L: all patches of an image.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/teacher.pb.h"

namespace mimeo {

// What a teacher's contract says about sizes.
struct FeatureGeometry {
  int image_px = 0;
  int patch_px = 0;
  int feature_width = 0;                                                             // T
  int max_images = 0;                                                                // of one request
  int num_patches() const { return (image_px / patch_px) * (image_px / patch_px); }  // L
  int64_t image_bytes() const { return int64_t{3} * image_px * image_px; }
};
// FailedPrecondition: a size that is not positive, a patch that does not divide the image, or a feature type that is
// not float32; names the field.
absl::StatusOr<FeatureGeometry> GeometryOf(const TeacherContract& contract);

// A whole request.
struct FeatureTask {
  uint64_t request_id = 0;
  int num_images = 0;            // B
  int num_visible = 0;           // K; L when all patches were asked for
  std::string images;            // uint8 (B, 3, H, W)
  std::vector<int32_t> indices;  // (B, K), each in [0, L); empty: all L patches in their order
};

// The bytes that one request costs: what arrives, and the answer.
struct FeatureRequestSize {
  int64_t image_bytes = 0;
  int64_t index_bytes = 0;
  int64_t reply_bytes = 0;
  int64_t total() const { return image_bytes + index_bytes + reply_bytes; }
};
// InvalidArgument: number of images outside [1, max_images], number of visible patches outside [0, L].
absl::StatusOr<FeatureRequestSize> SizeOf(const FeatureRequestHeader& header, const FeatureGeometry& geometry);

// The server's side: frames of one stream -> requests, one after the other.
class FeatureRequestAssembler {
 public:
  explicit FeatureRequestAssembler(const FeatureGeometry& geometry) : geometry_(geometry) {}

  // Whether a request has begun and is not whole yet.
  bool begun() const { return begun_; }

  // Takes the stream's next frame; true: the request is whole, Take it. InvalidArgument, and the stream is lost: a
  // frame out of order (no header first, a second header, another request id, an id that does not increase), a payload
  // that is empty, over limits::kChunkBytes or beyond the request's size, an index outside the grid, or what SizeOf
  // refuses.
  absl::StatusOr<bool> Add(const FeatureRequest& frame);
  FeatureTask Take();

 private:
  absl::Status Begin(const FeatureRequest& frame);
  absl::Status Append(absl::string_view payload);
  absl::Status Finish();

  const FeatureGeometry geometry_;
  bool begun_ = false;
  bool any_ = false;  // whether `last_id_` is set
  uint64_t last_id_ = 0;
  FeatureRequestSize size_;
  FeatureTask task_;
  std::string index_bytes_;
};

// The client's side: one request -> frames. `images` and `indices` must outlive it.
class FeatureRequestFrames {
 public:
  // `indices` empty asks for all patches. REQUIRES: num_visible * num_images indices otherwise.
  FeatureRequestFrames(uint64_t request_id, int num_images, int num_visible, absl::string_view images,
                       absl::string_view indices);
  // False: there is no further frame.
  bool Next(FeatureRequest* frame);

 private:
  const uint64_t request_id_;
  const int num_images_;
  const int num_visible_;
  const absl::string_view images_;
  const absl::string_view indices_;
  size_t sent_ = 0;
  bool header_sent_ = false;
};

// The server's side: one answer -> frames. `features` must outlive it.
class FeatureReplyFrames {
 public:
  FeatureReplyFrames(uint64_t request_id, absl::string_view features) : request_id_(request_id), features_(features) {}
  bool Next(FeatureReply* frame);  // false: there is no further frame

 private:
  const uint64_t request_id_;
  const absl::string_view features_;
  size_t sent_ = 0;
};

// The client's side: frames -> the answer to one request, written to the caller's memory.
class FeatureReplyAssembler {
 public:
  // `features` holds `bytes` bytes and outlives this.
  FeatureReplyAssembler(uint64_t request_id, char* features, int64_t bytes)
      : request_id_(request_id), features_(features), bytes_(bytes) {}

  // True: the answer is whole. DataLoss: another request's frame, another size than asked for, an empty payload or one
  // too many bytes.
  absl::StatusOr<bool> Add(const FeatureReply& frame);

 private:
  uint64_t request_id_;
  char* features_;
  int64_t bytes_;
  int64_t received_ = 0;
};

}  // namespace mimeo
