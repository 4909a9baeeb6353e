#include "client/commands/call.h"

#include <cstdio>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/print.h"
#include "base/text.h"
#include "client/exit_code.h"
#include "client/json_text.h"
#include "client/print.h"

namespace mimeo {

CLI::App* AddVerb(CLI::App* app, const std::string& name, const std::string& does, const std::string& example) {
  CLI::App* verb = app->add_subcommand(name, does);
  verb->footer("Example:\n  " + example);
  return verb;
}

namespace {

// What is wrong with `given` as a name or an address; empty: nothing.
std::string TextProblem(const std::string& given) {
  if (!IsUtf8(given)) return absl::StrCat("\"", ToText(given), "\" is not UTF-8");
  return ToText(given) == given
             ? ""
             : absl::StrCat("\"", ToText(given), "\" is longer than a name, or has a control character");
}

}  // namespace

CLI::Option* AddText(CLI::App* verb, const std::string& name, std::string* value, const std::string& help) {
  return verb->add_option(name, *value, help)->check(TextProblem);
}

CLI::Option* AddTexts(CLI::App* verb, const std::string& name, std::vector<std::string>* values,
                      const std::string& help) {
  return verb->add_option(name, *values, help)->check(TextProblem);
}

CLI::App* AddVerbOn(CLI::App* app, Invocation* invocation, const std::string& name, const std::string& does,
                    const std::string& argument, const std::string& help, const std::string& example,
                    const std::function<int(const Invocation&, const std::string&)>& run) {
  CLI::App* verb = AddVerb(app, name, does, absl::StrCat("mimeo ", name, " ", example));
  auto value = std::make_shared<std::string>();
  AddText(verb, argument, value.get(), help)->required();
  verb->callback([=] { invocation->run = [=] { return run(*invocation, *value); }; });
  return verb;
}

absl::Status Invocation::CheckOutput() const {
  if (absl::c_linear_search(outputs, output)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("-o ", output, ": this command has ", absl::StrJoin(outputs, " and "), " alone"));
}

absl::Status Explained(const absl::Status& status, const std::string& server) {
  if (absl::IsUnimplemented(status)) {
    return absl::UnimplementedError(
        absl::StrCat("the coordinator at ", server, " does not know this command; is it of an earlier version?"));
  }
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
  return absl::UnavailableError(
      absl::StrCat("nobody answers at ", server, " (", status.message(),
                   "). Is the coordinator running there? --server HOST:PORT or MIMEO_SERVER says where it is"));
}

int Ended(const absl::Status& status) {
  if (!status.ok()) PrintError(status);
  return ExitCodeOf(status);
}

int PrintReply(const Invocation& invocation, const google::protobuf::Message& reply,
               const std::function<std::string()>& text) {
  if (!invocation.json()) {
    Print(stdout, text());
    return kDone;
  }
  const auto json = JsonLine(reply);
  if (json.ok()) Print(stdout, *json + "\n");
  return Ended(json.status());
}

PrintedList::PrintedList(const Invocation& invocation, std::string name, std::vector<std::string> header)
    : json_(invocation.json()),
      bare_(invocation.output == "name"),
      name_(std::move(name)),
      text_(absl::StrCat("{\"", name_, "\":[")),
      table_(std::move(header)) {
  if (bare_) table_.Take();
}

absl::Status PrintedList::Add(const google::protobuf::Message& item, const std::function<Row()>& row) {
  if (!json_) {
    Row shown = row();
    table_.Add(std::move(shown.cells));
    if (!shown.note.empty() && !bare_) table_.AddLine(shown.note);
    return absl::OkStatus();
  }
  const auto json = JsonLine(item);
  if (!json.ok()) return json.status();
  absl::StrAppend(&text_, std::exchange(empty_, false) ? "" : ",", *json);
  return absl::OkStatus();
}

void PrintedList::Flush() {
  if (json_) return Print(stdout, std::exchange(text_, ""));
  PrintSpans(stdout, table_.Take());
}

void PrintedList::End(bool all) {
  text_ += "]}\n";
  Flush();
  if (!all) Print(stderr, absl::StrCat("mimeo: there are more ", name_, "; --limit N lists so many, --limit 0 all\n"));
}

}  // namespace mimeo
