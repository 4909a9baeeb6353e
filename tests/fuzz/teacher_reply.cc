// The frames that a teacher server sends back, written straight into a student's memory: never beyond it, and an answer
// is complete only when every byte was written. The first two bytes of the input are the sizes of that memory.
#include <string>
#include <vector>

#include "teacher/teacher_frames.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(teacher_reply) {
  if (bytes.size() < 2) return;
  // Each in memory of its own size, so that the address sanitizer sees a byte too many.
  std::vector<char> drawn(static_cast<unsigned char>(bytes[0]), '\xee');
  std::vector<char> features(static_cast<unsigned char>(bytes[1]) + 1, '\xee');
  FeatureReplyAssembler assembler(7, TENSOR_TYPE_FLOAT32, absl::MakeSpan(drawn), absl::MakeSpan(features));
  std::string sent;
  for (const absl::string_view piece : Pieces(bytes.substr(2))) {
    FeatureReply frame;
    if (!frame.ParseFromArray(piece.data(), static_cast<int>(piece.size()))) return;
    const absl::StatusOr<bool> complete = assembler.Add(frame);
    if (!complete.ok()) return CheckRefusal(complete.status(), {absl::StatusCode::kDataLoss}, 512);
    sent += frame.payload();
    if (!*complete) continue;
    MIMEO_CHECK(sent == std::string(drawn.begin(), drawn.end()) + std::string(features.begin(), features.end()));
    return;
  }
}

}  // namespace mimeo::fuzz
