// Bounds how many streams of a service are open at one time. Each stream holds a thread of the server for as long as
// its client likes, and heartbeats need threads too. Nobody waits here: a stream too many is refused. Thread-safe.
#pragma once

#include <atomic>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mimeo {

class StreamLimit {
 public:
  explicit StreamLimit(int limit) : limit_(limit) {}

  // Counts one stream for as long as the object lives: a local variable of the method that serves the stream. The limit
  // must outlive it.
  class OpenStream {
   public:
    explicit OpenStream(StreamLimit* limit) : limit_(limit), taken_(limit->streams_.fetch_add(1) < limit->limit_) {}
    ~OpenStream() { limit_->streams_.fetch_sub(1); }
    OpenStream(const OpenStream&) = delete;
    OpenStream& operator=(const OpenStream&) = delete;

    // ResourceExhausted: the limit was reached when this object was made. The method returns that, and the client tries
    // again later.
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
