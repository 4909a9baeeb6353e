// What a teacher server says of itself, and the header of a request for it. From a contract that is accepted, sizes of
// requests follow without overflow and within the contract's own bounds.
#include "teacher/teacher_contract.h"
#include "proto/teacher.pb.h"
#include "teacher/teacher_frames.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(teacher_contract) {
  const std::vector<absl::string_view> pieces = Pieces(bytes);
  TeacherContract contract;
  FeatureRequestHeader header;
  if (pieces.size() < 2 || !contract.ParseFromArray(pieces[0].data(), static_cast<int>(pieces[0].size())) ||
      !header.ParseFromArray(pieces[1].data(), static_cast<int>(pieces[1].size()))) {
    return;
  }
  const absl::Status same = SameTeacher(contract, TeacherContract());
  if (!same.ok()) CheckRefusal(same, {absl::StatusCode::kFailedPrecondition}, 16 << 10);
  const absl::StatusOr<FeatureGeometry> geometry = GeometryOf(contract);
  if (!geometry.ok()) return CheckRefusal(geometry.status(), {absl::StatusCode::kFailedPrecondition}, 1024);
  const absl::StatusOr<FeatureRequestSize> size = SizeOf(header, *geometry);
  if (!size.ok()) {
    CheckRefusal(size.status(), {absl::StatusCode::kInvalidArgument}, 512);
  } else {
    for (const int64_t part : {size->image_bytes, size->index_bytes, size->key_bytes, size->reply_bytes()}) {
      MIMEO_CHECK(part >= 0 && part <= geometry->max_request_bytes, part);
    }
    MIMEO_CHECK(size->total() <= geometry->max_request_bytes, size->total());
    MIMEO_CHECK(FeatureWidth(header.wish(), *geometry) > 0);
  }
  const absl::StatusOr<int> most = MostImages(header, *geometry);
  if (!most.ok()) return CheckRefusal(most.status(), {absl::StatusCode::kInvalidArgument}, 512);
  header.set_num_images(*most);
  MIMEO_CHECK(SizeOf(header, *geometry).ok(), *most,
              " images are the most: ", SizeOf(header, *geometry).status().ToString());
}

}  // namespace mimeo::fuzz
