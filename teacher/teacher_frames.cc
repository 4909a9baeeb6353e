#include "teacher/teacher_frames.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "teacher/feature_type.h"
#include "teacher/feature_wish.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors travel in the host's byte order");

namespace mimeo {
namespace {

constexpr int64_t kIndexBytes = sizeof(int32_t);
constexpr int64_t kKeyBytes = sizeof(std::array<uint64_t, 2>);

// REQUIRES: CheckPatches takes it.
absl::Status CheckImages(const FeatureRequestHeader& header, const FeatureGeometry& geometry) {
  const int most = geometry.max_images_of(NumPatches(header.wish()));
  if (header.num_images() < 1 || header.num_images() > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_images is ", header.num_images(), ", must be in [1, ", most, "]"));
  }
  if (header.channels() != 1 && header.channels() != geometry.channels) {
    return absl::InvalidArgumentError(
        absl::StrCat("channels is ", header.channels(), ", must be 1 or the teacher's ", geometry.channels));
  }
  for (const auto& [field, side] :
       {std::pair<const char*, int>{"height_px", header.height_px()}, {"width_px", header.width_px()}}) {
    if (side < 1 || side > limits::kTeacherImageSide) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " is ", side, ", must be in [1, ", limits::kTeacherImageSide, "]"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPatches(const FeatureRequestHeader& header) {
  const FeatureWish& wish = header.wish();
  const int64_t num_patches = int64_t{wish.rows()} * wish.cols();
  if (wish.rows() < 1 || wish.cols() < 1 || num_patches > limits::kTeacherPatches) {
    return absl::InvalidArgumentError(absl::StrCat("the grid is ", wish.rows(), "x", wish.cols(), ", must have 1 to ",
                                                   limits::kTeacherPatches, " patches"));
  }
  if (wish.has_focused() && (wish.focused().num_visible() < 1 || wish.focused().num_visible() > num_patches)) {
    return absl::InvalidArgumentError(
        absl::StrCat("focused.num_visible is ", wish.focused().num_visible(), ", must be in [1, ", num_patches, "]"));
  }
  const int64_t most_indices = wish.has_focused() ? 0 : num_patches;  // who draws is sent none
  if (header.num_indices() < 0 || header.num_indices() > most_indices) {
    return absl::InvalidArgumentError(absl::StrCat("num_indices is ", header.num_indices(), ", must be in [0, ",
                                                   most_indices, "]", wish.has_focused() ? " of a focused draw" : ""));
  }
  return absl::OkStatus();
}

absl::Status CheckWish(const FeatureWish& wish, const FeatureGeometry& geometry) {
  if (wish.layer() < 0 || wish.layer() > geometry.num_blocks) {
    return absl::InvalidArgumentError(
        absl::StrCat("layer is ", wish.layer(), ", must be in [0, ", geometry.num_blocks, "]"));
  }
  if (wish.projected() && wish.layer() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("layer is ", wish.layer(), ", and only the last tokens (layer 0) can be projected"));
  }
  if (wish.projected() && geometry.projected_width == 0) {
    return absl::InvalidArgumentError("projected tokens are asked for, and the teacher has no projection");
  }
  if (wish.class_token() && !geometry.has_class_token) {
    return absl::InvalidArgumentError("class tokens are asked for, and the teacher has none");
  }
  if (wish.has_focused() && !geometry.has_class_token) {
    return absl::InvalidArgumentError(
        "focused masks are asked for, and the teacher has no class token to draw them by");
  }
  if (wish.no_features() && !wish.has_focused()) {
    return absl::InvalidArgumentError("neither features nor focused masks are asked for");
  }
  return absl::OkStatus();
}

// REQUIRES: CheckPatches takes it.
int NumChosen(const FeatureRequestHeader& header) {
  if (header.wish().has_focused()) return header.wish().focused().num_visible();
  return header.num_indices() > 0 ? header.num_indices() : NumPatches(header.wish());
}

// The bounds keep every size of a request (SizeOf) far below 2^63: the contract comes from another machine.
absl::Status CheckNumbers(const TeacherContract& contract) {
  constexpr int64_t kWidth = limits::kTeacherQueueBytes / int64_t{sizeof(float)};  // one token fills the whole queue
  constexpr int64_t kInt = std::numeric_limits<int32_t>::max();
  const struct {
    const char* field;
    int64_t value, least, most;
  } numbers[] = {{"feature_width", contract.feature_width(), 1, kWidth},
                 {"projected_width", contract.projected_width(), 0, kWidth},
                 {"block_width", contract.block_width(), 1, kWidth},
                 {"image_height_px", contract.image_height_px(), 1, limits::kTeacherImageSide},
                 {"image_width_px", contract.image_width_px(), 1, limits::kTeacherImageSide},
                 {"patch_px", contract.patch_px(), 1, limits::kTeacherImageSide},
                 {"channels", contract.channels(), 1, limits::kTeacherChannels},
                 {"num_blocks", contract.num_blocks(), 1, kInt},
                 {"max_requests_in_flight", contract.max_requests_in_flight(), 1, kInt},
                 {"max_images_per_request", contract.max_images_per_request(), 1, limits::kTeacherImagesPerRequest},
                 {"max_request_bytes", contract.max_request_bytes(), 1, limits::kTeacherQueueBytes}};
  for (const auto& number : numbers) {
    if (number.value >= number.least && number.value <= number.most) continue;
    return absl::FailedPreconditionError(absl::StrCat("teacher contract: ", number.field, " is ", number.value,
                                                      ", must be in [", number.least, ", ", number.most, "]"));
  }
  return absl::OkStatus();
}

FeatureTask TaskOf(uint64_t request_id, const FeatureRequestHeader& header) {
  FeatureTask task;
  task.request_id = request_id;
  task.wish = header.wish();
  task.num_images = header.num_images();
  task.num_chosen = NumChosen(header);
  task.channels = header.channels();
  task.height_px = header.height_px();
  task.width_px = header.width_px();
  return task;
}

}  // namespace

int FeatureGeometry::max_images_of(int patches) const {
  const int64_t as_many_patches = int64_t{max_images} * num_patches() / patches;
  return static_cast<int>(std::clamp<int64_t>(as_many_patches, 1, max_images));
}

absl::StatusOr<FeatureGeometry> GeometryOf(const TeacherContract& contract) {
  RETURN_IF_ERROR(CheckNumbers(contract));
  for (const auto& [field, side] : {std::pair<const char*, int>{"image_height_px", contract.image_height_px()},
                                    {"image_width_px", contract.image_width_px()}}) {
    if (side % contract.patch_px() != 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("teacher contract: patch_px ", contract.patch_px(), " does not divide ", field, " ", side));
    }
  }
  if (ValueBytes(contract.feature_type()) == 0) {
    return absl::FailedPreconditionError(absl::StrCat("teacher contract: feature_type is ",
                                                      TypeName(contract.feature_type()), ", known are ", KnownTypes()));
  }
  FeatureGeometry geometry;
  geometry.channels = contract.channels();
  geometry.image_height_px = contract.image_height_px();
  geometry.image_width_px = contract.image_width_px();
  geometry.patch_px = contract.patch_px();
  geometry.feature_width = contract.feature_width();
  geometry.projected_width = contract.projected_width();
  geometry.block_width = contract.block_width();
  geometry.num_blocks = contract.num_blocks();
  geometry.has_class_token = contract.has_class_token();
  geometry.feature_type = contract.feature_type();
  geometry.max_images = contract.max_images_per_request();
  geometry.max_request_bytes = contract.max_request_bytes();
  return geometry;
}

int FeatureWidth(const FeatureWish& wish, const FeatureGeometry& geometry) {
  if (wish.projected()) return geometry.projected_width;
  return wish.layer() > 0 ? geometry.block_width : geometry.feature_width;
}

absl::StatusOr<FeatureRequestSize> SizeOf(const FeatureRequestHeader& header, const FeatureGeometry& geometry) {
  RETURN_IF_ERROR(CheckPatches(header));
  RETURN_IF_ERROR(CheckImages(header, geometry));
  RETURN_IF_ERROR(CheckWish(header.wish(), geometry));
  const int64_t num_images = header.num_images();
  const int64_t num_chosen = NumChosen(header);
  const FeatureWish& wish = header.wish();
  FeatureRequestSize size;
  size.image_bytes = num_images * header.channels() * header.height_px() * header.width_px();
  if (wish.has_focused()) {
    size.key_bytes = num_images * kKeyBytes;
    size.drawn_bytes = kIndexBytes * num_images * num_chosen;
  } else {
    size.index_bytes = kIndexBytes * num_images * header.num_indices();
  }
  if (!wish.no_features()) {
    size.feature_bytes = int64_t{ValueBytes(geometry.feature_type)} * num_images *
                         ((wish.class_token() ? 1 : 0) + num_chosen) * FeatureWidth(wish, geometry);
  }
  if (size.total() > geometry.max_request_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(num_images, " images and their answer are ", size.total(),
                                                   " bytes, must be at most ", geometry.max_request_bytes));
  }
  return size;
}

absl::StatusOr<int> MostImages(FeatureRequestHeader header, const FeatureGeometry& geometry) {
  header.set_num_images(1);
  ASSIGN_OR_RETURN(const FeatureRequestSize size, SizeOf(header, geometry));
  return static_cast<int>(
      std::min<int64_t>(geometry.max_images_of(NumPatches(header.wish())), geometry.max_request_bytes / size.total()));
}

absl::StatusOr<bool> FeatureRequestAssembler::Add(const FeatureRequest& frame) {
  if (!begun_) {
    RETURN_IF_ERROR(Begin(frame));
  } else if (frame.has_header()) {
    return absl::InvalidArgumentError(absl::StrCat("request ", task_.request_id, ": a second header"));
  } else if (frame.request_id() != task_.request_id) {
    return absl::InvalidArgumentError(
        absl::StrCat("a frame of request ", frame.request_id(), " inside request ", task_.request_id));
  } else if (frame.payload().empty()) {
    return absl::InvalidArgumentError(absl::StrCat("request ", task_.request_id, ": a frame without payload"));
  }
  RETURN_IF_ERROR(Append(frame.payload()));
  if (static_cast<int64_t>(task_.images.size() + choice_bytes_.size()) < size_.sent()) return false;
  RETURN_IF_ERROR(Finish());
  return true;
}

absl::Status FeatureRequestAssembler::Begin(const FeatureRequest& frame) {
  if (!frame.has_header()) {
    return absl::InvalidArgumentError(absl::StrCat("request ", frame.request_id(), ": the first frame has no header"));
  }
  if (any_ && frame.request_id() <= last_id_) {
    return absl::InvalidArgumentError(
        absl::StrCat("request id ", frame.request_id(), " after ", last_id_, ": ids must increase within a stream"));
  }
  auto size = SizeOf(frame.header(), geometry_);
  if (!size.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("request ", frame.request_id(), ": ", size.status().message()));
  }
  begun_ = true;
  any_ = true;
  last_id_ = frame.request_id();
  size_ = *size;
  task_ = TaskOf(frame.request_id(), frame.header());
  task_.images.reserve(size_.image_bytes);
  choice_bytes_.clear();
  choice_bytes_.reserve(size_.sent() - size_.image_bytes);
  return absl::OkStatus();
}

absl::Status FeatureRequestAssembler::Append(absl::string_view payload) {
  if (static_cast<int64_t>(payload.size()) > limits::kChunkBytes) {
    return absl::InvalidArgumentError(absl::StrCat("request ", task_.request_id, ": a payload of ", payload.size(),
                                                   " bytes, at most ", limits::kChunkBytes, " are allowed"));
  }
  const int64_t received = task_.images.size() + choice_bytes_.size() + payload.size();
  const int64_t wanted = size_.sent();
  if (received > wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("request ", task_.request_id, ": ", received, " bytes, its header announces ", wanted));
  }
  const size_t image_part = std::min<size_t>(payload.size(), size_.image_bytes - task_.images.size());
  task_.images.append(payload.data(), image_part);
  choice_bytes_.append(payload.data() + image_part, payload.size() - image_part);
  return absl::OkStatus();
}

absl::Status FeatureRequestAssembler::Finish() {
  if (task_.wish.has_focused()) {
    for (int64_t i = 0; i < task_.num_images; ++i) {
      std::array<uint64_t, 2> words;
      std::memcpy(words.data(), choice_bytes_.data() + i * kKeyBytes, kKeyBytes);
      task_.keys.push_back(RandomKey::FromWords(words));
    }
    return absl::OkStatus();
  }
  const int num_patches = NumPatches(task_.wish);
  task_.indices.resize(choice_bytes_.size() / sizeof(int32_t));
  if (!task_.indices.empty()) std::memcpy(task_.indices.data(), choice_bytes_.data(), choice_bytes_.size());
  for (size_t i = 0; i < task_.indices.size(); ++i) {
    if (task_.indices[i] < 0 || task_.indices[i] >= num_patches) {
      return absl::InvalidArgumentError(absl::StrCat("request ", task_.request_id, ": patch index ", task_.indices[i],
                                                     " of image ", i / task_.num_chosen, " is outside [0, ",
                                                     num_patches, ")"));
    }
  }
  return absl::OkStatus();
}

FeatureTask FeatureRequestAssembler::Take() {
  begun_ = false;
  return std::move(task_);
}

bool FeatureRequestFrames::Next(FeatureRequest* frame) {
  const size_t total = images_.size() + choice_.size();
  if (sent_ == total) return false;
  frame->Clear();
  frame->set_request_id(request_id_);
  if (!header_sent_) {
    *frame->mutable_header() = header_;
    header_sent_ = true;
  }
  const size_t end = std::min<size_t>(total, sent_ + limits::kChunkBytes);
  std::string* payload = frame->mutable_payload();
  payload->reserve(end - sent_);
  if (sent_ < images_.size()) {
    const absl::string_view part = images_.substr(sent_, end - sent_);
    payload->append(part.data(), part.size());
    sent_ += part.size();
  }
  if (sent_ < end) {
    const absl::string_view part = choice_.substr(sent_ - images_.size(), end - sent_);
    payload->append(part.data(), part.size());
    sent_ = end;
  }
  return true;
}

std::string KeyBytes(absl::Span<const RandomKey> keys) {
  std::string bytes;
  for (const RandomKey& key : keys) bytes.append(reinterpret_cast<const char*>(key.words().data()), kKeyBytes);
  return bytes;
}

bool FeatureReplyFrames::Next(FeatureReply* frame) {
  if (sent_ == answer_.size()) return false;
  frame->Clear();
  frame->set_request_id(request_id_);
  if (sent_ == 0) {
    frame->set_total_bytes(answer_.size());
    frame->set_type(type_);
  }
  const absl::string_view part = answer_.substr(sent_, limits::kChunkBytes);
  frame->set_payload(part.data(), part.size());
  sent_ += part.size();
  return true;
}

absl::StatusOr<bool> FeatureReplyAssembler::Add(const FeatureReply& frame) {
  if (frame.request_id() != request_id_) {
    return absl::DataLossError(
        absl::StrCat("the teacher answered request ", frame.request_id(), " where ", request_id_, " is next"));
  }
  if (received_ == 0 && frame.type() != type_) {
    return absl::DataLossError(absl::StrCat("the teacher's answer to request ", request_id_, " is of ",
                                            TypeName(frame.type()), ", its contract says ", TypeName(type_)));
  }
  const size_t bytes = drawn_.size() + features_.size();
  if (received_ == 0 && frame.total_bytes() != static_cast<int64_t>(bytes)) {
    return absl::DataLossError(absl::StrCat("the teacher's answer to request ", request_id_, " has ",
                                            frame.total_bytes(), " bytes, ", bytes, " were asked for"));
  }
  absl::string_view payload = frame.payload();
  if (payload.empty() || received_ + payload.size() > bytes) {
    return absl::DataLossError(absl::StrCat("the teacher's answer to request ", request_id_, ": a frame of ",
                                            payload.size(), " bytes after ", received_, " of ", bytes));
  }
  if (received_ < drawn_.size()) {
    const size_t part = std::min(payload.size(), drawn_.size() - received_);
    std::memcpy(drawn_.data() + received_, payload.data(), part);
    received_ += part;
    payload.remove_prefix(part);
  }
  if (!payload.empty()) std::memcpy(features_.data() + (received_ - drawn_.size()), payload.data(), payload.size());
  received_ += payload.size();
  return received_ == bytes;
}

}  // namespace mimeo
