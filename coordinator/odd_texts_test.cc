// Odd bytes in every text of every request, as a peer of another version or an attacker could send them: raw, over a
// real channel. Nothing fails afterwards, no reply holds a control character but new line and tab, and the journal is
// read again.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/testing/status_matchers.h"
#include "base/text.h"
#include "base/version.h"
#include "coordinator/testing/cluster_script.h"
#include "coordinator/testing/services_fixture.h"

namespace mimeo {
namespace {

using Field = google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using testing::Says;
using testing::ScriptJob;

bool IsText(const std::string& text) { return ToLines(text, text.size() + 8) == text; }

// Every text of `message` is text.
void ExpectTexts(const Message& message) {
  const google::protobuf::Reflection* const reflection = message.GetReflection();
  std::vector<const Field*> fields;
  reflection->ListFields(message, &fields);
  for (const Field* field : fields) {
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == Field::CPPTYPE_MESSAGE) {
        ExpectTexts(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                         : reflection->GetMessage(message, field));
      } else if (field->type() == Field::TYPE_STRING) {
        const std::string text = field->is_repeated() ? reflection->GetRepeatedString(message, field, i)
                                                      : reflection->GetString(message, field);
        EXPECT_TRUE(IsText(text)) << field->full_name() << ": " << ToText(text);
      }
    }
  }
}

// Calls `visit` at every text of `message`; it may change the text there.
void ForEachText(Message* message, const std::function<void(Message*, const Field*)>& visit) {
  const google::protobuf::Reflection* const reflection = message->GetReflection();
  std::vector<const Field*> fields;
  reflection->ListFields(*message, &fields);
  for (const Field* field : fields) {
    if (field->type() == Field::TYPE_STRING) {
      visit(message, field);
    } else if (field->cpp_type() == Field::CPPTYPE_MESSAGE && !field->is_repeated()) {
      ForEachText(reflection->MutableMessage(message, field), visit);
    } else if (field->cpp_type() == Field::CPPTYPE_MESSAGE) {
      for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
        ForEachText(reflection->MutableRepeatedMessage(message, field, i), visit);
      }
    }
  }
}

// Fills the texts that are not given, so that each is visited.
void Complete(Message* message, int depth) {
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const Field* const field = message->GetDescriptor()->field(i);
    const google::protobuf::Reflection* const reflection = message->GetReflection();
    if (field->real_containing_oneof() != nullptr) continue;  // one is given
    if (field->cpp_type() == Field::CPPTYPE_MESSAGE && depth > 0) {
      if (!field->is_repeated())
        Complete(reflection->MutableMessage(message, field), depth - 1);
      else if (reflection->FieldSize(*message, field) == 0)
        Complete(reflection->AddMessage(message, field), depth - 1);
      else
        Complete(reflection->MutableRepeatedMessage(message, field, 0), depth - 1);
    } else if (field->type() == Field::TYPE_STRING && !field->is_repeated() &&
               reflection->GetString(*message, field).empty()) {
      reflection->SetString(message, field, "x");
    }
  }
}

std::vector<std::string> OddTexts() {
  std::vector<std::string> texts = {"\xff\xfe",
                                    std::string("a\0b", 3),
                                    "\x1b]0;title\x07\x1b[2J",
                                    "line\nline\r\ttab",
                                    "\xe2\x80\xae\xc2\x9b",
                                    std::string(100 << 10, 'l'),
                                    "%s%n{}"};
  const std::string characters = "\xc3\xa9\xe7\x8c\xab\xf0\x9f\x90\x88";
  for (size_t cut = 1; cut <= characters.size(); ++cut) texts.push_back(characters.substr(0, cut));
  return texts;
}

class OddTextsTest : public testing::ServicesTest {
 protected:
  OddTextsTest() {
    ChannelOptions channels;
    channels.message_bytes_max = std::numeric_limits<int>::max();  // whoever sends odd bytes keeps no bound either
    raw_ = std::make_unique<grpc::GenericStub>(OpenChannel(channels, absl::StrCat("127.0.0.1:", server_->port())));
  }

  // One call with `request` as it is, of whatever kind; the first reply goes into `reply`.
  grpc::Status RawCall(const google::protobuf::MethodDescriptor& method, const Message& request, Message* reply) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    grpc::CompletionQueue queue;
    const std::string name = absl::StrCat("/", method.service()->full_name(), "/", method.name());
    const auto call = raw_->PrepareCall(&context, name, &queue);
    const auto next = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    call->StartCall(nullptr);
    next();
    const grpc::Slice bytes(request.SerializePartialAsString());
    call->WriteLast(grpc::ByteBuffer(&bytes, 1), grpc::WriteOptions(), nullptr);
    next();
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    if (next()) {
      std::vector<grpc::Slice> slices;
      EXPECT_TRUE(answer.Dump(&slices).ok());
      std::string joined;
      for (const grpc::Slice& slice : slices) joined.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
      EXPECT_TRUE(reply->ParseFromString(joined)) << name;
      if (method.server_streaming()) context.TryCancel();  // its first is enough
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    next();
    return status;
  }

  // A request that is good but for what the test puts into it.
  std::unique_ptr<Message> GoodRequest(const google::protobuf::MethodDescriptor& method, const std::string& job) {
    std::unique_ptr<Message> request(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(method.input_type())->New());
    Complete(request.get(), 3);
    const google::protobuf::Reflection* const reflection = request->GetReflection();
    const std::map<std::string, std::string> good = {
        {"job_id", job}, {"worker_id", "w0"}, {"incarnation", "1"}, {"page_token", ""}};
    for (const auto& [name, value] : good) {
      const Field* const field = method.input_type()->FindFieldByName(name);
      if (field != nullptr) reflection->SetString(request.get(), field, value);
    }
    if (auto* submit = dynamic_cast<SubmitRequest*>(request.get())) {
      JobSpec* const spec = submit->mutable_spec();
      *spec = ScriptJob(1);
      spec->set_name("x");
      spec->set_init_weights("x");
      spec->mutable_evaluation()->set_path("x");
      spec->mutable_evaluation()->set_bank_path("x");
      spec->mutable_objective(0)->set_name("x");
      spec->add_objective()->mutable_mimic()->set_teacher("x");
    }
    if (auto* control = dynamic_cast<ControlJobRequest*>(request.get())) control->set_want(WANT_RUN);
    if (auto* worker = dynamic_cast<RegisterWorkerRequest*>(request.get())) {
      worker->mutable_worker()->set_slots(1);
      worker->mutable_worker()->mutable_build()->set_protocol(kProtocolVersion);
    }
    if (auto* teacher = dynamic_cast<TeacherHeartbeatRequest*>(request.get())) {
      teacher->mutable_build()->set_protocol(kProtocolVersion);
    }
    if (auto* report = dynamic_cast<ReportStepsRequest*>(request.get())) report->set_generation(1);
    if (auto* heartbeat = dynamic_cast<HeartbeatRequest*>(request.get())) {
      RankStatus* const rank = heartbeat->mutable_ranks(0);
      rank->set_job_id(job);
      rank->set_generation(1);
      rank->set_phase(RANK_PHASE_TRAINING);
      rank->clear_dataset_digest();
      rank->mutable_teachers(0)->clear_weights_digest();
    }
    return request;
  }

  // Whatever a person may ask of `core`'s services, asked.
  void ExpectAllAnswered(const std::string& job) {
    for (const google::protobuf::MethodDescriptor* method : Methods()) {
      const std::string name(method->name());
      const bool asks = name.rfind("List", 0) == 0 || name.rfind("Get", 0) == 0 || name == "Explain" ||
                        name == "WatchJob" || name == "Metrics";
      if (!asks || name == "GetChunks") continue;
      std::unique_ptr<Message> request(
          google::protobuf::MessageFactory::generated_factory()->GetPrototype(method->input_type())->New());
      const Field* const field = method->input_type()->FindFieldByName("job_id");
      if (field != nullptr) request->GetReflection()->SetString(request.get(), field, job);
      const std::unique_ptr<Message> reply(
          google::protobuf::MessageFactory::generated_factory()->GetPrototype(method->output_type())->New());
      const grpc::Status status = RawCall(*method, *request, reply.get());
      const bool left = method->server_streaming() && status.error_code() == grpc::StatusCode::CANCELLED;
      EXPECT_TRUE(status.ok() || left) << name << ": " << status.error_message();
      ExpectTexts(*reply);
    }
  }

  static std::vector<const google::protobuf::MethodDescriptor*> Methods() {
    std::vector<const google::protobuf::MethodDescriptor*> methods, last;
    for (const google::protobuf::FileDescriptor* file :
         {Job::descriptor()->file(), CheckpointManifest::descriptor()->file()}) {
      for (int s = 0; s < file->service_count(); ++s) {
        for (int m = 0; m < file->service(s)->method_count(); ++m) {
          const auto* const method = file->service(s)->method(m);
          // These take the worker away.
          const bool ends = method->name() == "LeaveCluster" || method->name() == "DrainWorker";
          (ends ? last : methods).push_back(method);
        }
      }
    }
    methods.insert(methods.end(), last.begin(), last.end());
    return methods;
  }

  void ExpectReplayed() {
    CoordinatorCore again(store_.get(), Clock::Real(), &metrics_, SchedulerOptions());
    EXPECT_OK(again.Recover());
    EXPECT_EQ(again.StateForTest(), core_.StateForTest());
    again.Close();
  }

  std::unique_ptr<grpc::GenericStub> raw_;
};

TEST_F(OddTextsTest, EveryTextOfEveryRequest) {
  const std::string job = RunJob();
  const std::vector<std::string> odd = OddTexts();
  int texts = 0;
  for (const google::protobuf::MethodDescriptor* method : Methods()) {
    const std::unique_ptr<Message> request = GoodRequest(*method, job);
    bool first = true;
    ForEachText(request.get(), [&](Message* message, const Field* field) {
      const std::string before = message->GetReflection()->GetString(*message, field);
      const auto try_text = [&](const std::string& text) {
        message->GetReflection()->SetString(message, field, text);
        const std::unique_ptr<Message> reply(
            google::protobuf::MessageFactory::generated_factory()->GetPrototype(method->output_type())->New());
        const grpc::Status status = RawCall(*method, *request, reply.get());
        EXPECT_TRUE(IsText(status.error_message())) << field->full_name() << ": " << ToText(status.error_message());
        EXPECT_LE(status.error_message().size(), static_cast<size_t>(limits::kReasonBytes)) << field->full_name();
        ExpectTexts(*reply);
        ++texts;
      };
      for (const std::string& text : odd) try_text(text);
      if (first) {
        try_text(std::string(3 << 20, 'l'));
        try_text(std::string(10 << 20, 'l'));
      }
      first = false;
      message->GetReflection()->SetString(message, field, before);
    });
  }
  EXPECT_GT(texts, 800);
  ASSERT_OK(Register("w0", 1));
  EXPECT_OK(Heartbeat("w0"));
  ExpectAllAnswered(job);
  ExpectReplayed();
  EXPECT_TRUE(IsText(exported_.Text()));
}

// What a rank said when it failed becomes the reason of the gang's end: cut somewhere, and never inside a character.
TEST_F(OddTextsTest, AReasonThatIsCutAtAnyByteIsJournalledAsText) {
  std::string job;
  for (int begin = 0; begin < 24; ++begin) {
    const std::string worker = absl::StrCat("w", begin);
    ASSERT_OK(Register(worker, 1));
    ASSERT_OK_AND_ASSIGN(job, Submit(ScriptJob(1), absl::StrCat("r", begin)));
    std::string message(static_cast<size_t>(begin), 'x');
    while (message.size() < 2 * limits::kReasonBytes) message += "\xe7\x8c\xab\xf0\x9f\x90\x88";
    RankStatus failed = Says(job, RANK_PHASE_FAILED, 1);
    failed.set_status_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
    failed.set_message(message);
    ASSERT_OK_AND_ASSIGN(const Job running, Get(job));
    ASSERT_EQ(running.worker_ids_size(), 1);
    ASSERT_OK(Heartbeat(running.worker_ids(0), {failed}));
    ASSERT_OK_AND_ASSIGN(const Job ended, Get(job));
    EXPECT_TRUE(ended.worker_ids().empty());
    EXPECT_GT(ended.reason().size(), limits::kReasonBytes - 16u);
    EXPECT_LE(ended.reason().size(), static_cast<size_t>(limits::kReasonBytes));
  }
  ExpectAllAnswered(job);
  ExpectReplayed();
}

}  // namespace
}  // namespace mimeo
