// Whether a teacher is still the one that a job began with. Pure; thread-safe.
#pragma once

#include "absl/status/status.h"
#include "proto/teacher.pb.h"

namespace mimeo {

// OK when `now` makes the same numbers as `pinned`: all fields of the contract but those that only limit how it serves
// (max_requests_in_flight, max_images_per_request, max_request_bytes), which whoever starts the teacher may change. A
// precision that was not known when it was pinned may be any. FailedPrecondition names each field that differs, with
// both values.
absl::Status SameTeacher(const TeacherContract& pinned, const TeacherContract& now);

}  // namespace mimeo
