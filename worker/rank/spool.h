// Numbers that wait for the coordinator, oldest first, within a bound. It has no lock: its owner calls it under a lock
// of its own.
//
// Sending takes two steps, so that nothing is lost when a call fails, and nothing is sent twice when items are dropped
// meanwhile. Copy returns a mark, and Sent(mark) removes what the mark covers and is still here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "spdlog/spdlog.h"

namespace mimeo {

// T is a proto message. Beyond `capacity` the oldest item is dropped, and a warning counts those.
template <typename T>
// A number that is dropped leaves a gap in a job's curve and changes nothing else, so dropping the oldest is right: the
// newest numbers say how the job goes now.
class Spool {
 public:
  explicit Spool(int64_t capacity) : capacity_(capacity) {}

  // Adds the newest item.
  void Push(const T& item) {
    if (static_cast<int64_t>(items_.size()) == capacity_) {
      items_.pop_front();
      ++first_;
      ++dropped_;
      if (dropped_ == 1 || dropped_ % 1000 == 0) spdlog::warn("spool full: oldest numbers dropped count={}", dropped_);
    }
    items_.push_back(item);
  }

  // Copies up to `count` of the oldest items to a repeated field, of at most `bytes` together, but one item if there is
  // any. Returns the mark to give to Sent.
  template <typename Field>
  int64_t Copy(int64_t count, int64_t bytes, Field* out) const {
    int64_t copied = 0;
    for (; copied < std::min<int64_t>(count, static_cast<int64_t>(items_.size())); ++copied) {
      const T& item = items_[static_cast<size_t>(copied)];
      bytes -= static_cast<int64_t>(item.ByteSizeLong());
      if (bytes < 0 && copied > 0) break;
      *out->Add() = item;
    }
    return first_ + copied;
  }
  // Whether nothing that stood before `mark` is here any more.
  bool Passed(int64_t mark) const { return first_ >= mark; }
  // Everything before `mark` has arrived. Some of it may have been dropped meanwhile.
  void Sent(int64_t mark) {
    for (; first_ < mark; ++first_) items_.pop_front();
  }
  // Drops everything, as when the generation is fenced and nobody will ever take it.
  void Clear() {
    first_ += static_cast<int64_t>(items_.size());
    items_.clear();
  }
  bool empty() const { return items_.empty(); }

 private:
  const int64_t capacity_;
  // The oldest first. An item's number is its place since the start, and marks are such numbers.
  std::deque<T> items_;
  int64_t first_ = 0;  // items_[0]'s number since the start
  int64_t dropped_ = 0;
};

}  // namespace mimeo
