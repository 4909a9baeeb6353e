// What the verbs of `mimeo` share: how they call the coordinator, and how they print replies and errors. Answers go to
// stdout, as text for people or as JSON (`-o json`), and everything else to stderr, so that a script can read stdout.
// One thread.
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

// The status in words that tell a person what to do. "nobody answers at HOST:PORT ..." where the call did not get
// through; "does not know this command" where the coordinator is of an earlier version; every other status stays as it
// is.
absl::Status Explained(const absl::Status& status, const std::string& server);

// Prints `status` if it is an error. Returns the command's exit code.
int Ended(const absl::Status& status);

template <typename Request, typename Reply>
using CoordinatorMethod = grpc::Status (Coordinator::Stub::*)(grpc::ClientContext*, const Request&, Reply*);

// Makes one call, over a connection of its own. It blocks for limits::kRpcDeadline at most, and there is one attempt: a
// person sees at once that nobody answers. The error is Explained already.
template <typename Request, typename Reply>
absl::Status Call(const Invocation& invocation, CoordinatorMethod<Request, Reply> method, const Request& request,
                  Reply* reply);

// Makes a call and prints the reply as JSON, or else as the text that `text` makes of it. An error is printed to
// stderr. Returns the exit code (client/exit_code.h).
template <typename Request, typename Reply>
int CallAndPrint(const Invocation& invocation, CoordinatorMethod<Request, Reply> method, const Request& request,
                 const std::function<std::string(const Reply&)>& text);

// Prints a reply that has arrived. Returns the exit code.
int PrintReply(const Invocation& invocation, const google::protobuf::Message& reply,
               const std::function<std::string()>& text);

// A list that arrives in pages and is printed page by page: as the rows of one table, or as one JSON object with the
// list under `name`. When a page fails, the JSON object stays unfinished, so that nobody takes a part of a list for all
// of it.
class PrintedList {
 public:
  PrintedList(const Invocation& invocation, std::string name, std::vector<std::string> header);
  // What a table shows of an item, which is asked for only when a table is printed. `note`: a line below the row;
  // empty: none.
  struct Row {
    std::vector<std::string> cells;
    std::string note;
  };
  // DataLoss: JSON has no form for the item (client/json_text.h).
  absl::Status Add(const google::protobuf::Message& item, const std::function<Row()>& row);
  // Prints what was added since the last call. To be called after each page.
  void Flush();
  // Ends the list. Where it is not complete (`all` is false), a line on stderr says that there is more, and how to see
  // it.
  void End(bool all);

 private:
  const bool json_;
  const bool bare_;  // cells alone, without a header
  const std::string name_;
  bool empty_ = true;
  std::string text_;
  Table table_;
};

// One of the coordinator's lists: how to ask for a page, and how to print an item.
template <typename Request, typename Reply, typename Item>
struct Listing {
  std::string name;  // The name of the list in JSON, such as "jobs".
  CoordinatorMethod<Request, Reply> method;
  const google::protobuf::RepeatedPtrField<Item>& (Reply::*items)() const;
  std::vector<std::string> header;
  std::function<std::vector<std::string>(const Item&)> row;
  int64_t limit = 0;  // At most so many items; 0 means all.
  std::function<std::string(const Item&)> note = [](const Item&) { return std::string(); };
};
// Reads the pages one after another and prints each as it comes, so that a long list needs little memory. When a later
// page fails, the earlier ones are printed already and the exit code tells. Returns the exit code.
template <typename Request, typename Reply, typename Item>
int ListAndPrint(const Invocation& invocation, const Listing<Request, Reply, Item>& listing, Request request);

// ---- From here on: how the templates above work.

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
      if (status.ok() && left-- > 0)
        status = list.Add(item, [&] { return PrintedList::Row{listing.row(item), listing.note(item)}; });
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
