// ClusterState as the records of a snapshot, and back.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "coordinator/cluster_state.h"

namespace mimeo {
namespace {

JobRecord RecordOf(const JobInfo& job) {
  JobRecord record;
  record.set_id(job.id);
  record.set_sequence(job.sequence);
  record.set_request_id(job.request_id);
  *record.mutable_spec() = job.spec;
  record.set_state(job.state);
  record.set_want(job.want);
  record.set_reason(job.reason);
  record.set_status_code(job.status_code);
  record.set_generation(job.generation);
  for (const std::string& worker : job.placement) record.add_placement(worker);
  record.set_resume_step(job.resume_step);
  record.set_failures_in_a_row(job.failures_in_a_row);
  record.set_failed_for_good(job.failed_for_good);
  record.set_needs_person(job.needs_person);
  record.set_paused_itself(job.paused_itself);
  for (const WorkerFailure& failure : job.failures) *record.add_failures() = failure;
  record.set_dataset_digest(job.dataset_digest);
  record.set_num_samples(job.num_samples);
  record.set_total_steps(job.total_steps);
  for (const auto& [name, contract] : job.teachers) *record.add_teachers() = contract;
  for (const int64_t step : job.checkpoint_steps) record.add_checkpoint_steps(step);
  record.set_submitted_unix_ms(job.submitted_unix_ms);
  for (const DataContents& data : job.data) *record.add_data() = data;
  record.set_owner(job.owner);
  record.set_started_unix_ms(job.started_unix_ms);
  record.set_finished_unix_ms(job.finished_unix_ms);
  for (const HistoryEntry& line : job.history) *record.add_history() = line;
  for (const PastGeneration& past : job.generations) {
    GenerationRecord* generation = record.add_generations();
    generation->set_generation(past.generation);
    for (const std::string& worker : past.workers) generation->add_worker_ids(worker);
  }
  return record;
}

// The history of a job whose snapshot an earlier version wrote: it had none.
HistoryEntry UnknownPast(const JobRecord& record) {
  HistoryEntry line;
  line.set_number(1);
  line.set_count(1);
  line.set_kind(HISTORY_KIND_UNKNOWN);
  line.mutable_time()->set_seconds(record.submitted_unix_ms() / 1000);
  *line.mutable_first_time() = line.time();
  line.set_text("submitted; what happened to it then was not written down by the version that ran");
  return line;
}

JobInfo InfoOf(const JobRecord& record) {
  JobInfo job;
  job.id = record.id();
  job.sequence = record.sequence();
  job.request_id = record.request_id();
  job.spec = record.spec();
  job.state = record.state();
  job.want = record.want();
  job.reason = record.reason();
  job.status_code = record.status_code();
  job.generation = record.generation();
  job.placement.assign(record.placement().begin(), record.placement().end());
  job.resume_step = record.resume_step();
  job.failures_in_a_row = record.failures_in_a_row();
  job.failed_for_good = record.failed_for_good();
  job.needs_person = record.needs_person();
  job.paused_itself = record.paused_itself();
  job.failures.assign(record.failures().begin(), record.failures().end());
  job.dataset_digest = record.dataset_digest();
  job.num_samples = record.num_samples();
  job.total_steps = record.total_steps();
  for (const TeacherContract& contract : record.teachers()) job.teachers[contract.name()] = contract;
  job.checkpoint_steps.assign(record.checkpoint_steps().begin(), record.checkpoint_steps().end());
  job.submitted_unix_ms = record.submitted_unix_ms();
  job.data.assign(record.data().begin(), record.data().end());
  job.owner = record.owner();
  job.started_unix_ms = record.started_unix_ms();
  job.finished_unix_ms = record.finished_unix_ms();
  job.history.assign(record.history().begin(), record.history().end());
  if (job.history.empty()) job.history.push_back(UnknownPast(record));
  for (const GenerationRecord& past : record.generations()) {
    job.generations.push_back({past.generation(), {past.worker_ids().begin(), past.worker_ids().end()}});
  }
  return job;
}

// Counts go on from what a snapshot says, and must not overflow by that.
constexpr int64_t kNumberMax = int64_t{1} << 62;

absl::Status CheckNumber(absl::string_view what, int64_t number, int64_t most = kNumberMax) {
  if (number >= 0 && number <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", number, " is not in [0, ", most, "]"));
}

absl::Status CheckNumbers(const JobRecord& job) {
  RETURN_IF_ERROR(CheckNumber("sequence", job.sequence()));
  RETURN_IF_ERROR(CheckNumber("generation", job.generation()));
  for (const HistoryEntry& line : job.history()) {
    RETURN_IF_ERROR(CheckNumber("history.number", line.number()));
    RETURN_IF_ERROR(CheckNumber("history.count", line.count()));
  }
  return CheckNumber("failures_in_a_row", job.failures_in_a_row(), /*most=*/1 << 30);
}

absl::Status Twice(absl::string_view what, absl::string_view name) {
  return absl::InvalidArgumentError(absl::StrCat(what, " ", name, " is there twice"));
}

}  // namespace

void ClusterState::Snapshot(absl::FunctionRef<void(const SnapshotRecord&)> visit) const {
  SnapshotRecord record;
  record.mutable_counts()->set_next_sequence(next_sequence_);
  visit(record);
  for (const auto& [id, job] : jobs_) {
    *record.mutable_job() = RecordOf(job);
    visit(record);
  }
  for (const auto& [id, worker] : workers_) {
    *record.mutable_worker() = worker.identity;
    visit(record);
  }
  for (const auto& [name, teacher] : teachers_) {
    record.mutable_teacher()->set_name(teacher.name);
    record.mutable_teacher()->set_incarnation(teacher.incarnation);
    record.mutable_teacher()->set_address(teacher.address);
    visit(record);
  }
  for (const std::string& id : drained_) {
    record.set_drained_worker(id);
    visit(record);
  }
}

absl::Status ClusterState::RestoreJob(const JobRecord& record) {
  if (jobs_.count(record.id()) > 0) return Twice("job", record.id());
  if (order_.count(record.sequence()) > 0) return Twice("job number", absl::StrCat(record.sequence()));
  if (requests_.count(record.request_id()) > 0) return Twice("request", record.request_id());
  RETURN_IF_ERROR(CheckNumbers(record));
  if (record.state() == JOB_STATE_UNSPECIFIED || !JobState_IsValid(record.state())) {
    return absl::InvalidArgumentError(
        absl::StrCat("job ", record.id(), ": state ", static_cast<int>(record.state()), " is unknown"));
  }
  JobInfo& job = jobs_[record.id()] = InfoOf(record);
  ++jobs_in_state_[job.state];
  requests_[job.request_id] = job.id;
  order_[job.sequence] = job.id;
  next_sequence_ = std::max(next_sequence_, job.sequence + 1);
  for (const std::string& worker : job.placement) ++slots_held_[worker][job.id];
  slots_busy_ += static_cast<int>(job.placement.size());
  return absl::OkStatus();
}

absl::Status ClusterState::Restore(const SnapshotRecord& record) {
  switch (record.kind_case()) {
    case SnapshotRecord::kCounts:
      RETURN_IF_ERROR(CheckNumber("next_sequence", record.counts().next_sequence()));
      next_sequence_ = std::max(next_sequence_, record.counts().next_sequence());
      return absl::OkStatus();
    case SnapshotRecord::kJob:
      return RestoreJob(record.job());
    case SnapshotRecord::kWorker:
      if (workers_.count(record.worker().id()) > 0) return Twice("worker", record.worker().id());
      Register(record.worker());
      return absl::OkStatus();
    case SnapshotRecord::kTeacher: {
      const TeacherRegistered& teacher = record.teacher();
      if (teachers_.count(teacher.name()) > 0) return Twice("teacher", teacher.name());
      teachers_[teacher.name()] = {teacher.name(), teacher.incarnation(), teacher.address()};
      return absl::OkStatus();
    }
    case SnapshotRecord::kDrainedWorker:
      drained_.insert(record.drained_worker());
      return absl::OkStatus();
    case SnapshotRecord::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("a record of no kind, or of a newer version");
}

}  // namespace mimeo
