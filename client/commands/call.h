// One call to the coordinator and what a command says of it.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/rpc/rpc.h"
#include "client/commands/commands.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {

// "nobody answers at HOST:PORT ..." where the call did not get through; else the status as it is.
absl::Status Explained(const absl::Status& status, const std::string& server);

// Calls within ten seconds, then prints the reply: as JSON, or as `table` makes it. Returns the exit code.
template <typename Request, typename Reply>
int CallAndPrint(const Invocation& invocation,
                 grpc::Status (Coordinator::Stub::*method)(grpc::ClientContext*, const Request&, Reply*), const Request& request,
                 const std::function<std::string(const Reply&)>& table);

// `message` as one line of JSON, fields under their proto names, those without a value too.
std::string JsonLine(const google::protobuf::Message& message);

int PrintReply(const Invocation& invocation, const absl::Status& status, const google::protobuf::Message& reply,
               const std::function<std::string()>& table);
std::unique_ptr<Coordinator::Stub> Connect(const Invocation& invocation, grpc::ClientContext* context);

template <typename Request, typename Reply>
int CallAndPrint(const Invocation& invocation,
                 grpc::Status (Coordinator::Stub::*method)(grpc::ClientContext*, const Request&, Reply*), const Request& request,
                 const std::function<std::string(const Reply&)>& table) {
  grpc::ClientContext context;
  const auto stub = Connect(invocation, &context);
  Reply reply;
  const absl::Status status = Explained(FromGrpc((stub.get()->*method)(&context, request, &reply)), invocation.server);
  return PrintReply(invocation, status, reply, [&] { return table(reply); });
}

}  // namespace mimeo
