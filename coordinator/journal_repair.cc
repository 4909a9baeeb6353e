#include "coordinator/journal_repair.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "coordinator/event_job.h"
#include "store/journal.h"

namespace mimeo {
namespace {

// "gang_placed of j3".
std::string Kind(const Event& event) {
  const google::protobuf::OneofDescriptor* kinds = Event::descriptor()->FindOneofByName("kind");
  const google::protobuf::FieldDescriptor* kind = Event::GetReflection()->GetOneofFieldDescriptor(event, kinds);
  const std::string name = kind == nullptr ? "an event of no kind" : kind->name();
  const std::string job = JobOf(event);
  return job.empty() ? name : absl::StrCat(name, " of ", job);
}

// 7 of "j7"; 0 of what is no job id.
int64_t NumberOf(absl::string_view job_id) {
  int64_t number = 0;
  return absl::ConsumePrefix(&job_id, "j") && absl::SimpleAtoi(job_id, &number) ? number : 0;
}

class Mender {
 public:
  explicit Mender(const std::set<CheckpointKey>& lost) : lost_(lost) {}

  // A job of the snapshot whose record is lost is lost itself: what says so is that the record is set aside.
  void Restore(const FoundEntry& found) {
    SnapshotRecord record;
    absl::Status legal = found.bytes.status();
    if (legal.ok() && !record.ParseFromString(*found.bytes)) legal = absl::DataLossError("it cannot be read");
    if (record.has_job()) ForgetLostCheckpoints(record.mutable_job());
    if (legal.ok()) legal = mended_.state.Restore(record);
    if (legal.ok()) return;
    mended_.set_aside.push_back({found.number, /*in_snapshot=*/true,
                                 record.has_job() ? absl::StrCat("job ", record.job().id()) : "unreadable",
                                 std::string(legal.message()), found.bytes.value_or("")});
  }

  // The state so far stands for the first entries.
  void EndSnapshot(int64_t first, const std::string& problem) {
    mended_.first = first;
    if (!problem.empty()) mended_.changes.push_back(problem);
    if (first == 0) return;
    mended_.state.Snapshot(
        [&](const SnapshotRecord& record) { mended_.snapshot.push_back(record.SerializeAsString()); });
  }

  void Add(const FoundEntry& entry) {
    if (!entry.bytes.ok()) {
      const bool missing = absl::IsNotFound(entry.bytes.status());
      SetAside(entry, missing ? "missing" : "unreadable",
               missing ? "it is not in the store" : std::string(entry.bytes.status().message()));
      return;
    }
    const absl::StatusOr<Event> event = ParseEvent(*entry.bytes);
    if (!event.ok()) {
      SetAside(entry, "no event", std::string(event.status().message()));
      return;
    }
    if (event->has_checkpoint_committed()) {
      const CheckpointManifest& manifest = event->checkpoint_committed().manifest();
      if (lost_.count({manifest.job_id(), manifest.step()}) > 0) {
        SetAside(entry, Kind(*event), absl::StrCat("the bytes of step ", manifest.step(), " cannot be read"));
        return;
      }
    }
    GiveLostJobsTheirNumbers(*event);
    Keep(entry, *event);
  }

  MendedJournal Take() && { return std::move(mended_); }

 private:
  void ForgetLostCheckpoints(JobRecord* job) {
    std::vector<int64_t> kept;
    for (const int64_t step : job->checkpoint_steps()) {
      if (lost_.count({job->id(), step}) == 0) kept.push_back(step);
    }
    if (static_cast<int>(kept.size()) == job->checkpoint_steps_size()) return;
    job->mutable_checkpoint_steps()->Assign(kept.begin(), kept.end());
    if (lost_.count({job->id(), job->resume_step()}) == 0) return;
    const int64_t before = kept.empty() ? 0 : kept.back();
    mended_.changes.push_back(absl::StrCat(job->id(), ": begins from step ", before, " in place of ",
                                           job->resume_step(), ", which cannot be read"));
    job->set_resume_step(before);
  }

  // An event may name a job whose submission, or that of an earlier one, is lost: each such job is listed as cancelled.
  void GiveLostJobsTheirNumbers(const Event& event) {
    const int64_t number = NumberOf(JobOf(event));
    const int64_t lost = event.has_job_submitted() ? number - 1 : number;
    // A job id that no journal of this length could have reached is itself damage.
    if (lost - NumberOf(mended_.state.NextJobId()) > kLostJobsMax) return;
    while (NumberOf(mended_.state.NextJobId()) <= lost) {
      const std::string id = mended_.state.NextJobId();
      Event submitted;
      *submitted.mutable_time() = event.time();
      submitted.mutable_job_submitted()->set_job_id(id);
      submitted.mutable_job_submitted()->set_request_id(absl::StrCat("lost-", id));
      submitted.mutable_job_submitted()->mutable_spec()->set_name("lost");
      submitted.mutable_job_submitted()->mutable_spec()->mutable_resources()->set_num_ranks(1);
      Event finished;
      *finished.mutable_time() = event.time();
      finished.mutable_job_finished()->set_job_id(id);
      finished.mutable_job_finished()->set_state(JOB_STATE_CANCELLED);
      finished.mutable_job_finished()->set_reason(
          "its submission could not be read when the store was repaired: submit it again");
      if (!mended_.state.CheckReplayed(submitted).ok()) return;
      Append(submitted, submitted.SerializeAsString());
      Append(finished, finished.SerializeAsString());
      mended_.changes.push_back(absl::StrCat(id, ": its submission is lost; it is listed as cancelled"));
    }
  }

  void Keep(const FoundEntry& entry, Event event) {
    std::string bytes = *entry.bytes;
    GangPlaced* placed = event.has_gang_placed() ? event.mutable_gang_placed() : nullptr;
    if (placed != nullptr && lost_.count({placed->job_id(), placed->resume_step()}) > 0) {
      const auto job = mended_.state.jobs().find(placed->job_id());
      const bool none = job == mended_.state.jobs().end() || job->second.checkpoint_steps.empty();
      const int64_t before = none ? 0 : job->second.checkpoint_steps.back();
      mended_.changes.push_back(absl::StrCat("entry ", entry.number, " (", Kind(event), "): begins from step ", before,
                                             " in place of ", placed->resume_step(), ", which cannot be read"));
      placed->set_resume_step(before);
      bytes = event.SerializeAsString();
    }
    const absl::Status legal = mended_.state.CheckReplayed(event);
    if (legal.ok()) {
      Append(event, std::move(bytes));
    } else {
      SetAside(entry, Kind(event), absl::StrCat("it contradicts what comes before it: ", legal.message()));
    }
  }

  void Append(const Event& event, std::string bytes) {
    mended_.state.Apply(event);
    mended_.entries.push_back(std::move(bytes));
  }

  void SetAside(const FoundEntry& entry, std::string what, std::string why) {
    mended_.set_aside.push_back(
        {entry.number, /*in_snapshot=*/false, std::move(what), std::move(why), entry.bytes.value_or("")});
  }

  static constexpr int64_t kLostJobsMax = 100000;
  const std::set<CheckpointKey>& lost_;
  MendedJournal mended_;
};

}  // namespace

MendedJournal MendJournal(const FoundJournal& found, const std::set<CheckpointKey>& lost) {
  Mender mender(lost);
  for (const FoundEntry& record : found.snapshot) mender.Restore(record);
  mender.EndSnapshot(found.first, found.snapshot_problem);
  for (const FoundEntry& entry : found.entries) mender.Add(entry);
  return std::move(mender).Take();
}

}  // namespace mimeo
