#include "base/teacher_frames.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors travel in the host's byte order");

namespace mimeo {

absl::StatusOr<FeatureGeometry> GeometryOf(const TeacherContract& contract) {
  for (const auto& [field, value] : {std::pair<const char*, int>{"feature_width", contract.feature_width()},
                                     {"image_px", contract.image_px()},
                                     {"patch_px", contract.patch_px()},
                                     {"max_requests_in_flight", contract.max_requests_in_flight()},
                                     {"max_images_per_request", contract.max_images_per_request()}}) {
    if (value < 1) {
      return absl::FailedPreconditionError(
          absl::StrCat("teacher contract: ", field, " is ", value, ", must be positive"));
    }
  }
  if (contract.image_px() % contract.patch_px() != 0) {
    return absl::FailedPreconditionError(absl::StrCat("teacher contract: patch_px ", contract.patch_px(),
                                                      " does not divide image_px ", contract.image_px()));
  }
  if (contract.feature_type() != TENSOR_TYPE_FLOAT32) {
    return absl::FailedPreconditionError(absl::StrCat("teacher contract: feature_type is ", contract.feature_type(),
                                                      ", only TENSOR_TYPE_FLOAT32 is known"));
  }
  return FeatureGeometry{contract.image_px(), contract.patch_px(), contract.feature_width(),
                         contract.max_images_per_request()};
}

absl::StatusOr<FeatureRequestSize> SizeOf(const FeatureRequestHeader& header, const FeatureGeometry& geometry) {
  if (header.num_images() < 1 || header.num_images() > geometry.max_images) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_images is ", header.num_images(), ", must be in [1, ", geometry.max_images, "]"));
  }
  const int num_patches = geometry.num_patches();
  if (header.num_visible() < 0 || header.num_visible() > num_patches) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_visible is ", header.num_visible(), ", must be in [0, ", num_patches, "]"));
  }
  const int64_t num_visible = header.num_visible() == 0 ? num_patches : header.num_visible();
  FeatureRequestSize size;
  size.image_bytes = header.num_images() * geometry.image_bytes();
  size.index_bytes = int64_t{4} * header.num_images() * header.num_visible();
  size.reply_bytes = int64_t{4} * header.num_images() * num_visible * geometry.feature_width;
  return size;
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
  if (static_cast<int64_t>(task_.images.size() + index_bytes_.size()) < size_.image_bytes + size_.index_bytes)
    return false;
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
  task_ = FeatureTask();
  task_.request_id = frame.request_id();
  task_.num_images = frame.header().num_images();
  task_.num_visible = frame.header().num_visible();
  task_.images.reserve(size_.image_bytes);
  index_bytes_.clear();
  index_bytes_.reserve(size_.index_bytes);
  return absl::OkStatus();
}

absl::Status FeatureRequestAssembler::Append(absl::string_view payload) {
  if (static_cast<int64_t>(payload.size()) > limits::kChunkBytes) {
    return absl::InvalidArgumentError(absl::StrCat("request ", task_.request_id, ": a payload of ", payload.size(),
                                                   " bytes, at most ", limits::kChunkBytes, " are allowed"));
  }
  const int64_t received = task_.images.size() + index_bytes_.size() + payload.size();
  const int64_t wanted = size_.image_bytes + size_.index_bytes;
  if (received > wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("request ", task_.request_id, ": ", received, " bytes, its header announces ", wanted));
  }
  const size_t image_part = std::min<size_t>(payload.size(), size_.image_bytes - task_.images.size());
  task_.images.append(payload.data(), image_part);
  index_bytes_.append(payload.data() + image_part, payload.size() - image_part);
  return absl::OkStatus();
}

absl::Status FeatureRequestAssembler::Finish() {
  const int num_patches = geometry_.num_patches();
  task_.indices.resize(index_bytes_.size() / sizeof(int32_t));
  if (!task_.indices.empty()) std::memcpy(task_.indices.data(), index_bytes_.data(), index_bytes_.size());
  for (size_t i = 0; i < task_.indices.size(); ++i) {
    if (task_.indices[i] < 0 || task_.indices[i] >= num_patches) {
      return absl::InvalidArgumentError(absl::StrCat("request ", task_.request_id, ": patch index ", task_.indices[i],
                                                     " of image ", i / task_.num_visible, " is outside [0, ",
                                                     num_patches, ")"));
    }
  }
  if (task_.num_visible == 0) task_.num_visible = num_patches;
  return absl::OkStatus();
}

FeatureTask FeatureRequestAssembler::Take() {
  begun_ = false;
  return std::move(task_);
}

FeatureRequestFrames::FeatureRequestFrames(uint64_t request_id, int num_images, int num_visible,
                                           absl::string_view images, absl::string_view indices)
    : request_id_(request_id), num_images_(num_images), num_visible_(num_visible), images_(images), indices_(indices) {}

bool FeatureRequestFrames::Next(FeatureRequest* frame) {
  const size_t total = images_.size() + indices_.size();
  if (sent_ == total) return false;
  frame->Clear();
  frame->set_request_id(request_id_);
  if (!header_sent_) {
    frame->mutable_header()->set_num_images(num_images_);
    frame->mutable_header()->set_num_visible(indices_.empty() ? 0 : num_visible_);
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
    const absl::string_view part = indices_.substr(sent_ - images_.size(), end - sent_);
    payload->append(part.data(), part.size());
    sent_ = end;
  }
  return true;
}

bool FeatureReplyFrames::Next(FeatureReply* frame) {
  if (sent_ == features_.size()) return false;
  frame->Clear();
  frame->set_request_id(request_id_);
  if (sent_ == 0) frame->set_total_bytes(features_.size());
  const absl::string_view part = features_.substr(sent_, limits::kChunkBytes);
  frame->set_payload(part.data(), part.size());
  sent_ += part.size();
  return true;
}

absl::StatusOr<bool> FeatureReplyAssembler::Add(const FeatureReply& frame) {
  if (frame.request_id() != request_id_) {
    return absl::DataLossError(
        absl::StrCat("the teacher answered request ", frame.request_id(), " where ", request_id_, " is next"));
  }
  if (received_ == 0 && frame.total_bytes() != bytes_) {
    return absl::DataLossError(absl::StrCat("the teacher's answer to request ", request_id_, " has ",
                                            frame.total_bytes(), " bytes, ", bytes_, " were asked for"));
  }
  const int64_t size = frame.payload().size();
  if (size == 0 || received_ + size > bytes_) {
    return absl::DataLossError(absl::StrCat("the teacher's answer to request ", request_id_, ": a frame of ", size,
                                            " bytes after ", received_, " of ", bytes_));
  }
  std::memcpy(features_ + received_, frame.payload().data(), size);
  received_ += size;
  return received_ == bytes_;
}

}  // namespace mimeo
