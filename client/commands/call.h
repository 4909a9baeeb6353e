// Calls to the coordinator and what a command says of them.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "client/commands/commands.h"
#include "client/table.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {

// "nobody answers at HOST:PORT ..." where the call did not get through, or nobody there knows it; else the status as it
// is.
absl::Status Explained(const absl::Status& status, const std::string& server);

// Prints the error, if it is one; the exit code.
int Ended(const absl::Status& status);

template <typename Request, typename Reply>
using CoordinatorMethod = grpc::Status (Coordinator::Stub::*)(grpc::ClientContext*, const Request&, Reply*);

// One call, of at most ten seconds.
template <typename Request, typename Reply>
absl::Status Call(const Invocation& invocation, CoordinatorMethod<Request, Reply> method, const Request& request,
                  Reply* reply);

// Calls, then prints the reply: as JSON, or as `text` makes it. Returns the exit code.
template <typename Request, typename Reply>
int CallAndPrint(const Invocation& invocation, CoordinatorMethod<Request, Reply> method, const Request& request,
                 const std::function<std::string(const Reply&)>& text);

int PrintReply(const Invocation& invocation, const google::protobuf::Message& reply,
               const std::function<std::string()>& text);

// A list that comes in pages, printed as they come: as the rows of one table, or as one JSON object with the list under
// `name`. An object of JSON that was begun and not ended is no JSON: nobody takes a part of a list for the whole.
class PrintedList {
 public:
  PrintedList(const Invocation& invocation, std::string name, std::vector<std::string> header);
  absl::Status Add(const google::protobuf::Message& item, const std::function<std::vector<std::string>()>& row);
  void Flush();
  void End(bool all);  // else it says that there are more

 private:
  const bool json_;
  const std::string name_;
  bool empty_ = true;
  std::string text_;
  Table table_;
};

// What a list of the coordinator's is made of. `limit`: of items.
template <typename Request, typename Reply, typename Item>
struct Listing {
  std::string name;  // of `items`
  CoordinatorMethod<Request, Reply> method;
  const google::protobuf::RepeatedPtrField<Item>& (Reply::*items)() const;
  std::vector<std::string> header;
  std::function<std::vector<std::string>(const Item&)> row;
  int64_t limit = 0;  // 0: all
};
// Reads the pages one after the other and prints them. Returns the exit code.
template <typename Request, typename Reply, typename Item>
int ListAndPrint(const Invocation& invocation, const Listing<Request, Reply, Item>& listing, Request request);

// ---- how

template <typename Request, typename Reply>
absl::Status Call(const Invocation& invocation, CoordinatorMethod<Request, Reply> method, const Request& request,
                  Reply* reply) {
  grpc::ClientContext context;
  SetDeadline(&context, limits::kRpcDeadline);
  const auto stub = Coordinator::NewStub(OpenChannel(invocation.channels, invocation.server));
  return Explained(FromGrpc((stub.get()->*method)(&context, request, reply)), invocation.server);
}

template <typename Request, typename Reply>
int CallAndPrint(const Invocation& invocation, CoordinatorMethod<Request, Reply> method, const Request& request,
                 const std::function<std::string(const Reply&)>& text) {
  Reply reply;
  const absl::Status status = Call(invocation, method, request, &reply);
  return status.ok() ? PrintReply(invocation, reply, [&] { return text(reply); }) : Ended(status);
}

template <typename Request, typename Reply, typename Item>
int ListAndPrint(const Invocation& invocation, const Listing<Request, Reply, Item>& listing, Request request) {
  PrintedList list(invocation, listing.name, listing.header);
  int64_t left = listing.limit == 0 ? std::numeric_limits<int64_t>::max() : listing.limit;
  while (left > 0) {
    request.set_page_size(static_cast<int32_t>(std::min<int64_t>(left, limits::kPageItems)));
    Reply page;
    absl::Status status = Call(invocation, listing.method, request, &page);
    for (const Item& item : (page.*listing.items)()) {
      if (status.ok() && left-- > 0) status = list.Add(item, [&] { return listing.row(item); });
    }
    if (!page.next_page_token().empty() && page.next_page_token() == request.page_token()) {
      status =
          absl::DataLossError(absl::StrCat("the coordinator gives the page after ", request.page_token(), " again"));
    }
    if (!status.ok()) return Ended(status);
    list.Flush();
    request.set_page_token(page.next_page_token());
    if (request.page_token().empty()) break;
  }
  list.End(/*all=*/request.page_token().empty());
  return 0;
}

}  // namespace mimeo
