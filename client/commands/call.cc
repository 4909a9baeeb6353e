#include "client/commands/call.h"

#include <google/protobuf/util/json_util.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "client/exit_code.h"

namespace mimeo {

CLI::App* AddVerb(CLI::App* app, const std::string& name, const std::string& does, const std::string& example) {
  CLI::App* verb = app->add_subcommand(name, does);
  verb->footer("Example:\n  " + example);
  return verb;
}

absl::Status Explained(const absl::Status& status, const std::string& server) {
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
  return absl::UnavailableError(absl::StrCat("nobody answers at ", server, " (", status.message(),
                                             "). Is the coordinator running there? --server HOST:PORT or MIMEO_SERVER says where it is"));
}

std::string JsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  google::protobuf::util::MessageToJsonString(message, &text, options);
  return text;
}

std::unique_ptr<Coordinator::Stub> Connect(const Invocation& invocation, grpc::ClientContext* context) {
  SetDeadline(context, limits::kRpcDeadline);
  return Coordinator::NewStub(OpenChannel(invocation.server));
}

int PrintReply(const Invocation& invocation, const absl::Status& status, const google::protobuf::Message& reply,
               const std::function<std::string()>& table) {
  if (!status.ok()) {
    PrintError(status);
    return ExitCodeOf(status);
  }
  std::fputs(invocation.json() ? (JsonLine(reply) + "\n").c_str() : table().c_str(), stdout);
  return kDone;
}

}  // namespace mimeo
