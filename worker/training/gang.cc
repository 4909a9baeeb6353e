#include "worker/training/gang.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "model/catch_torch.h"
#include "worker/training/gang_impl.h"
#include "worker/training/process_group.h"

namespace mimeo {
namespace {

// How often a rank that waits for members looks whether it should stop.
constexpr absl::Duration kJoinPoll = absl::Seconds(1);

// Of one call on the store.
constexpr absl::Duration kStoreTimeout = absl::Minutes(5);

constexpr absl::Duration kDisbandTimeout = absl::Minutes(1);

std::chrono::milliseconds Milliseconds(absl::Duration duration) { return absl::ToChronoMilliseconds(duration); }

struct BoundSocket {
  int fd = -1;
  uint16_t port = 0;
};

// Listens on `host` alone, at a free port: TCPStore's own server would listen on every interface.
absl::StatusOr<BoundSocket> ListenOn(const std::string& host) {
  addrinfo hints = {};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), "0", &hints, &found); error != 0) {
    return absl::InvalidArgumentError(absl::StrCat("--host ", host, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> address(found, &freeaddrinfo);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in bound = {};
  socklen_t length = sizeof(bound);
  if (fd < 0 || bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    const std::string reason = std::strerror(errno);
    if (fd >= 0) close(fd);
    return absl::UnavailableError(absl::StrCat("cannot listen on ", host, ": ", reason));
  }
  return BoundSocket{fd, ntohs(bound.sin_port)};
}

absl::StatusOr<c10::intrusive_ptr<c10d::Store>> OpenStore(const GangOptions& options) {
  c10d::TCPStoreOptions store;
  store.timeout = Milliseconds(std::min(options.join_timeout, kStoreTimeout));
  store.waitWorkers = false;
  Address address;
  if (options.rank == 0) {
    ASSIGN_OR_RETURN(const BoundSocket socket, ListenOn(options.host));
    store.isServer = true;
    store.masterListenFd = socket.fd;
    address.host = options.host;
    address.port = socket.port;
  } else {
    ASSIGN_OR_RETURN(const std::string said, options.await_store());
    const auto parsed = ParseAddress("the gang's store", said, AddressUse::kCall);
    // Rank 0 has said it, and no person: another generation may do better, which InvalidArgument would rule out.
    if (!parsed.ok()) return absl::InternalError(parsed.status().message());
    address = *parsed;
  }
  store.port = static_cast<uint16_t>(address.port);
  c10::intrusive_ptr<c10d::Store> opened;
  const absl::Status status = CatchTorch([&] { opened = c10::make_intrusive<c10d::TCPStore>(address.host, store); });
  if (!status.ok()) {
    return absl::UnavailableError(absl::StrCat("the gang's store at ", address.ToString(), ": ", status.message()));
  }
  if (options.rank == 0 && options.publish_store) options.publish_store(address.ToString());
  return opened;
}

absl::StatusOr<std::vector<int>> MissingMembers(c10d::Store* store, int size) {
  std::vector<int> missing;
  const absl::Status status = CatchTorch([&] {
    for (int rank = 0; rank < size; ++rank) {
      if (!store->check({absl::StrCat("joined/", rank)})) missing.push_back(rank);
    }
  });
  if (!status.ok()) {
    return absl::UnavailableError(absl::StrCat("the gang's store, at rank 0, is gone: ", status.message()));
  }
  return missing;
}

// Waits until every rank has said that it is there, so that who is missing has a name.
absl::Status AwaitMembers(c10d::Store* store, const GangOptions& options) {
  RETURN_IF_ERROR(CatchTorch([&] { store->set(absl::StrCat("joined/", options.rank), std::string("1")); }));
  absl::Time deadline = Clock::Real()->Now() + options.join_timeout;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<int> missing, MissingMembers(store, options.size));
    if (missing.empty()) return absl::OkStatus();
    if (options.stop_wanted()) return absl::CancelledError("told to stop while joining the gang");
    if (options.member_waits()) deadline = Clock::Real()->Now() + options.join_timeout;
    const absl::Duration left = deadline - Clock::Real()->Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(absl::StrCat("after ", absl::FormatDuration(options.join_timeout), " rank ",
                                                      absl::StrJoin(missing, ", "), " of ", options.size,
                                                      " did not arrive"));
    }
    if (options.progress != nullptr) {
      options.progress->Do(
          absl::StrCat("waits for rank ", absl::StrJoin(missing, ", "), " of ", options.size, " to join the gang"));
    }
    const std::string awaited = absl::StrCat("joined/", missing.front());
    // It throws when the time is over, which is no news here.
    CatchTorch([&] { store->wait({awaited}, Milliseconds(std::min(left, kJoinPoll))); }).IgnoreError();
  }
}

}  // namespace

Gang::Gang(GangOptions options, std::unique_ptr<Impl> impl) : options_(std::move(options)), impl_(std::move(impl)) {}
Gang::~Gang() = default;

absl::StatusOr<std::unique_ptr<Gang>> Gang::Join(const GangOptions& options) {
  auto impl = std::make_unique<Impl>();
  ASSIGN_OR_RETURN(const auto store, OpenStore(options));
  impl->store = c10::make_intrusive<c10d::PrefixStore>(absl::StrCat("generation/", options.generation), store);
  RETURN_IF_ERROR(AwaitMembers(impl->store.get(), options));
  ProcessGroupOptions group;
  group.rank = options.rank;
  group.size = options.size;
  group.host = options.host;
  group.timeout = options.collective_timeout;
  group.nccl_timeout = options.nccl_timeout;
  group.device = options.device;
  auto gang = std::unique_ptr<Gang>(new Gang(options, std::move(impl)));
  const Progress::Collective together = gang->Together();
  ASSIGN_OR_RETURN(gang->impl_->group, MakeProcessGroup(gang->impl_->store, group));
  return gang;
}

void Gang::Disband() {
  const auto everybody = [&](const char* what) {
    std::vector<std::string> keys;
    for (int rank = 0; rank < options_.size; ++rank) keys.push_back(absl::StrCat(what, "/", rank));
    return keys;
  };
  const Progress::Collective together = Together();
  const absl::Status left = CatchTorch([&] {
    impl_->store->set(absl::StrCat("done/", options_.rank), std::string("1"));
    impl_->store->wait(everybody("done"), Milliseconds(kDisbandTimeout));
    impl_->store->set(absl::StrCat("gone/", options_.rank), std::string("1"));
    // The store is in rank 0's process, which therefore goes last.
    if (options_.rank == 0) impl_->store->wait(everybody("gone"), Milliseconds(kDisbandTimeout));
  });
  if (!left.ok()) spdlog::warn("the gang did not disband together: {}", left.ToString());
}

absl::Status Gang::Sum(at::Tensor tensor) {
  if (options_.size == 1) return absl::OkStatus();
  const Progress::Collective together = Together();
  return CatchTorch([&] {
    std::vector<at::Tensor> tensors = {tensor};
    impl_->group->allreduce(tensors)->wait();
  });
}

}  // namespace mimeo
