// How feature requests and replies (proto/teacher.proto) are cut into frames and put together again, with every check
// that a mistaken or hostile peer makes necessary. Both ends of the stream use it; no RPC inside. Value types, one
// thread each.
//
// Hosts are little-endian, as the wire is. T: width of the features, K: patches that are drawn, N: patches that are
// asked for by their indices, L: all patches of an image.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/random_key.h"
#include "proto/teacher.pb.h"

namespace mimeo {

// Metadata that a server process gives with Describe and with each stream: the same word from one process, another from
// each other. So a client knows that its stream is answered by whoever described itself.
inline constexpr char kTeacherInstanceKey[] = "mimeo-teacher-instance";

// A teacher's contract, once it is known to make sense.
struct FeatureGeometry {
  int channels = 0;
  int image_height_px = 0;
  int image_width_px = 0;
  int patch_px = 0;
  int feature_width = 0;
  int projected_width = 0;  // 0: no projection
  int block_width = 0;
  int num_blocks = 0;
  bool has_class_token = false;
  TensorType feature_type = TENSOR_TYPE_FLOAT32;  // that features travel as
  int max_images = 0;                             // of one request, and of one forward pass, at the teacher's own grid
  int64_t max_request_bytes = 0;
  int rows() const { return image_height_px / patch_px; }
  int cols() const { return image_width_px / patch_px; }
  int num_patches() const { return rows() * cols(); }  // L of the teacher's own grid
  // Likewise at a grid of so many patches: finer ones get fewer images, at least one, so that a pass's memory stays
  // bounded.
  int max_images_of(int patches) const;
};
// FailedPrecondition: a size that is not positive, a patch that does not divide the image, or a feature type that this
// version does not know (feature_type.h); names the field.
absl::StatusOr<FeatureGeometry> GeometryOf(const TeacherContract& contract);

// A whole request.
struct FeatureTask {
  uint64_t request_id = 0;
  FeatureWish wish;
  int num_images = 0;  // B
  int num_chosen = 0;  // patches of each image that the answer is of: N by their indices, K that are drawn, or all L
  int channels = 0;    // of the images: the teacher's or 1
  int height_px = 0;
  int width_px = 0;
  std::string images;            // uint8 (B, C, H, W)
  std::vector<int32_t> indices;  // (B, N), each in [0, L); empty: all L patches in their order, or a focused draw
  std::vector<RandomKey> keys;   // B of a focused draw
};

// The width of the features that are wished: T. REQUIRES: SizeOf takes it.
int FeatureWidth(const FeatureWish& wish, const FeatureGeometry& geometry);

// The bytes that one request costs: what arrives, and the answer.
struct FeatureRequestSize {
  int64_t image_bytes = 0;
  int64_t index_bytes = 0;
  int64_t key_bytes = 0;
  int64_t drawn_bytes = 0;  // of the answer: indices
  int64_t feature_bytes = 0;
  int64_t sent() const { return image_bytes + index_bytes + key_bytes; }
  int64_t reply_bytes() const { return drawn_bytes + feature_bytes; }
  int64_t total() const { return sent() + reply_bytes(); }
};
// InvalidArgument: number of images outside [1, max_images_of(L)]; channels, sides or a grid that are not positive or
// over their limit; a number of indices, or of patches to draw, that the grid has not; a layer, projection, class token
// or draw that the teacher has not; more than max_request_bytes in total. All in proportion to the number of images.
absl::StatusOr<FeatureRequestSize> SizeOf(const FeatureRequestHeader& header, const FeatureGeometry& geometry);

// The most images that a request like `header`, whatever its own number of them, may have. InvalidArgument: not even
// one.
absl::StatusOr<int> MostImages(FeatureRequestHeader header, const FeatureGeometry& geometry);

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
  std::string choice_bytes_;  // what comes after the images: indices or keys
};

// The client's side: one request -> frames. `images` and `choice` must outlive it.
class FeatureRequestFrames {
 public:
  // `choice`: what the header says comes after the images: indices, keys or nothing.
  FeatureRequestFrames(uint64_t request_id, const FeatureRequestHeader& header, absl::string_view images,
                       absl::string_view choice)
      : request_id_(request_id), header_(header), images_(images), choice_(choice) {}
  // False: there is no further frame.
  bool Next(FeatureRequest* frame);

 private:
  const uint64_t request_id_;
  const FeatureRequestHeader header_;
  const absl::string_view images_;
  const absl::string_view choice_;
  size_t sent_ = 0;
  bool header_sent_ = false;
};

// `keys` as they travel.
std::string KeyBytes(absl::Span<const RandomKey> keys);

// The server's side: one answer, drawn indices and features, -> frames. `answer` must outlive it.
class FeatureReplyFrames {
 public:
  // `type`: of the features, as the contract says.
  FeatureReplyFrames(uint64_t request_id, TensorType type, absl::string_view answer)
      : request_id_(request_id), type_(type), answer_(answer) {}
  bool Next(FeatureReply* frame);  // false: there is no further frame

 private:
  const uint64_t request_id_;
  const TensorType type_;
  const absl::string_view answer_;
  size_t sent_ = 0;
};

// The client's side: frames -> the answer to one request, written to the caller's memory.
class FeatureReplyAssembler {
 public:
  // The answer's bytes go to `drawn` first, then to `features`, whose memory is of `type`; both outlive this.
  FeatureReplyAssembler(uint64_t request_id, TensorType type, absl::Span<char> drawn, absl::Span<char> features)
      : request_id_(request_id), type_(type), drawn_(drawn), features_(features) {}

  // True: the answer is whole. DataLoss: another request's frame, values of another type, another size than asked for,
  // an empty payload or one too many bytes.
  absl::StatusOr<bool> Add(const FeatureReply& frame);

 private:
  uint64_t request_id_;
  TensorType type_;
  absl::Span<char> drawn_;
  absl::Span<char> features_;
  size_t received_ = 0;
};

}  // namespace mimeo
