// Which teacher stands behind each name that a job uses. A teacher's contract is the job's from its first use on, in
// all ranks and generations (RankStatus.teachers, GangAssignment.pinned_teachers), as its data set's digest is.
// Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "proto/teacher.pb.h"

namespace mimeo {

class TeacherPins {
 public:
  // `pinned`: what the job has pinned, as far as this rank knows by now. `on_first`: told of each teacher when it is
  // first taken, so that the job may pin it. Both are called under a lock of this.
  TeacherPins(std::function<std::vector<TeacherContract>()> pinned,
              std::function<void(const TeacherContract&)> on_first);

  // FailedPrecondition, with what differs: `now` is not the teacher that the job has pinned under its name or, as long
  // as it has pinned none, not the first that was taken. OK, too, where nothing is known of that name.
  absl::Status Check(const TeacherContract& now) ABSL_LOCKS_EXCLUDED(mu_);
  // The same, and where nothing is known of that name `now` is taken.
  absl::Status Take(const TeacherContract& now) ABSL_LOCKS_EXCLUDED(mu_);

  // The first that was taken under each name: the job may have pinned others meanwhile.
  std::vector<TeacherContract> taken() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Null: nothing is known of that name.
  const TeacherContract* Known(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::function<std::vector<TeacherContract>()> pinned_;
  const std::function<void(const TeacherContract&)> on_first_;
  mutable absl::Mutex mu_;
  std::map<std::string, TeacherContract> taken_ ABSL_GUARDED_BY(mu_);  // by name
  std::map<std::string, TeacherContract> by_job_
      ABSL_GUARDED_BY(mu_);  // what was found in `pinned`: a pin does not change
};

}  // namespace mimeo
