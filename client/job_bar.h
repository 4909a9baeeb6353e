// What a person sees while a job is followed. On a terminal it is a bar that is redrawn in place and cut to the
// terminal's width. Elsewhere it is a plain line from time to time, and a line when the job begins to wait for
// something. Thread-compatible.
#pragma once

#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/print.h"
#include "proto/coordinator.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo {

// What keeps a job from training. "waits: <reason>" when it waits for slots or for its next try; "waits for teacher
// clip" when a rank waits; before its first step, what it does; "host1 silent 43 s; given up at 60 s" when a worker of
// its gang is not heard of. Empty while it trains and after its end.
std::string WaitText(const Job& job);

// "[#########-----------] 120/400  loss 0.7312  512 images/s  1:23 left, ends 14:35", followed by what the job waits
// for. `newest` may be null. `width` is that of the bar, in characters. `now` is the time on the calendar of `zone`.
std::string BarText(const Job& job, const StepMetrics* newest, absl::Duration left, int width, absl::Time now,
                    absl::TimeZone zone);

class JobBar {
 public:
  // `out` and `clock` must outlive this object. When the job ends is said in `zone`.
  explicit JobBar(std::FILE* out, Clock* clock = Clock::Real(), absl::TimeZone zone = absl::LocalTimeZone())
      : line_(out), clock_(clock), zone_(zone) {}

  // Shows the job as it is now. `newest` has the numbers of its newest step, or is null.
  void Show(const Job& job, const StepMetrics* newest);
  // Shows that the coordinator has not answered for so long, and when it is given up.
  void ShowAway(absl::Duration away, absl::Duration patience);
  // Writes a line of its own, which stays, above the bar.
  void Say(absl::string_view line) { line_.Say(line); }
  // Leaves the bar as it stands. To be called once, when the job is no longer shown: what is printed next begins below.
  void Done() { line_.End(); }

 private:
  // About how long the job still takes. Infinite while that is unknown.
  absl::Duration Left(const Job& job);
  bool IsNews(const Job& job);

  RedrawnLine line_;
  Clock* const clock_;
  const absl::TimeZone zone_;
  absl::Time last_line_ = absl::InfinitePast();
  int64_t last_step_ = -1;
  std::string last_text_;
  JobState last_state_ = JOB_STATE_UNSPECIFIED;
  // What the job waits for, without the numbers in that text, which change; since when it waits; and what was already
  // said about it.
  std::string wait_;
  absl::Time wait_since_ = absl::InfinitePast();
  std::string told_wait_;
  bool told_away_ = false;
  // The step at which the present generation was first seen, and the time of its first move from there. The time that
  // is left is computed from the pace since then, because before its first step a generation starts and evaluates.
  int64_t generation_ = -1;
  int64_t first_step_ = 0;
  absl::Time first_seen_ = absl::InfiniteFuture();
};

}  // namespace mimeo
