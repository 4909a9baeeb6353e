#include "base/rpc/rpc.h"

#include <google/protobuf/wrappers.pb.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/impl/codegen/service_type.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using google::protobuf::StringValue;
using testing::StatusIs;

constexpr char kEchoMethod[] = "/mimeo.test.Echo/Say";

// A service as protoc would write it: answers with the text, repeated as often as a test wants, or with an error.
class EchoService : public grpc::Service {
 public:
  EchoService() {
    AddMethod(new grpc::internal::RpcServiceMethod(
        kEchoMethod, grpc::internal::RpcMethod::NORMAL_RPC,
        new grpc::internal::RpcMethodHandler<EchoService, StringValue, StringValue, google::protobuf::MessageLite,
                                             google::protobuf::MessageLite>(
            [](EchoService* service, grpc::ServerContext*, const StringValue* request, StringValue* reply) {
              return service->Say(*request, reply);
            },
            this)));
  }

  absl::Status error;
  int copies = 1;

 private:
  grpc::Status Say(const StringValue& request, StringValue* reply) {
    if (!error.ok()) return ToGrpc(error);
    for (int i = 0; i < copies; ++i) reply->mutable_value()->append(request.value());
    return grpc::Status::OK;
  }
};

absl::StatusOr<std::string> Say(grpc::Channel* channel, grpc::ClientContext* context, const std::string& text) {
  StringValue request, reply;
  request.set_value(text);
  const grpc::internal::RpcMethod method(kEchoMethod, grpc::internal::RpcMethod::NORMAL_RPC);
  const absl::Status status = FromGrpc(grpc::internal::BlockingUnaryCall(channel, method, context, request, &reply));
  if (!status.ok()) return status;
  return reply.value();
}

class RpcTest : public ::testing::Test {
 protected:
  void SetUp() override { Serve("127.0.0.1:0"); }

  void Serve(const std::string& address) {
    ASSERT_OK_AND_ASSIGN(server_, RpcServer::Start(ChannelOptions(), address, {&service_}));
  }

  absl::StatusOr<std::string> Call(const std::string& address, const std::string& text) {
    const auto channel = OpenChannel(ChannelOptions(), address);
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(10));
    return Say(channel.get(), &context, text);
  }

  std::string Address() const { return "127.0.0.1:" + std::to_string(server_->port()); }

  EchoService service_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(RpcTest, AnswersOverLoopbackAtAFreePort) {
  EXPECT_GT(server_->port(), 0);
  ASSERT_OK_AND_ASSIGN(const std::string reply, Call(Address(), "j1"));
  EXPECT_EQ(reply, "j1");
}

TEST_F(RpcTest, AnswersOverAUnixSocket) {
  const TempDir dir;
  const std::string address = "unix:" + JoinPath(dir.path(), "socket");
  Serve(address);
  ASSERT_OK_AND_ASSIGN(const std::string reply, Call(address, "j1"));
  EXPECT_EQ(reply, "j1");
}

TEST_F(RpcTest, EveryStatusCodeSurvivesTheWire) {
  for (int code = 1; code <= 16; ++code) {
    service_.error = absl::Status(static_cast<absl::StatusCode>(code), "why: line 1\nline 2 \xc3\xa9");
    const absl::Status status = Call(Address(), "j1").status();
    EXPECT_EQ(status, FromGrpc(ToGrpc(service_.error)));
    if (absl::IsCancelled(service_.error)) {
      EXPECT_EQ(status, absl::UnavailableError("the call was ended: why: line 1\nline 2 \xc3\xa9"))
          << "nobody told this process to stop";
    } else {
      EXPECT_EQ(status, service_.error);
    }
  }
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_OK(FromGrpc(grpc::Status::OK));
}

// Percent-encoded, such a message takes three times its bytes in the trailers.
TEST_F(RpcTest, TheLongestErrorArrivesCutBetweenCharacters) {
  std::string text;
  while (text.size() < 3 * limits::kReasonBytes) text += "\xc3\xa9";
  service_.error = absl::InvalidArgumentError(text);
  const absl::Status status = Call(Address(), "j1").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_LE(status.message().size(), static_cast<size_t>(limits::kReasonBytes));
  EXPECT_GT(status.message().size(), limits::kReasonBytes - 8u);
  const std::string message(status.message());
  EXPECT_EQ(message.substr(message.size() - 6), "\xc3\xa9 ...");
}

TEST_F(RpcTest, MessagesOverTheLimitAreRefusedInBothDirections) {
  const std::string large(limits::kMessageBytes + 1, 'x');
  EXPECT_THAT(Call(Address(), large), StatusIs(absl::StatusCode::kResourceExhausted, "larger than max"));
  service_.copies = 5;
  EXPECT_THAT(Call(Address(), std::string(limits::kChunkBytes, 'x')), StatusIs(absl::StatusCode::kResourceExhausted));
  service_.copies = 1;
  EXPECT_OK(Call(Address(), std::string(limits::kChunkBytes, 'x')));
}

TEST_F(RpcTest, TheOptionsOfServerAndChannelBoundMessages) {
  ChannelOptions small;
  small.message_bytes_max = 100;
  const std::string text(200, 'x');
  const auto say = [&](const ChannelOptions& options) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(10));
    return Say(OpenChannel(options, Address()).get(), &context, text);
  };
  EXPECT_THAT(say(small), StatusIs(absl::StatusCode::kResourceExhausted, "larger than max"));
  EXPECT_OK(say(ChannelOptions()));
  ASSERT_OK_AND_ASSIGN(server_, RpcServer::Start(small, "127.0.0.1:0", {&service_}));
  EXPECT_THAT(say(ChannelOptions()), StatusIs(absl::StatusCode::kResourceExhausted, "larger than max"));
}

TEST_F(RpcTest, ATakenPortIsUnavailableAndNamed) {
  EXPECT_THAT(RpcServer::Start(ChannelOptions(), Address(), {}).status(),
              StatusIs(absl::StatusCode::kUnavailable, Address()));
}

TEST_F(RpcTest, AnAddressOfAnotherMachineIsUnavailable) {
  EXPECT_THAT(RpcServer::Start(ChannelOptions(), "192.0.2.1:0", {}).status(),
              StatusIs(absl::StatusCode::kUnavailable, "192.0.2.1:0"));
}

TEST_F(RpcTest, NobodyAtTheAddressIsUnavailable) {
  const std::string address = Address();
  server_.reset();
  EXPECT_THAT(Call(address, "j1"), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(RpcTest, AChannelFindsARestartedServer) {
  const std::string address = Address();
  const auto channel = OpenChannel(ChannelOptions(), address);
  const auto call = [&] {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(30));
    context.set_wait_for_ready(true);
    return Say(channel.get(), &context, "again");
  };
  EXPECT_OK(call());
  server_.reset();
  Serve(address);
  EXPECT_OK(call());
}

TEST_F(RpcTest, ADeadlineEndsACallThatNobodyAnswers) {
  const auto channel = OpenChannel(ChannelOptions(), "unix:/nonexistent/socket");
  grpc::ClientContext context;
  SetDeadline(&context, absl::Milliseconds(50));
  context.set_wait_for_ready(true);
  EXPECT_THAT(Say(channel.get(), &context, "?"), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// The standard health protocol, so that grpcurl and probes work: an empty service name asks for the whole server.
TEST_F(RpcTest, HealthIsServing) {
  const auto channel = OpenChannel(ChannelOptions(), Address());
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(10));
  StringValue request, reply;  // HealthCheckRequest too is one string in field 1
  const grpc::internal::RpcMethod method("/grpc.health.v1.Health/Check", grpc::internal::RpcMethod::NORMAL_RPC);
  grpc::ByteBuffer answer;
  ASSERT_TRUE((
      grpc::internal::BlockingUnaryCall<StringValue, grpc::ByteBuffer, google::protobuf::MessageLite, grpc::ByteBuffer>(
          channel.get(), method, &context, request, &answer)
          .ok()));
  grpc::Slice bytes;
  ASSERT_TRUE(answer.DumpToSingleSlice(&bytes).ok());
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), std::string("\x08\x01", 2)) << "status: SERVING";
}

// Reflection's one method is a stream; the list of services is asked with field 7 and names them in plain text.
TEST_F(RpcTest, ReflectionListsTheServices) {
  grpc::GenericStub stub(OpenChannel(ChannelOptions(), Address()));
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(10));
  grpc::CompletionQueue queue;
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto stream =
      stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  stream->StartCall(nullptr);
  ASSERT_TRUE(next());
  const grpc::Slice request("\x3a\x01*");
  stream->WriteLast(grpc::ByteBuffer(&request, 1), grpc::WriteOptions(), nullptr);
  ASSERT_TRUE(next());
  grpc::ByteBuffer answer;
  stream->Read(&answer, nullptr);
  ASSERT_TRUE(next());
  grpc::Slice bytes;
  ASSERT_TRUE(answer.DumpToSingleSlice(&bytes).ok());
  const std::string text(bytes.begin(), bytes.end());
  EXPECT_NE(text.find("mimeo.test.Echo"), std::string::npos) << text;
  EXPECT_NE(text.find("grpc.health.v1.Health"), std::string::npos) << text;
  grpc::Status status;
  stream->Finish(&status, nullptr);
  EXPECT_TRUE(next() && status.ok());
}

}  // namespace
}  // namespace mimeo
