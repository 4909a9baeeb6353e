#include "coordinator/log_wishes.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log_limits.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using testing::StatusIs;

absl::Status Fine() { return absl::OkStatus(); }

LogWish Wish(int rank) {
  LogWish wish;
  wish.set_job_id("j1");
  wish.set_rank(rank);
  return wish;
}

// As the worker's heartbeats do: until somebody has asked.
LogWish Heard(const LogWishes& wishes, const std::string& worker) {
  HeartbeatReply reply;
  while (reply.logs().empty()) {
    std::this_thread::yield();
    wishes.Fill(worker, &reply);
  }
  return reply.logs(0);
}

TEST(LogWishesTest, AWishTravelsToItsWorkerAndThePieceToWhoeverWaits) {
  LogWishes wishes(Clock::Real());
  absl::StatusOr<LogPiece> piece;
  std::thread reader([&] { piece = wishes.Ask("w0", Wish(3), absl::Seconds(30), Fine); });
  const LogWish wish = Heard(wishes, "w0");
  EXPECT_EQ(wish.rank(), 3);
  HeartbeatReply others;
  wishes.Fill("w1", &others);
  EXPECT_EQ(others.logs_size(), 0);
  LogPiece answer;
  answer.set_wish_id(wish.id());
  answer.set_text("of another worker");
  wishes.Take("w1", answer);
  answer.set_text("hello\n");
  wishes.Take("w0", answer);
  reader.join();
  ASSERT_OK(piece);
  EXPECT_EQ(piece->text(), "hello\n");
  HeartbeatReply later;
  wishes.Fill("w0", &later);
  EXPECT_EQ(later.logs_size(), 0) << "it is answered";
}

TEST(LogWishesTest, TheAgentsErrorIsTheAnswer) {
  LogWishes wishes(Clock::Real());
  absl::StatusOr<LogPiece> piece;
  std::thread reader([&] { piece = wishes.Ask("w0", Wish(0), absl::Seconds(30), Fine); });
  LogPiece answer;
  answer.set_wish_id(Heard(wishes, "w0").id());
  answer.set_status_code(static_cast<int>(absl::StatusCode::kNotFound));
  answer.set_message("no such file");
  wishes.Take("w0", answer);
  reader.join();
  EXPECT_THAT(piece.status(), StatusIs(absl::StatusCode::kNotFound, "no such file"));
}

TEST(LogWishesTest, NobodyWaitsForEver) {
  LogWishes wishes(Clock::Real());
  EXPECT_THAT(wishes.Ask("w0", Wish(0), absl::Milliseconds(1), Fine).status(),
              StatusIs(absl::StatusCode::kAborted, "w0 was asked for the log and did not send it within 1ms"));
  const auto silent = [] { return absl::AbortedError("w0 is silent"); };
  EXPECT_THAT(wishes.Ask("w0", Wish(0), absl::Seconds(30), silent).status(),
              StatusIs(absl::StatusCode::kAborted, "w0 is silent"));
  wishes.Close();
  EXPECT_THAT(wishes.Ask("w0", Wish(0), absl::Seconds(30), Fine).status(),
              StatusIs(absl::StatusCode::kUnavailable, ""));
  HeartbeatReply reply;
  wishes.Fill("w0", &reply);
  EXPECT_EQ(reply.logs_size(), 0) << "a wish that nobody has any more is not sent";
}

TEST(LogWishesTest, OneWorkerIsAskedForSoManyAtOnceAndNoMore) {
  LogWishes wishes(Clock::Real());
  std::vector<std::thread> readers;
  for (int i = 0; i < limits::kLogWishesPerWorker; ++i) {
    readers.emplace_back([&] { EXPECT_FALSE(wishes.Ask("w0", Wish(0), absl::Seconds(30), Fine).ok()); });
  }
  HeartbeatReply reply;
  while (reply.logs_size() < limits::kLogWishesPerWorker) {
    std::this_thread::yield();
    reply.clear_logs();
    wishes.Fill("w0", &reply);
  }
  EXPECT_THAT(wishes.Ask("w0", Wish(0), absl::Seconds(30), Fine).status(),
              StatusIs(absl::StatusCode::kResourceExhausted, absl::StrCat(limits::kLogWishesPerWorker)));
  wishes.Close();
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace mimeo
