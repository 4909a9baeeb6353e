// Limits how many streams of a service are open at once. Each stream holds a thread of the server, and heartbeats need
// threads too. Thread-safe.
#pragma once

#include <atomic>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mimeo {

class StreamLimit {
 public:
  explicit StreamLimit(int limit) : limit_(limit) {}

  // A stream's place, for as long as it lives.
  class OpenStream {
   public:
    explicit OpenStream(StreamLimit* limit) : limit_(limit), taken_(limit->streams_.fetch_add(1) < limit->limit_) {}
    ~OpenStream() { limit_->streams_.fetch_sub(1); }
    OpenStream(const OpenStream&) = delete;
    OpenStream& operator=(const OpenStream&) = delete;

    // ResourceExhausted: all places were taken.
    absl::Status status() const {
      if (taken_) return absl::OkStatus();
      return absl::ResourceExhaustedError(
          absl::StrCat(limit_->limit_, " such streams are open, the most there may be; come again"));
    }

   private:
    StreamLimit* const limit_;
    const bool taken_;
  };

 private:
  const int limit_;
  std::atomic<int> streams_{0};
};

}  // namespace mimeo
