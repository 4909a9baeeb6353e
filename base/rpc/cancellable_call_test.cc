// Against a channel at which nobody is: a call waits there until something ends it.
#include "base/rpc/cancellable_call.h"

#include <grpcpp/generic/generic_stub.h>

#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;
using WhenAway = CancellableCall::WhenAway;

constexpr absl::Duration kLong = absl::Minutes(10);

class CancellableCallTest : public ::testing::Test {
 protected:
  // A unary call as a stub makes one; `begun_` once it is under way.
  absl::Status Ask(grpc::ClientContext* context) {
    grpc::GenericStub stub(OpenChannel(ChannelOptions(), "unix:/nonexistent/socket"));
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(context, "/mimeo.test.Nobody/Ask", grpc::ByteBuffer(), &queue);
    call->StartCall();
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    if (!begun_.HasBeenNotified()) begun_.Notify();
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return FromGrpc(status);
  }
  absl::Status Run(absl::Duration timeout, WhenAway when_away) {
    return call_.Run(timeout, when_away, [this](grpc::ClientContext* context) { return Ask(context); });
  }

  CancellableCall call_;
  absl::Notification begun_;
};

TEST_F(CancellableCallTest, CancelEndsTheCallInProgressAndRefusesLaterOnes) {
  std::thread other([this] {
    begun_.WaitForNotification();
    call_.Cancel();
  });
  EXPECT_THAT(Run(kLong, WhenAway::kWait), StatusIs(absl::StatusCode::kCancelled));
  other.join();
  EXPECT_THAT(
      call_.Run(kLong, WhenAway::kWait, [](grpc::ClientContext*) { return absl::DataLossError("it was made"); }),
      StatusIs(absl::StatusCode::kCancelled, "this side stops"));
}

TEST_F(CancellableCallTest, InterruptEndsTheCallInProgressAlone) {
  call_.Interrupt();  // there is none
  std::thread other([this] {
    begun_.WaitForNotification();
    call_.Interrupt();
  });
  EXPECT_THAT(Run(kLong, WhenAway::kWait), StatusIs(absl::StatusCode::kCancelled));
  other.join();
  EXPECT_THAT(Run(kLong, WhenAway::kFail), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(CancellableCallTest, ACallThatThePeerEndedIsNotCancelled) {
  const auto ended_by_peer = [](grpc::ClientContext*) { return FromGrpc(grpc::Status(grpc::CANCELLED, "stops")); };
  EXPECT_THAT(call_.Run(kLong, WhenAway::kWait, ended_by_peer),
              StatusIs(absl::StatusCode::kUnavailable, "the call was ended: stops"));
}

TEST_F(CancellableCallTest, ACallHasItsDeadlineWhereItWaits) {
  EXPECT_THAT(Run(absl::Milliseconds(30), WhenAway::kWait), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(CancellableCallTest, ItReturnsWhatTheCallReturns) {
  EXPECT_OK(call_.Run(kLong, WhenAway::kFail, [](grpc::ClientContext*) { return absl::OkStatus(); }));
  EXPECT_THAT(call_.Run(kLong, WhenAway::kFail, [](grpc::ClientContext*) { return absl::DataLossError("bent"); }),
              StatusIs(absl::StatusCode::kDataLoss, "bent"));
  call_.Interrupt();  // none is in progress any more: their contexts are gone
  call_.Cancel();
}

}  // namespace
}  // namespace mimeo
