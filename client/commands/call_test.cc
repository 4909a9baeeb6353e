// What a command says of a call that failed, and lists that come in parts.
#include "client/commands/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/commands/testing/command_line.h"
#include "client/exit_code.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using testing::CommandLine;
using ::testing::HasSubstr;
using testing::Outcome;

Worker WorkerOf(const std::string& id) {
  Worker worker;
  worker.mutable_identity()->set_id(id);
  return worker;
}

// What `write` prints to stdout and to stderr.
std::pair<std::string, std::string> Printed(const std::function<void()>& write) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  write();
  std::string errors = ::testing::internal::GetCapturedStderr();
  return {::testing::internal::GetCapturedStdout(), std::move(errors)};
}

TEST(ExplainedTest, WhoDoesNotAnswerIsNamedWithWhatToDo) {
  for (const absl::Status& status : {absl::UnavailableError("refused"), absl::DeadlineExceededError("late")}) {
    const absl::Status explained = Explained(status, "host:7070");
    EXPECT_EQ(explained.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(explained.message()),
                AllOf(HasSubstr("nobody answers at host:7070"), HasSubstr("--server")));
  }
  EXPECT_THAT(std::string(Explained(absl::UnimplementedError("?"), "host:7070").message()),
              HasSubstr("earlier version"));
  EXPECT_EQ(Explained(absl::NotFoundError("no j7"), "host:7070"), absl::NotFoundError("no j7"));
  EXPECT_TRUE(Explained(absl::OkStatus(), "host:7070").ok());
}

TEST(EndedTest, AnErrorIsPrintedAndItsKindIsTheExitCode) {
  int code = 0;
  EXPECT_EQ(Printed([&] { code = Ended(absl::OkStatus()); }).second, "");
  EXPECT_EQ(code, kDone);
  EXPECT_EQ(Printed([&] { code = Ended(absl::NotFoundError("there is no j7")); }).second, "mimeo: there is no j7\n");
  EXPECT_EQ(code, kWrongRequest);
  Printed([&] { code = Ended(absl::AbortedError("it failed")); });
  EXPECT_EQ(code, kFailed);
}

TEST(PrintReplyTest, IsTextOrOneLineOfJson) {
  Invocation invocation;
  int code = -1;
  const auto print = [&] { code = PrintReply(invocation, WorkerOf("w1"), [] { return "as text\n"; }); };
  EXPECT_EQ(Printed(print).first, "as text\n");
  invocation.output = "json";
  const std::string json = Printed(print).first;
  EXPECT_EQ(nlohmann::json::parse(json)["identity"]["id"], "w1");
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 1);
  EXPECT_EQ(code, kDone);
}

TEST(PrintedListTest, IsOneObjectOfJsonHoweverManyPartsItComesIn) {
  Invocation invocation;
  invocation.output = "json";
  const auto [out, errors] = Printed([&] {
    PrintedList list(invocation, "workers", {"WORKER"});
    for (const char* id : {"w1", "w2", "w3"}) {
      EXPECT_TRUE(list.Add(WorkerOf(id), [] { return PrintedList::Row{{"unused"}, ""}; }).ok());
      list.Flush();
    }
    list.End(/*all=*/false);
  });
  const nlohmann::json workers = nlohmann::json::parse(out)["workers"];
  ASSERT_EQ(workers.size(), 3u);
  EXPECT_EQ(workers[2]["identity"]["id"], "w3");
  EXPECT_THAT(errors, HasSubstr("there are more workers"));
}

TEST(PrintedListTest, IsATableWithOneHeader) {
  const auto [out, errors] = Printed([&] {
    PrintedList list(Invocation(), "workers", {"WORKER", "SLOTS"});
    for (const char* id : {"w1", "w2"}) {
      EXPECT_TRUE(list.Add(WorkerOf(id), [&] { return PrintedList::Row{{id, "1"}, ""}; }).ok());
      list.Flush();
    }
    list.End(/*all=*/true);
  });
  EXPECT_EQ(out, "WORKER  SLOTS\nw1      1\nw2      1\n");
  EXPECT_EQ(errors, "");
}

TEST(AddVerbTest, AVerbHasItsExampleUnderItsHelpAndRefusesWhatIsNoText) {
  std::string heard;
  CommandLine line([&](CLI::App* app, Invocation* invocation) {
    AddVerbOn(app, invocation, "greet", "Says hello", "NAME", "whom", "you",
              [&](const Invocation& /*invocation*/, const std::string& name) {
                heard = name;
                return 7;
              });
  });
  EXPECT_EQ(line.Run({"greet", "ada"}).code, 7);
  EXPECT_EQ(heard, "ada");
  EXPECT_THAT(line.Run({"greet", "--help"}).out, AllOf(HasSubstr("Says hello"), HasSubstr("mimeo greet you")));
  EXPECT_THAT(line.Run({"greet", "a\xff"}).errors, HasSubstr("not UTF-8"));
  EXPECT_THAT(line.Run({"greet", "a\nb"}).errors, HasSubstr("control character"));
  EXPECT_EQ(line.Run({"greet"}).code, 2);
}

}  // namespace
}  // namespace mimeo
