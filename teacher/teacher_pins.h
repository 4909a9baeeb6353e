// Which teacher stands behind each name that a job uses. From its first use on, a teacher's contract belongs to the
// job, in all ranks and generations (RankStatus.teachers, GangAssignment.pinned_teachers), like the digest of its data
// set. A rank has one of these for all its clients. Any thread may call it.
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
  // `pinned` gives what the job has pinned, as far as this rank knows by now. `on_first` is told of each teacher when
  // it is first taken, so that the job may pin it. Both are called under a lock of this object, so they must not call
  // back into it or block.
  TeacherPins(std::function<std::vector<TeacherContract>()> pinned,
              std::function<void(const TeacherContract&)> on_first);

  // Compares `now` with what the job has pinned under its name or, as long as it has pinned nothing, with what was
  // first taken under it. FailedPrecondition: they differ; the message says in what. OK also means that nothing is
  // known of that name.
  absl::Status Check(const TeacherContract& now) ABSL_LOCKS_EXCLUDED(mu_);
  // Does the same, and where nothing is known of that name, `now` is taken.
  absl::Status Take(const TeacherContract& now) ABSL_LOCKS_EXCLUDED(mu_);

  // What was first taken under each name. The job may have pinned others meanwhile.
  std::vector<TeacherContract> taken() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Null: nothing is known of that name.
  const TeacherContract* Known(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::function<std::vector<TeacherContract>()> pinned_;
  const std::function<void(const TeacherContract&)> on_first_;
  mutable absl::Mutex mu_;
  std::map<std::string, TeacherContract> taken_ ABSL_GUARDED_BY(mu_);  // by name
  // What was found in `pinned`. A pin never changes, so it is not asked for again.
  std::map<std::string, TeacherContract> by_job_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo
