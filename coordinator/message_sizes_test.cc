// Whatever is legal fits into a message: the largest request and reply of each method of proto/coordinator.proto and
// proto/checkpoint.proto, with every number at its longest and every text at its bound. A field without a bound here
// fails.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/log_limits.h"
#include "base/testing/status_matchers.h"
#include "coordinator/job_history.h"
#include "coordinator/request_checks.h"
#include "job/data_text.h"
#include "proto/checkpoint.pb.h"
#include "proto/coordinator.pb.h"

namespace mimeo {
namespace {

using Field = google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kShaBytes = 32;
constexpr int kDigestBytes = 2 * kShaBytes;
constexpr int kTokenBytes = limits::kNameBytes + 9;
constexpr int kTeachers = limits::kObjectives + 1;
// Of a worker's slots, and as many that ended and are repeated until they are heard.
constexpr int kStatuses = 2 * limits::kSlotsPerWorker;
// The texts of one rank of the largest gang: CoordinatorCore::Describe.
constexpr int kRankTextBytes = limits::kPageBytes / limits::kRanksPerJob;

// Bytes of a text, by "Type.field" or by field; times of a repeated field. The first that is found counts.
const std::map<std::string, int>& Bounds() {
  static const auto* const bounds =
      new std::map<std::string, int>{// Texts.
                                     {"job_id", limits::kNameBytes},
                                     {"request_id", limits::kNameBytes},
                                     {"worker_id", limits::kNameBytes},
                                     {"incarnation", limits::kNameBytes},
                                     {"id", limits::kNameBytes},
                                     {"name", limits::kNameBytes},
                                     {"content_id", limits::kNameBytes},
                                     {"family", limits::kNameBytes},
                                     {"page_token", kTokenBytes},
                                     {"next_page_token", kTokenBytes},
                                     {"dataset_digest", kDigestBytes},
                                     {"weights_digest", kDigestBytes},
                                     {"store_address", limits::kAddressBytes},
                                     {"address", limits::kAddressBytes},
                                     {"host", limits::kAddressBytes},
                                     {"DeviceInfo.name", limits::kDeviceNameBytes},
                                     {"uuid", limits::kDeviceNameBytes},
                                     {"version", limits::kNameBytes},
                                     {"commit", limits::kNameBytes},
                                     {"libtorch", limits::kNameBytes},
                                     {"message", limits::kReasonBytes},
                                     {"waiting_for", limits::kReasonBytes},
                                     {"doing", limits::kReasonBytes},
                                     {"gang_waits_for", limits::kReasonBytes},
                                     {"reason", limits::kReasonBytes},
                                     {"note", limits::kReasonBytes},
                                     {"last_failure", limits::kReasonBytes},
                                     {"owner", limits::kNameBytes},
                                     {"user", limits::kNameBytes},
                                     {"why", limits::kShortReasonBytes},
                                     {"silence", limits::kShortReasonBytes},
                                     {"now", limits::kShortReasonBytes},
                                     {"HistoryEntry.text", limits::kShortReasonBytes},
                                     {"text", limits::kLogTextBytes},
                                     {"sha256", kShaBytes},
                                     {"bytes", limits::kChunkBytes},
                                     // Counts.
                                     {"states", JobState_ARRAYSIZE},
                                     {"entries", kHistoryLines},
                                     {"logs", limits::kLogWishesPerWorker},
                                     {"pieces", limits::kLogPiecesPerBeat},
                                     {"teachers", kTeachers},
                                     {"pinned_teachers", kTeachers},
                                     {"mean", limits::kTeacherChannels},
                                     {"std", limits::kTeacherChannels},
                                     {"devices", limits::kSlotsPerWorker},
                                     {"gangs", limits::kSlotsPerWorker},
                                     // Three data sets of a job, together kJobDataBytes.
                                     {"field", limits::kNameBytes},
                                     {"PassedOver.reason", limits::kNameBytes},
                                     {"data", limits::kJobDataSets},
                                     {"passed_over", 8},
                                     {"names", 3},
                                     {"notes", 6},
                                     {"GangOrder.ranks", limits::kSlotsPerWorker},
                                     {"HeartbeatRequest.ranks", kStatuses},
                                     {"LeaveClusterRequest.ranks", kStatuses},
                                     {"Job.ranks", limits::kRanksPerJob},
                                     {"worker_ids", limits::kRanksPerJob},
                                     {"chunk_sha256", limits::kCheckpointBytes / limits::kChunkBytes},
                                     {"terms", limits::kMetricNames / 2},
                                     {"stats", limits::kMetricNames / 2},
                                     {"values", limits::kMetricNames}};
  return *bounds;
}

std::optional<int> BoundOf(const Field* field) {
  for (const std::string& key :
       {absl::StrCat(field->containing_type()->name(), ".", field->name()), std::string(field->name())}) {
    const auto found = Bounds().find(key);
    if (found != Bounds().end()) return found->second;
  }
  return std::nullopt;
}

// Cut at limits::kPageBytes by whoever writes them: one item fits beside what was there.
bool IsPaged(const Field* field) {
  static const auto* const paged = new std::set<std::string>{
      "ListJobsReply.jobs",  "ListWorkersReply.workers", "ListTeachersReply.teachers", "ListCheckpointsReply.manifests",
      "MetricsReply.steps",  "MetricsReply.evaluations", "ReportStepsRequest.steps",   "ReportStepsRequest.evaluations",
      "ExplainReply.reasons"};
  return paged->count(absl::StrCat(field->containing_type()->name(), ".", field->name())) > 0;
}

JobSpec LargestSpec() {
  JobSpec spec;
  google::protobuf::UnknownFieldSet* const unknown = spec.GetReflection()->MutableUnknownFields(&spec);
  unknown->AddLengthDelimited(1000, std::string(limits::kSpecBytes - 6, 's'));
  EXPECT_LE(static_cast<int64_t>(spec.ByteSizeLong()), limits::kSpecBytes);
  EXPECT_GE(static_cast<int64_t>(spec.ByteSizeLong()), limits::kSpecBytes - 2);
  return spec;
}

void Enlarge(Message* message);

void EnlargeMap(Message* message, const Field* field, int count) {
  for (int i = 0; i < count; ++i) {
    Message* const entry = message->GetReflection()->AddMessage(message, field);
    std::string name = absl::StrCat(i);
    name.resize(limits::kMetricNameBytes, 'n');
    entry->GetReflection()->SetString(entry, entry->GetDescriptor()->FindFieldByName("key"), name);
    entry->GetReflection()->SetDouble(entry, entry->GetDescriptor()->FindFieldByName("value"), 1.0 / 3);
  }
}

void EnlargeRepeated(Message* message, const Field* field) {
  const google::protobuf::Reflection* const reflection = message->GetReflection();
  const std::optional<int> count = IsPaged(field) ? 1 : BoundOf(field);
  ASSERT_TRUE(count.has_value()) << field->full_name() << " is repeated and has no bound";
  if (field->is_map()) return EnlargeMap(message, field, *count);
  for (int i = 0; i < *count; ++i) {
    switch (field->cpp_type()) {
      case Field::CPPTYPE_MESSAGE: {
        // One is made, and copied: they are large.
        if (i == 0)
          Enlarge(reflection->AddMessage(message, field));
        else
          reflection->AddMessage(message, field)->CopyFrom(reflection->GetRepeatedMessage(*message, field, 0));
        break;
      }
      case Field::CPPTYPE_STRING: {
        const bool digest = field->type() == Field::TYPE_BYTES;
        const bool reason = field->name() == "reasons";
        reflection->AddString(message, field,
                              std::string(digest   ? kShaBytes
                                          : reason ? limits::kReasonBytes
                                                   : limits::kNameBytes,
                                          't'));
        break;
      }
      case Field::CPPTYPE_FLOAT:
        reflection->AddFloat(message, field, 0.5f);
        break;
      case Field::CPPTYPE_INT32:
        reflection->AddInt32(message, field, limits::kRanksPerJob);
        break;
      case Field::CPPTYPE_ENUM:
        reflection->AddEnumValue(message, field, 1);
        break;
      default:
        FAIL() << field->full_name() << ": a type that is not known here";
    }
  }
}

void EnlargeValue(Message* message, const Field* field) {
  const google::protobuf::Reflection* const reflection = message->GetReflection();
  switch (field->cpp_type()) {
    case Field::CPPTYPE_MESSAGE:
      if (field->message_type() == JobSpec::descriptor())
        reflection->MutableMessage(message, field)->CopyFrom(LargestSpec());
      else
        Enlarge(reflection->MutableMessage(message, field));
      return;
    case Field::CPPTYPE_STRING: {
      const std::optional<int> bytes = BoundOf(field);
      ASSERT_TRUE(bytes.has_value()) << field->full_name() << " is a text and has no bound";
      return reflection->SetString(message, field, std::string(static_cast<size_t>(*bytes), 't'));
    }
    case Field::CPPTYPE_INT32:
      return reflection->SetInt32(message, field, -1);
    case Field::CPPTYPE_INT64:
      return reflection->SetInt64(message, field, std::numeric_limits<int64_t>::max());
    case Field::CPPTYPE_BOOL:
      return reflection->SetBool(message, field, true);
    case Field::CPPTYPE_DOUBLE:
      return reflection->SetDouble(message, field, 1.0 / 3);
    case Field::CPPTYPE_FLOAT:
      return reflection->SetFloat(message, field, 0.3f);
    case Field::CPPTYPE_ENUM:
      return reflection->SetEnumValue(message, field, 1);
    default:
      FAIL() << field->full_name() << ": a type that is not known here";
  }
}

void Enlarge(Message* message) {
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const Field* const field = message->GetDescriptor()->field(i);
    if (field->is_repeated())
      EnlargeRepeated(message, field);
    else
      EnlargeValue(message, field);
  }
}

// What the coordinator leaves out of a reply of its own.
void LeaveOut(Message* message) {
  const auto shown = [](Job* job) {
    for (RankStatus& rank : *job->mutable_ranks()) {
      rank.set_message(std::string(kRankTextBytes, 't'));
      rank.clear_waiting_for();
      rank.clear_doing();
      rank.clear_teachers();
      rank.clear_data();
      if (&rank != job->mutable_ranks(0)) rank.clear_store_address();
    }
  };
  if (auto* job = dynamic_cast<Job*>(message)) shown(job);
  if (auto* list = dynamic_cast<ListJobsReply*>(message))
    list->mutable_jobs(0)->clear_ranks(), list->mutable_jobs(0)->clear_data();
  if (auto* list = dynamic_cast<ListCheckpointsReply*>(message)) list->mutable_manifests(0)->clear_chunk_sha256();
}

int64_t LargestBytes(const google::protobuf::Descriptor* type) {
  const Message* const prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  const std::unique_ptr<Message> message(prototype->New());
  Enlarge(message.get());
  LeaveOut(message.get());
  int64_t bytes = static_cast<int64_t>(message->ByteSizeLong());
  for (int i = 0; i < type->field_count(); ++i) {
    if (IsPaged(type->field(i))) return bytes + limits::kPageBytes;
  }
  return bytes;
}

TEST(MessageSizesTest, EveryRequestAndReplyFits) {
  std::set<std::string> measured;
  for (const google::protobuf::FileDescriptor* file :
       {Job::descriptor()->file(), CheckpointManifest::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const google::protobuf::MethodDescriptor* const method = file->service(s)->method(m);
        for (const auto* type : {method->input_type(), method->output_type()}) {
          if (!measured.insert(std::string(type->name())).second) continue;
          const int64_t bytes = LargestBytes(type);
          EXPECT_LT(bytes, limits::kMessageBytes) << method->full_name() << " " << type->name();
          RecordProperty(std::string(type->name()), absl::StrCat(bytes));
        }
      }
    }
  }
  EXPECT_GE(measured.size(), 30u);
}

// What is measured above is what the checks let in, and no more.
TEST(MessageSizesTest, TheLargestIsLegal) {
  HeartbeatRequest heartbeat;
  Enlarge(&heartbeat);
  RankStatus status = heartbeat.ranks(0);
  status.set_rank(0);
  status.set_dataset_digest(std::string(kDigestBytes, 'a'));
  for (TeacherContract& contract : *status.mutable_teachers()) {
    contract.set_weights_digest(std::string(kDigestBytes, 'a'));
  }
  for (google::protobuf::Duration* duration : {status.mutable_quiet(), status.mutable_patience()}) {
    duration->set_seconds(1);
    duration->set_nanos(1);
  }
  google::protobuf::RepeatedPtrField<RankStatus> statuses;
  *statuses.Add() = status;
  const RefusedStatuses refused = TakeStatuses(&statuses);
  EXPECT_OK(refused.first);
  ASSERT_EQ(statuses.size(), 1);
  EXPECT_EQ(statuses[0].ByteSizeLong(), status.ByteSizeLong()) << "nothing was cut";

  WorkerIdentity worker;
  Enlarge(&worker);
  EXPECT_OK(CheckWorker(worker));
  CommitCheckpointRequest commit;
  Enlarge(&commit);
  commit.mutable_manifest()->set_dataset_digest(std::string(kDigestBytes, 'a'));
  EXPECT_OK(CheckManifest(commit.manifest()));
  TeacherHeartbeatRequest teacher;
  Enlarge(&teacher);
  EXPECT_OK(CheckTeacher(teacher));
  ReportStepsRequest report;
  Enlarge(&report);
  EXPECT_OK(CheckReport(report));
}

}  // namespace
}  // namespace mimeo
