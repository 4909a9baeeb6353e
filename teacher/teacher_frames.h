// Cuts feature requests and replies (proto/teacher.proto) into frames and puts them together again, with every check
// that a mistaken or hostile peer makes necessary. Both ends of the stream use it, and there is no RPC inside. These
// are value types, each for one thread.
//
// Hosts are little-endian, as the wire is. T is the width of the features, K the number of patches that are drawn, N
// the number of patches that are asked for by their indices, and L the number of all patches of an image.
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

// The key of metadata that a server process gives with Describe and with each stream: one process always says the same
// word, and another process says another. So a client knows that its stream is answered by the process that described
// itself.
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
  TensorType feature_type = TENSOR_TYPE_FLOAT32;  // the type in which features travel
  int max_images = 0;                             // of one request, and of one forward pass, at the teacher's own grid
  int64_t max_request_bytes = 0;
  int rows() const { return image_height_px / patch_px; }
  int cols() const { return image_width_px / patch_px; }
  int num_patches() const { return rows() * cols(); }  // L of the teacher's own grid
  // The most images at a grid of so many patches. Finer grids get fewer images, but at least one, so that the memory of
  // a pass stays bounded.
  int max_images_of(int patches) const;
};
// FailedPrecondition: a size is not positive or over its limit, a patch does not divide the image, or this version does
// not know the feature type (feature_type.h); the message names the field.
absl::StatusOr<FeatureGeometry> GeometryOf(const TeacherContract& contract);

// A whole request, as the server computes it.
struct FeatureTask {
  uint64_t request_id = 0;
  FeatureWish wish;
  int num_images = 0;  // B
  int num_chosen = 0;  // patches of each image in the answer: N by their indices, K that are drawn, or all L
  int channels = 0;    // the images': the teacher's or 1
  int height_px = 0;
  int width_px = 0;
  std::string images;            // uint8 (B, C, H, W)
  std::vector<int32_t> indices;  // (B, N), each in [0, L); empty: all L patches in their order, or a focused draw
  std::vector<RandomKey> keys;   // B, of a focused draw; otherwise empty
};

// T, the width of the features that are wished. REQUIRES: SizeOf takes the request.
int FeatureWidth(const FeatureWish& wish, const FeatureGeometry& geometry);

// The bytes that one request costs: what arrives, and what the answer has.
struct FeatureRequestSize {
  int64_t image_bytes = 0;
  int64_t index_bytes = 0;
  int64_t key_bytes = 0;
  int64_t drawn_bytes = 0;  // the answer's indices
  int64_t feature_bytes = 0;
  int64_t sent() const { return image_bytes + index_bytes + key_bytes; }
  int64_t reply_bytes() const { return drawn_bytes + feature_bytes; }
  int64_t total() const { return sent() + reply_bytes(); }
};
// The size of a request; all of it is in proportion to the number of images. InvalidArgument: the number of images is
// outside [1, max_images_of(L)]; channels, sides or the grid are not positive or over their limits; the grid does not
// have so many indices or patches to draw; the teacher does not have the layer, projection, class token or draw; or the
// total is above max_request_bytes.
absl::StatusOr<FeatureRequestSize> SizeOf(const FeatureRequestHeader& header, const FeatureGeometry& geometry);

// The most images that a request like `header` may have, whatever its own number is. InvalidArgument: it may not have
// even one.
absl::StatusOr<int> MostImages(FeatureRequestHeader header, const FeatureGeometry& geometry);

// The server's side: it makes the frames of one stream into requests, one after the other.
class FeatureRequestAssembler {
 public:
  explicit FeatureRequestAssembler(const FeatureGeometry& geometry) : geometry_(geometry) {}

  // Whether a request has begun and is not complete yet.
  bool begun() const { return begun_; }

  // Takes the stream's next frame. True: the request is complete, and Take gives it. InvalidArgument: the stream cannot
  // go on, because a frame is out of order (no header first, a second header, another request's id, or an id that does
  // not increase), a payload is empty, over limits::kChunkBytes or beyond the request's size, an index is outside the
  // grid, or SizeOf refuses the header.
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

// The client's side: it makes one request into frames. `images` and `choice` must outlive it.
class FeatureRequestFrames {
 public:
  // `choice` has the bytes that, by the header, come after the images: indices, keys, or nothing.
  FeatureRequestFrames(uint64_t request_id, const FeatureRequestHeader& header, absl::string_view images,
                       absl::string_view choice)
      : request_id_(request_id), header_(header), images_(images), choice_(choice) {}
  // Fills the next frame. False: there is none.
  bool Next(FeatureRequest* frame);

 private:
  const uint64_t request_id_;
  const FeatureRequestHeader header_;
  const absl::string_view images_;
  const absl::string_view choice_;
  size_t sent_ = 0;
  bool header_sent_ = false;
};

// The bytes of `keys` as they travel.
std::string KeyBytes(absl::Span<const RandomKey> keys);

// The server's side: it makes one answer, drawn indices and then features, into frames. `answer` must outlive it.
class FeatureReplyFrames {
 public:
  // `type` is that of the features, as the contract states it.
  FeatureReplyFrames(uint64_t request_id, TensorType type, absl::string_view answer)
      : request_id_(request_id), type_(type), answer_(answer) {}
  // Fills the next frame. False: there is none.
  bool Next(FeatureReply* frame);

 private:
  const uint64_t request_id_;
  const TensorType type_;
  const absl::string_view answer_;
  size_t sent_ = 0;
};

// The client's side: it writes the answer to one request from its frames into the caller's memory.
class FeatureReplyAssembler {
 public:
  // The answer's bytes go to `drawn` first and then to `features`, which has values of `type`. Both outlive this.
  FeatureReplyAssembler(uint64_t request_id, TensorType type, absl::Span<char> drawn, absl::Span<char> features)
      : request_id_(request_id), type_(type), drawn_(drawn), features_(features) {}

  // True: the answer is complete. DataLoss: the frame belongs to another request, the values have another type, the
  // size is not what was asked for, or the payload is empty or has too many bytes.
  absl::StatusOr<bool> Add(const FeatureReply& frame);

 private:
  uint64_t request_id_;
  TensorType type_;
  absl::Span<char> drawn_;
  absl::Span<char> features_;
  size_t received_ = 0;
};

}  // namespace mimeo
