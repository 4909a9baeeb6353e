#include "worker/rank/gang_join.h"

#include "base/clock.h"
#include "base/status_macros.h"

namespace mimeo {
namespace {

// Above what the slowest rank's start may take: that one is looked at by its own agent.
constexpr absl::Duration kJoinTimeout = absl::Hours(1);
constexpr absl::Duration kJoinPoll = absl::Seconds(1);

// It looks again and again, which is progress: rank 0 is the one that may hang.
absl::StatusOr<std::string> AwaitStore(RankLink* agent, Progress* progress) {
  progress->Do("waits for rank 0 to open the gang's store");
  const absl::Time deadline = Clock::Real()->Now() + kJoinTimeout;
  absl::StatusOr<GangAssignment> ready;
  do {
    progress->Move();
    ready = agent->Await([](const GangAssignment& newest) { return !newest.store_address().empty(); },
                         Clock::Real()->Now() + kJoinPoll);
  } while (absl::IsDeadlineExceeded(ready.status()) && Clock::Real()->Now() < deadline);
  RETURN_IF_ERROR(ready.status());
  return ready->store_address();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Gang>> JoinGang(const GangAssignment& assignment, const std::string& host,
                                               at::Device device, RankLink* agent, const StopWanted& stop_wanted,
                                               Progress* progress) {
  GangOptions options;
  options.rank = assignment.rank();
  options.size = assignment.num_ranks();
  options.generation = assignment.generation();
  options.host = host;
  options.device = device;
  options.join_timeout = kJoinTimeout;
  options.progress = progress;
  options.stop_wanted = stop_wanted;
  options.member_waits = [agent] { return !agent->assignment().gang_waits_for().empty(); };
  options.publish_store = [agent](const std::string& address) {
    agent->Update([&](RankStatus* status) { status->set_store_address(address); });
  };
  options.await_store = [agent, progress] { return AwaitStore(agent, progress); };
  return Gang::Join(options);
}

}  // namespace mimeo
