// What a person sees of a job that is followed: a bar redrawn in place on a terminal, cut to its width, else a plain
// line now and then, and one whenever it has begun to wait for something. Thread-compatible.
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

// What keeps a job from training: "waits: <reason>" for a place or for its next try, "waits for teacher clip", or what
// it does before its first step. Empty while it trains, and when it is over.
std::string WaitText(const Job& job);

// "[#########-----------] 120/400  loss 0.7312  512 images/s  1:23 left", and what it waits for. `newest` may be null.
// `width` of the bar in characters.
std::string BarText(const Job& job, const StepMetrics* newest, absl::Duration left, int width);

class Progress {
 public:
  explicit Progress(std::FILE* out, Clock* clock = Clock::Real()) : line_(out), clock_(clock) {}

  // `newest`: the newest step's numbers, or null.
  void Show(const Job& job, const StepMetrics* newest);
  void Say(absl::string_view line) { line_.Say(line); }  // a line of its own, above the bar
  void Done() { line_.End(); }                           // ends the bar's line

 private:
  absl::Duration Left(const Job& job);
  bool IsNews(const Job& job);

  ProgressLine line_;
  Clock* const clock_;
  absl::Time last_line_ = absl::InfinitePast();
  int64_t last_step_ = -1;
  std::string last_text_;
  JobState last_state_ = JOB_STATE_UNSPECIFIED;
  // What it waits for, without the numbers in it, which change; since when; and what was told of it.
  std::string wait_;
  absl::Time wait_since_ = absl::InfinitePast();
  std::string told_wait_;
  // Where the present generation was first seen, and when it first moved: what is left is judged by its pace from there
  // on, for before its first step it starts and evaluates.
  int64_t generation_ = -1;
  int64_t first_step_ = 0;
  absl::Time first_seen_ = absl::InfiniteFuture();
};

}  // namespace mimeo
