// Whether a teacher is still the one that a job began with. A pure function.
#pragma once

#include "absl/status/status.h"
#include "proto/teacher.pb.h"

namespace mimeo {

// OK when `now` makes the same numbers as `pinned`. All fields of the contract count except those that only limit how
// it serves (max_requests_in_flight, max_images_per_request, max_request_bytes), which whoever starts the teacher may
// change. A precision that was not known when the teacher was pinned may be any. FailedPrecondition: the message names
// each field that differs, with both values.
absl::Status SameTeacher(const TeacherContract& pinned, const TeacherContract& now);

}  // namespace mimeo
