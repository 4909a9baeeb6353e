#include "coordinator/request_checks.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/log_limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "job/data_text.h"

namespace mimeo {
namespace {

constexpr size_t kQuotedBytes = 80;
constexpr int kDigestDigits = 64;              // SHA-256, hexadecimal
constexpr int64_t kSecondsMax = 315576000000;  // of a google.protobuf.Duration: 10,000 years

absl::Status CheckText(absl::string_view field, absl::string_view value, int bytes_min, int bytes_max) {
  const auto bytes = static_cast<int64_t>(value.size());
  if (bytes < bytes_min || bytes > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": ", bytes, " bytes; from ", bytes_min, " to ", bytes_max, " are legal"));
  }
  // Room for what is written out longer than it is: then it differs.
  if (ToText(value, static_cast<size_t>(bytes_max) + 8) == value) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": \"", ToText(value, kQuotedBytes), "\" is no text: control characters, or no UTF-8"));
}

absl::Status CheckDigest(absl::string_view field, absl::string_view digest) {
  const bool hexadecimal = std::all_of(digest.begin(), digest.end(),
                                       [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
  if (digest.empty() || (hexadecimal && digest.size() == kDigestDigits)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": \"", ToText(digest, kQuotedBytes), "\" (", digest.size(),
                                                 " bytes) is not 64 lower-case hexadecimal digits"));
}

absl::Status CheckCount(absl::string_view field, int64_t count, int64_t least, int64_t most) {
  if (count >= least && count <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", count, " is not in [", least, ", ", most, "]"));
}

absl::Status CheckDuration(absl::string_view field, const google::protobuf::Duration& duration) {
  RETURN_IF_ERROR(CheckCount(absl::StrCat(field, ".seconds"), duration.seconds(), 0, kSecondsMax));
  return CheckCount(absl::StrCat(field, ".nanos"), duration.nanos(), 0, 999999999);
}

absl::Status CheckContract(const TeacherContract& contract) {
  RETURN_IF_ERROR(CheckText("teachers.name", contract.name(), 1, limits::kNameBytes));
  RETURN_IF_ERROR(CheckDigest("teachers.weights_digest", contract.weights_digest()));
  RETURN_IF_ERROR(CheckText("teachers.family", contract.family(), 0, limits::kNameBytes));
  RETURN_IF_ERROR(CheckCount("teachers.mean", contract.mean_size(), 0, limits::kTeacherChannels));
  return CheckCount("teachers.std", contract.std_size(), 0, limits::kTeacherChannels);
}

absl::Status CheckBuild(absl::string_view field, const BuildInfo& build) {
  RETURN_IF_ERROR(CheckText(absl::StrCat(field, ".version"), build.version(), 0, limits::kNameBytes));
  RETURN_IF_ERROR(CheckText(absl::StrCat(field, ".commit"), build.commit(), 0, limits::kNameBytes));
  return CheckText(absl::StrCat(field, ".libtorch"), build.libtorch(), 0, limits::kNameBytes);
}

absl::Status CheckData(const RankStatus& status) {
  RETURN_IF_ERROR(CheckCount("data", status.data_size(), 0, limits::kJobDataSets));
  int64_t bytes = 0;
  for (const DataContents& data : status.data()) {
    bytes += static_cast<int64_t>(data.ByteSizeLong());
    RETURN_IF_ERROR(CheckText("data.field", data.field(), 1, limits::kNameBytes));
    RETURN_IF_ERROR(CheckCount("data.num_samples", data.num_samples(), 0, std::numeric_limits<int64_t>::max()));
    for (const PassedOver& row : data.passed_over()) {
      RETURN_IF_ERROR(CheckText("data.passed_over.reason", row.reason(), 1, limits::kShortReasonBytes));
      RETURN_IF_ERROR(CheckCount("data.passed_over.count", row.count(), 1, std::numeric_limits<int64_t>::max()));
      for (const std::string& name : row.names()) {
        RETURN_IF_ERROR(CheckText("data.passed_over.names", name, 0, limits::kShortReasonBytes));
      }
    }
    for (const std::string& note : data.notes())
      RETURN_IF_ERROR(CheckText("data.notes", note, 1, limits::kReasonBytes));
  }
  return CheckCount("data (bytes)", bytes, 0, limits::kJobDataBytes);
}

absl::Status CheckStatus(const RankStatus& status) {
  RETURN_IF_ERROR(CheckText("job_id", status.job_id(), 1, limits::kNameBytes));
  if (!RankPhase_IsValid(status.phase())) {
    return absl::InvalidArgumentError(absl::StrCat("phase: ", static_cast<int>(status.phase()), " is unknown"));
  }
  RETURN_IF_ERROR(CheckText("store_address", status.store_address(), 0, limits::kAddressBytes));
  RETURN_IF_ERROR(CheckDigest("dataset_digest", status.dataset_digest()));
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  RETURN_IF_ERROR(CheckCount("generation", status.generation(), 0, kMost));
  RETURN_IF_ERROR(CheckCount("rank", status.rank(), 0, limits::kRanksPerJob - 1));
  RETURN_IF_ERROR(CheckCount("step", status.step(), 0, kMost));
  RETURN_IF_ERROR(CheckCount("num_samples", status.num_samples(), 0, kMost));
  RETURN_IF_ERROR(CheckCount("total_steps", status.total_steps(), 0, kMost));
  RETURN_IF_ERROR(CheckCount("progress", status.progress(), 0, kMost));
  RETURN_IF_ERROR(CheckCount("bad_samples", status.bad_samples(), 0, kMost));
  RETURN_IF_ERROR(CheckDuration("quiet", status.quiet()));
  RETURN_IF_ERROR(CheckDuration("patience", status.patience()));
  RETURN_IF_ERROR(CheckCount("teachers", status.teachers_size(), 0, limits::kObjectives + 1));
  for (const TeacherContract& contract : status.teachers()) RETURN_IF_ERROR(CheckContract(contract));
  return CheckData(status);
}

// Of a step or an evaluation: `maps` are its metrics.
absl::Status CheckMetricNames(absl::string_view what, int64_t step,
                              std::initializer_list<const google::protobuf::Map<std::string, double>*> maps) {
  int names = 0;
  for (const auto* map : maps) {
    names += static_cast<int>(map->size());
    for (const auto& [name, value] : *map) {
      RETURN_IF_ERROR(
          CheckText(absl::StrCat(what, " ", step, ": a name of a metric"), name, 1, limits::kMetricNameBytes));
    }
  }
  if (names <= limits::kMetricNames) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " ", step, ": ", names, " metrics; at most ", limits::kMetricNames));
}

}  // namespace

absl::Status CheckWorker(const WorkerIdentity& worker) {
  RETURN_IF_ERROR(CheckBuild("worker.build", worker.build()));
  RETURN_IF_ERROR(CheckText("worker.host", worker.host(), 0, limits::kAddressBytes));
  RETURN_IF_ERROR(CheckCount("worker.devices", worker.devices_size(), 0, limits::kSlotsPerWorker));
  for (const DeviceInfo& device : worker.devices()) {
    RETURN_IF_ERROR(CheckText("worker.devices.name", device.name(), 0, limits::kDeviceNameBytes));
    RETURN_IF_ERROR(CheckText("worker.devices.uuid", device.uuid(), 0, limits::kDeviceNameBytes));
  }
  return absl::OkStatus();
}

absl::Status CheckTeacher(const TeacherHeartbeatRequest& request) {
  RETURN_IF_ERROR(CheckText("teacher.name", request.name(), 1, limits::kNameBytes));
  RETURN_IF_ERROR(CheckBuild("teacher.build", request.build()));
  return CheckText("teacher.address", request.address(), 1, limits::kAddressBytes);
}

absl::Status CheckLogs(const SendLogsRequest& request) {
  RETURN_IF_ERROR(CheckCount("pieces", request.pieces_size(), 0, limits::kLogPiecesPerBeat));
  for (const LogPiece& piece : request.pieces()) {
    RETURN_IF_ERROR(
        CheckCount("pieces.text (bytes)", static_cast<int64_t>(piece.text().size()), 0, limits::kLogTextBytes));
    RETURN_IF_ERROR(CheckText("pieces.message", piece.message(), 0, limits::kReasonBytes));
    RETURN_IF_ERROR(CheckCount("pieces.next_offset", piece.next_offset(), 0, std::numeric_limits<int64_t>::max()));
    RETURN_IF_ERROR(CheckCount("pieces.status_code", piece.status_code(), 0, 16));
  }
  return absl::OkStatus();
}

absl::Status CheckReport(const ReportStepsRequest& request) {
  for (const StepMetrics& step : request.steps()) {
    RETURN_IF_ERROR(CheckMetricNames("step", step.step(), {&step.terms(), &step.stats()}));
  }
  for (const EvaluationResult& evaluation : request.evaluations()) {
    RETURN_IF_ERROR(CheckMetricNames("evaluation of step", evaluation.step(), {&evaluation.values()}));
  }
  return absl::OkStatus();
}

absl::Status CheckManifest(const CheckpointManifest& manifest) {
  RETURN_IF_ERROR(CheckContentId(manifest.content_id()));
  RETURN_IF_ERROR(CheckDigest("manifest.dataset_digest", manifest.dataset_digest()));
  return CheckCount("manifest.chunk_sha256", manifest.chunk_sha256_size(), 0,
                    limits::kCheckpointBytes / limits::kChunkBytes);
}

absl::Status CheckContentId(absl::string_view content_id) {
  return CheckText("content_id", content_id, 1, limits::kNameBytes);
}

RefusedStatuses TakeStatuses(google::protobuf::RepeatedPtrField<RankStatus>* statuses) {
  RefusedStatuses refused;
  google::protobuf::RepeatedPtrField<RankStatus> taken;
  std::set<std::tuple<std::string, int64_t, int>> known;  // job, generation, rank
  for (RankStatus& status : *statuses) {
    absl::Status legal = CheckStatus(status);
    const auto key = std::make_tuple(status.job_id(), status.generation(), status.rank());
    if (legal.ok() && known.size() == limits::kRanksPerJob) {
      legal = CheckCount("ranks", statuses->size(), 0, limits::kRanksPerJob);
    }
    if (legal.ok() && !known.insert(key).second) {
      legal = absl::InvalidArgumentError("ranks: a second status of this rank");
    }
    if (!legal.ok()) {
      if (++refused.count > 1) continue;
      refused.first = absl::InvalidArgumentError(
          absl::StrCat("rank ", status.rank(), " of ", ToText(status.job_id(), kQuotedBytes), ": ", legal.message()));
      continue;
    }
    status.set_message(ToLines(status.message()));
    status.set_waiting_for(ToText(status.waiting_for()));
    status.set_doing(ToText(status.doing()));
    if (status.rank() != 0) status.clear_store_address();
    *taken.Add() = std::move(status);
  }
  taken.Swap(statuses);
  return refused;
}

}  // namespace mimeo
