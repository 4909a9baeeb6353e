// The real `mimeo` and a coordinator that sends whatever a terminal, a table or JSON could stumble over, in every text
// of every reply: nothing of it may be obeyed, whatever version of a coordinator it was.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/rpc/rpc.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "proto/checkpoint.grpc.pb.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {
namespace {

using google::protobuf::FieldDescriptor;
using testing::HasSubstr;
using testing::Not;

// Colours, a window's title, C1's control sequence introducer, a made-up line, turned direction, a bell, and a word
// behind all of them.
const std::string kOdd =
    "odd\x1b[31m\x1b]0;owned\x07\xc2\x9b"
    "2J\nmimeo: all is well\r\xe2\x80\xae\xe2\x80\xa8\x7f\b\vend";

// Sets every text, and every key of a map, and adds to every list.
void Poison(google::protobuf::Message* message, const std::string& text, int depth = 0) {
  const auto* const reflection = message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count() && depth < 8; ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    if (field->name() == "next_page_token") continue;
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (field->type() == FieldDescriptor::TYPE_STRING && field->is_repeated()) {
      reflection->AddString(message, field, text);
    }
    if (field->type() == FieldDescriptor::TYPE_STRING && !field->is_repeated()) {
      reflection->SetString(message, field, text);
    }
    if (is_message && field->is_repeated()) Poison(reflection->AddMessage(message, field), text, depth + 1);
    if (is_message && !field->is_repeated()) Poison(reflection->MutableMessage(message, field), text, depth + 1);
  }
}

class HostileCoordinator : public Coordinator::Service {
 public:
  std::string text = kOdd;
  bool fails = false;  // each call ends with `text` as its error
  JobState state = JOB_STATE_SUCCEEDED;
  int32_t status_code = 0;  // of the job
  int pages = 1;            // of each list

  grpc::Status Submit(grpc::ServerContext*, const SubmitRequest*, SubmitReply* reply) override { return Answer(reply); }
  grpc::Status GetJob(grpc::ServerContext*, const GetJobRequest*, Job* reply) override { return AnswerJob(reply); }
  grpc::Status ControlJob(grpc::ServerContext*, const ControlJobRequest*, Job* reply) override {
    return AnswerJob(reply);
  }
  grpc::Status Explain(grpc::ServerContext*, const GetJobRequest*, ExplainReply* reply) override {
    return Answer(reply);
  }
  grpc::Status DrainWorker(grpc::ServerContext*, const DrainWorkerRequest* request, DrainWorkerReply* reply) override {
    const grpc::Status status = Answer(reply);
    reply->mutable_worker()->set_drained(request->drained());
    reply->mutable_worker()->set_slots_busy(2);
    return status;
  }
  grpc::Status ListJobs(grpc::ServerContext*, const ListJobsRequest* request, ListJobsReply* reply) override {
    return AnswerPage(*request, reply);
  }
  grpc::Status ListWorkers(grpc::ServerContext*, const ListWorkersRequest* request, ListWorkersReply* reply) override {
    return AnswerPage(*request, reply);
  }
  grpc::Status ListTeachers(grpc::ServerContext*, const ListTeachersRequest* request,
                            ListTeachersReply* reply) override {
    return AnswerPage(*request, reply);
  }
  grpc::Status ListCheckpoints(grpc::ServerContext*, const ListCheckpointsRequest* request,
                               ListCheckpointsReply* reply) override {
    return AnswerPage(*request, reply);
  }
  grpc::Status Metrics(grpc::ServerContext*, const MetricsRequest*, grpc::ServerWriter<MetricsReply>* stream) override {
    MetricsReply reply;
    const grpc::Status status = Answer(&reply);
    if (status.ok()) {
      (*reply.mutable_steps(0)->mutable_terms())[text] = 0.5;
      (*reply.mutable_steps(0)->mutable_stats())[text] = 0.5;
      (*reply.mutable_evaluations(0)->mutable_values())[text] = 0.5;
      stream->Write(reply);
    }
    return status;
  }

 private:
  grpc::Status Answer(google::protobuf::Message* reply) {
    if (fails) return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, text);
    Poison(reply, text);
    return grpc::Status::OK;
  }
  grpc::Status AnswerJob(Job* job) {
    const grpc::Status status = Answer(job);
    job->set_state(state);
    job->set_status_code(status_code);
    job->set_step(3);
    job->set_total_steps(4);
    job->set_checkpoint_step(2);
    return status;
  }
  template <typename Request, typename Reply>
  grpc::Status AnswerPage(const Request& request, Reply* reply) {
    const grpc::Status status = Answer(reply);
    const int page = request.page_token().empty() ? 1 : std::stoi(request.page_token());
    if (page < pages) reply->set_next_page_token(absl::StrCat(page + 1));
    return status;
  }
};

// What `text` would make a terminal do: everything in it that is no text. The bar's own erasing and a terminal's line
// ends are not it.
std::string Obeyed(const std::string& text) {
  const std::string plain = absl::StrReplaceAll(text, {{"\r\x1b[K", ""}, {"\r\n", "\n"}});
  const std::string made = ToLines(plain, plain.size() * 4);
  return made == plain ? "" : made;
}

class HostileCoordinatorTest : public testing::Test {
 protected:
  HostileCoordinatorTest() {
    auto server = RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&coordinator_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    EXPECT_TRUE(
        WriteFileAtomic(
            recipe_,
            "data { path: \"/photos\" global_batch: 8 image_px: 16 } encoder { vit { patch_px: 8 width: 8 depth: 1 "
            "heads: 1 } }"
            "objective { reconstruction { decoder_width: 8 decoder_depth: 1 decoder_heads: 1 } } schedule { steps: 2 }")
            .ok());
  }

  struct Said {
    std::string out, errors;
    int code = -1;
  };
  Said Mimeo(std::vector<std::string> args) {
    const auto binary = FindBinary("mimeo");
    EXPECT_TRUE(binary.ok()) << binary.status();
    args.insert(args.begin(), *binary);
    Said said;
    Subprocess::Options options;
    options.argv = args;
    options.extra_env = {server_env_.empty() ? absl::StrCat("MIMEO_SERVER=127.0.0.1:", server_->port())
                                             : "MIMEO_SERVER=" + server_env_};
    options.on_stdout = [&](absl::string_view piece) { absl::StrAppend(&said.out, piece); };
    options.on_stderr = [&](absl::string_view piece) { absl::StrAppend(&said.errors, piece); };
    const auto child = Subprocess::Start(options);
    EXPECT_TRUE(child.ok()) << child.status();
    const auto ended = (*child)->Wait(Clock::Real()->Now() + absl::Minutes(1));
    EXPECT_TRUE(ended.ok() && ended->signal == 0)
        << args[1] << ": " << (ended.ok() ? ended->ToString() : ended.status().ToString());
    said.code = ended.ok() ? ended->code : -1;
    EXPECT_EQ(Obeyed(said.out), "") << args[1] << " on stdout";
    EXPECT_EQ(Obeyed(said.errors), "") << args[1] << " on stderr";
    return said;
  }
  Said MimeoJson(std::vector<std::string> args) {
    args.insert(args.end(), {"-o", "json"});
    const Said said = Mimeo(args);
    for (absl::string_view line : absl::StrSplit(said.out, '\n', absl::SkipEmpty())) {
      EXPECT_TRUE(nlohmann::json::accept(line.begin(), line.end())) << args[0] << ": " << line;
    }
    return said;
  }
  // What `mimeo ARGS` writes to a terminal.
  std::string OnATerminal(const std::vector<std::string>& args) {
    int controller = -1, terminal = -1;
    char name[256];
    EXPECT_EQ(openpty(&controller, &terminal, name, nullptr, nullptr), 0);
    Subprocess::Options options;
    options.argv = args;
    options.argv.insert(options.argv.begin(), FindBinary("mimeo").value());
    options.extra_env = {absl::StrCat("MIMEO_SERVER=127.0.0.1:", server_->port())};
    options.output_path = name;
    const auto child = Subprocess::Start(options);
    EXPECT_TRUE(child.ok()) << child.status();
    close(terminal);
    std::string said;
    char piece[4096];
    for (ssize_t got; (got = read(controller, piece, sizeof(piece))) > 0;) {
      said.append(piece, static_cast<size_t>(got));  // EIO: it has ended
    }
    close(controller);
    return said;
  }

  TempDir dir_;
  const std::string recipe_ = dir_.path() + "/recipe";
  const std::vector<std::vector<std::string>> verbs_ = {{"list"},
                                                        {"show", "j1"},
                                                        {"explain", "j1"},
                                                        {"watch", "j1"},
                                                        {"metrics", "j1"},
                                                        {"cancel", "j1"},
                                                        {"pause", "j1"},
                                                        {"resume", "j1"},
                                                        {"workers"},
                                                        {"drain", "w1"},
                                                        {"undrain", "w1"},
                                                        {"teachers"},
                                                        {"checkpoints", "j1"},
                                                        {"submit", recipe_, "--follow"}};
  std::string server_env_;  // MIMEO_SERVER; empty: the hostile coordinator
  HostileCoordinator coordinator_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(HostileCoordinatorTest, EveryVerbSaysItAllAsTextInBothForms) {
  for (const auto& verb : verbs_) {
    const Said said = Mimeo(verb);
    EXPECT_EQ(said.code, 0) << verb[0] << ": " << said.errors;
    const Said json = MimeoJson(verb);
    EXPECT_EQ(json.code, 0) << verb[0] << ": " << json.errors;
    EXPECT_THAT(json.out, HasSubstr("odd\\\\x1b[31m")) << verb[0] << ": nothing is left out";
  }
  EXPECT_THAT(
      Mimeo({"workers"}).out,
      HasSubstr(
          "odd\\x1b[31m\\x1b]0;owned\\x07\\u{9b}2J\\x0amimeo: all is well\\x0d\\u{202e}\\u{2028}\\x7f\\x08\\x0bend"));
}

TEST_F(HostileCoordinatorTest, EveryVerbsErrorIsTextAndADiskThatIsFullIsAFailure) {
  coordinator_.fails = true;
  for (const auto& verb : verbs_) {
    const Said said = Mimeo(verb);
    EXPECT_EQ(said.code, 1) << verb[0];
    EXPECT_THAT(said.errors, HasSubstr("mimeo: odd\\x1b[31m")) << verb[0];
    EXPECT_EQ(MimeoJson(verb).code, 1) << verb[0];
  }
}

TEST_F(HostileCoordinatorTest, AJobThatFailedOrWasPausedForAPersonSaysItsReasonAsText) {
  for (const auto& [state, words] :
       {std::make_pair(JOB_STATE_FAILED, "has failed: "), std::make_pair(JOB_STATE_PAUSED, "is paused: ")}) {
    coordinator_.state = state;
    coordinator_.status_code = 9;
    const Said said = Mimeo({"watch", "j1"});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.errors, HasSubstr(words));
    EXPECT_THAT(said.errors, HasSubstr("goes on from step 2"));
    EXPECT_EQ(MimeoJson({"submit", recipe_, "--follow"}).code, 1);
  }
  coordinator_.status_code = 0;
  EXPECT_EQ(Mimeo({"watch", "j1"}).code, 0) << "a person paused it";
}

TEST_F(HostileCoordinatorTest, LongTextsAreCutAndListsComeInPages) {
  coordinator_.text = std::string(100000, 'x') + "\x1b";
  coordinator_.pages = 3;
  for (const auto& verb : verbs_) EXPECT_EQ(Mimeo(verb).code, 0) << verb[0];
  coordinator_.text = "short";
  EXPECT_EQ(nlohmann::json::parse(MimeoJson({"list"}).out)["jobs"].size(), 3u);
  EXPECT_EQ(nlohmann::json::parse(MimeoJson({"list", "--limit", "2"}).out)["jobs"].size(), 2u);
  EXPECT_THAT(Mimeo({"list", "--limit", "2"}).errors, HasSubstr("there are more jobs; --limit N"));
  EXPECT_EQ(Mimeo({"list"}).errors, "");
  EXPECT_EQ(nlohmann::json::parse(MimeoJson({"workers"}).out)["workers"].size(), 3u);
  EXPECT_EQ(nlohmann::json::parse(MimeoJson({"teachers"}).out)["teachers"].size(), 3u);
  EXPECT_EQ(nlohmann::json::parse(MimeoJson({"checkpoints", "j1"}).out)["manifests"].size(), 3u);
  const std::vector<std::string> lines = absl::StrSplit(Mimeo({"list"}).out, '\n', absl::SkipEmpty());
  // Below a job stands why it is in its state, in a line that begins with spaces.
  const auto is_row = [](const std::string& line) { return !absl::StartsWith(line, " "); };
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(), is_row), 4) << "one header for all pages";
}

TEST_F(HostileCoordinatorTest, TheBarOnATerminalIsRedrawnAndNothingElseIsObeyed) {
  coordinator_.state = JOB_STATE_PAUSED;
  const std::string said = OnATerminal({"watch", "j1"});
  EXPECT_THAT(said, HasSubstr("\r\x1b[K[")) << "it is a bar";
  EXPECT_EQ(Obeyed(said), "");
  EXPECT_EQ(Obeyed(OnATerminal({"show", "j1"})), "");
}

// Strings that are not UTF-8 are refused by the protobuf that reads them; its words are none of the coordinator's.
TEST_F(HostileCoordinatorTest, AReplyThatCannotBeReadIsAFailure) {
  coordinator_.text = "caf\xe9\x1b";
  for (const auto& verb : verbs_) {
    if (verb[0] == "metrics") continue;  // of a stream gRPC says only that it has ended
    EXPECT_EQ(Mimeo(verb).code, 1) << verb[0];
  }
}

TEST_F(HostileCoordinatorTest, TheCommandLineAndTheEnvironmentAreBytesToo) {
  const std::string odd = "caf\xe9\x1b[31m\nmimeo: done";
  for (const std::vector<std::string>& args : {std::vector<std::string>{"no-verb", odd},
                                               {"list", "--" + odd},
                                               {"list", odd},
                                               {"list", "-o", odd},
                                               {"list", "--limit", odd},
                                               {"show", odd},
                                               {"explain", odd},
                                               {"watch", odd},
                                               {"metrics", odd},
                                               {"cancel", odd},
                                               {"drain", odd},
                                               {"undrain", odd},
                                               {"checkpoints", odd},
                                               {"export", odd, "--out", dir_.path()},
                                               {"submit", odd},
                                               {"submit", recipe_, "--set", odd},
                                               {"submit", recipe_, "--set", "data.path=" + odd},
                                               {"submit", recipe_, "--data", odd},
                                               {"run", odd, "--out", dir_.path()},
                                               {"run", recipe_, "--out", dir_.path() + "/out", "--data", odd},
                                               {"list", "--server", odd},
                                               {"list", "--server", "\x1b[31m" + odd.substr(4)}}) {
    const Said said = Mimeo(args);
    EXPECT_EQ(said.code, 2) << args[0] << ": " << said.errors;
    EXPECT_TRUE(args[0] == "no-verb" || absl::StrContains(said.errors, "\\x1b[31m")) << args[0];
    EXPECT_THAT(said.errors, Not(HasSubstr("\nmimeo: done"))) << args[0] << ": a line that nobody said";
  }
  ASSERT_TRUE(WriteFileAtomic(dir_.path() + "/" + odd, "\x1b[31m { \"caf\xe9\" }").ok());
  EXPECT_EQ(Mimeo({"submit", dir_.path() + "/" + odd}).code, 2);
  server_env_ = odd;
  const Said said = Mimeo({"list"});
  EXPECT_EQ(said.code, 2);
  EXPECT_THAT(said.errors, HasSubstr("is not UTF-8"));
}

// What the worker binary writes passes through the client.
TEST_F(HostileCoordinatorTest, AChildsErrorsAreText) {
  const std::string odd = dir_.path() + "/caf\xe9\x1b[31m";
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"embed", "--weights", odd, "--images", odd, "--out", odd},
        {"reconstruct", "--weights", odd, "--images", odd, "--out", odd},
        {"evaluate", "knn", "--weights", odd, "--data", odd},
        {"embed", "--weights", odd, "--images", odd, "--out", odd, "--batch", odd}}) {
    const Said said = Mimeo(args);
    EXPECT_NE(said.code, 0) << args[0];
    EXPECT_THAT(said.errors, HasSubstr("caf\\xe9\\x1b[31m")) << args[0];
  }
}

}  // namespace
}  // namespace mimeo
