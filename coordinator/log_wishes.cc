#include "coordinator/log_wishes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log_limits.h"
#include "base/status_macros.h"

namespace mimeo {
namespace {

constexpr absl::Duration kCheckPeriod = absl::Milliseconds(500);

}  // namespace

absl::StatusOr<int64_t> LogWishes::Add(const std::string& worker_id, LogWish wish) {
  absl::MutexLock lock(&mu_);
  const auto waits = std::count_if(waiting_.begin(), waiting_.end(),
                                   [&](const auto& entry) { return entry.second.worker_id == worker_id; });
  if (waits >= limits::kLogWishesPerWorker) {
    return absl::ResourceExhaustedError(
        absl::StrCat(waits, " others wait for logs of ", worker_id, ", the most there may be; come again"));
  }
  wish.set_id(next_id_++);
  const int64_t id = wish.id();
  waiting_[id] = {worker_id, std::move(wish), std::nullopt};
  return id;
}

absl::StatusOr<LogPiece> LogWishes::Await(int64_t id, absl::Duration patience,
                                          const std::function<absl::Status()>& check) {
  const absl::Time deadline = clock_->Now() + patience;
  while (true) {
    RETURN_IF_ERROR(check());
    absl::MutexLock lock(&mu_);
    Waiting& waiting = waiting_.at(id);
    const auto ready = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return closed_ || waiting.piece.has_value(); };
    clock_->Await(&mu_, absl::Condition(&ready), std::min(deadline, clock_->Now() + kCheckPeriod));
    if (waiting.piece.has_value()) return *std::move(waiting.piece);
    if (closed_) return absl::UnavailableError("the coordinator shuts down");
    if (clock_->Now() < deadline) continue;
    return absl::AbortedError(absl::StrCat(waiting.worker_id, " was asked for the log and did not send it within ",
                                           absl::FormatDuration(patience),
                                           "; is its agent of a version that sends none?"));
  }
}

absl::StatusOr<LogPiece> LogWishes::Ask(const std::string& worker_id, LogWish wish, absl::Duration patience,
                                        const std::function<absl::Status()>& check) {
  ASSIGN_OR_RETURN(const int64_t id, Add(worker_id, std::move(wish)));
  absl::StatusOr<LogPiece> piece = Await(id, patience, check);
  {
    absl::MutexLock lock(&mu_);
    waiting_.erase(id);
  }
  if (!piece.ok() || piece->status_code() == 0) return piece;
  return absl::Status(static_cast<absl::StatusCode>(piece->status_code()), piece->message());
}

void LogWishes::Fill(const std::string& worker_id, HeartbeatReply* reply) const {
  absl::MutexLock lock(&mu_);
  for (const auto& [id, waiting] : waiting_) {
    if (waiting.worker_id == worker_id && !waiting.piece.has_value()) *reply->add_logs() = waiting.wish;
  }
}

void LogWishes::Take(const std::string& worker_id, const LogPiece& piece) {
  absl::MutexLock lock(&mu_);
  const auto found = waiting_.find(piece.wish_id());
  if (found != waiting_.end() && found->second.worker_id == worker_id) found->second.piece = piece;
}

void LogWishes::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
}

}  // namespace mimeo
