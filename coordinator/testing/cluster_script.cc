#include "coordinator/testing/cluster_script.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/build_info.h"
#include "base/check.h"
#include "base/digest.h"
#include "coordinator/replay.h"

namespace mimeo::testing {
namespace {

std::string StatusText(const absl::Status& status) {
  return status.ok() ? "" : absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message(), "\n");
}

std::string EventText(const Event& event) {
  switch (event.kind_case()) {
    case Event::kJobSubmitted:
      return absl::StrCat(event.job_submitted().job_id(), ": submitted");
    case Event::kJobControlled:
      return absl::StrCat(event.job_controlled().job_id(), ": ", Want_Name(event.job_controlled().want()));
    case Event::kJobExtended:
      return absl::StrCat(event.job_extended().job_id(), ": extended to ", event.job_extended().total_steps(),
                          " steps");
    case Event::kGangPlaced: {
      const GangPlaced& placed = event.gang_placed();
      return absl::StrCat(placed.job_id(), ": generation ", placed.generation(), " on ",
                          absl::StrJoin(placed.worker_ids(), " "), ", ",
                          placed.resume_step() == 0 ? std::string("from the beginning")
                                                    : absl::StrCat("resume at step ", placed.resume_step()));
    }
    case Event::kGangEnded: {
      const GangEnded& ended = event.gang_ended();
      return absl::StrCat(ended.job_id(), ": generation ", ended.generation(), " ended, ", GangEnd_Name(ended.end()),
                          ended.permanent()      ? " for good: "
                          : ended.needs_person() ? " until a person helps: "
                                                 : ": ",
                          ended.reason());
    }
    case Event::kDatasetPinned:
      return absl::StrCat(event.dataset_pinned().job_id(), ": data pinned to ", event.dataset_pinned().digest());
    case Event::kDataDescribed:
      return absl::StrCat(event.data_described().job_id(), ": told what its data leave out");
    case Event::kCheckpointCommitted:
      return absl::StrCat(event.checkpoint_committed().manifest().job_id(), ": checkpoint of step ",
                          event.checkpoint_committed().manifest().step());
    case Event::kCheckpointDeleted:
      return absl::StrCat(event.checkpoint_deleted().job_id(), ": checkpoint of step ",
                          event.checkpoint_deleted().step(), " deleted");
    case Event::kJobFinished:
      return absl::StrCat(event.job_finished().job_id(), ": ", JobState_Name(event.job_finished().state()), ": ",
                          event.job_finished().reason());
    case Event::kWorkerRegistered:
      return absl::StrCat(event.worker_registered().worker().id(), ": registered with ",
                          event.worker_registered().worker().slots(), " slots");
    case Event::kWorkerForgotten:
      return absl::StrCat(event.worker_forgotten().worker_id(), ": forgotten");
    case Event::kTeacherRegistered:
      return absl::StrCat("teacher ", event.teacher_registered().name(), ": registered at ",
                          event.teacher_registered().address());
    case Event::kTeacherForgotten:
      return absl::StrCat("teacher ", event.teacher_forgotten().name(), ": forgotten");
    case Event::kJobPaused:
      return absl::StrCat(event.job_paused().job_id(), ": paused: ", event.job_paused().reason());
    case Event::kTeacherPinned:
      return absl::StrCat(event.teacher_pinned().job_id(), ": teacher ", event.teacher_pinned().contract().name(),
                          " pinned to ", event.teacher_pinned().contract().weights_digest());
    case Event::kJobDeleted:
      return absl::StrCat(event.job_deleted().job_id(), ": deleted");
    case Event::kWorkerDrained:
      return absl::StrCat(event.worker_drained().worker_id(),
                          event.worker_drained().drained() ? ": drained" : ": undrained");
    case Event::KIND_NOT_SET:
      break;
  }
  return "an unknown event";
}

std::string AssignmentText(const GangAssignment& assignment) {
  std::string text = absl::StrCat("run ", assignment.job_id(), " rank ", assignment.rank(), " of ",
                                  assignment.num_ranks(), " generation=", assignment.generation());
  if (!assignment.store_address().empty()) absl::StrAppend(&text, " store=", assignment.store_address());
  for (const TeacherInfo& teacher : assignment.teachers()) {
    absl::StrAppend(&text, " teacher=", teacher.name(), "@", teacher.address());
  }
  if (assignment.resume_step() != 0) absl::StrAppend(&text, " resume=", assignment.resume_step());
  if (!assignment.dataset_digest().empty()) absl::StrAppend(&text, " data=", assignment.dataset_digest());
  if (!assignment.gang_waits_for().empty()) absl::StrAppend(&text, " gang-waits=\"", assignment.gang_waits_for(), "\"");
  if (assignment.stop() != STOP_UNSPECIFIED) absl::StrAppend(&text, " ", Stop_Name(assignment.stop()));
  return text;
}

// The bytes of every checkpoint here: their step in words, in one chunk.
std::string ChunkBytes(int64_t step) { return absl::StrCat("parameters after step ", step); }

}  // namespace

JobSpec ScriptJob(int num_ranks) {
  JobSpec spec;
  spec.mutable_data()->set_path("photos");
  spec.mutable_data()->set_global_batch(4 * num_ranks);
  spec.mutable_data()->set_image_px(32);
  VitSpec* vit = spec.mutable_encoder()->mutable_vit();
  vit->set_patch_px(8);
  vit->set_width(64);
  vit->set_depth(1);
  vit->set_heads(2);
  spec.add_objective()->mutable_reconstruction();
  spec.mutable_optimizer()->mutable_adamw();
  spec.mutable_schedule()->set_steps(100);
  spec.mutable_resources()->set_num_ranks(num_ranks);
  return spec;
}

ClusterScript::ClusterScript(KeyValueStore* store, absl::Duration lease, const JournalBounds& bounds)
    : store_(store), bounds_(bounds), exported_(MetricOwner::kCoordinator), metrics_(&exported_) {
  options_.lease = lease;
  const std::string recovered = Restart();
  MIMEO_CHECK(recovered.empty(), recovered);
  NewEvents();
}

std::string ClusterScript::Command::Option(const std::string& name, const std::string& otherwise) const {
  const auto found = options.find(name);
  return found == options.end() ? otherwise : found->second;
}

int64_t ClusterScript::Command::Number(const std::string& name, int64_t otherwise) const {
  const auto found = options.find(name);
  int64_t number = otherwise;
  if (found != options.end()) MIMEO_CHECK(absl::SimpleAtoi(found->second, &number), name, "=", found->second);
  return number;
}

ClusterScript::Command ClusterScript::Parse(const std::string& text) {
  Command command;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
    if (parts.size() == 1)
      command.words.push_back(parts[0]);
    else
      command.options[parts[0]] = parts[1];
  }
  return command;
}

std::string ClusterScript::Run(const std::string& text) {
  const Command command = Parse(text);
  std::string answer = Execute(command);
  absl::StrAppend(&answer, NewEvents());
  return answer.empty() ? "ok\n" : answer;
}

std::string ClusterScript::Execute(const Command& command) {
  const std::vector<std::string>& words = command.words;
  if (words.empty()) return "an empty command\n";
  if (words[0] == "restart") return Restart();
  if (words[0] == "workers") return Workers();
  if (words.size() < 2) return absl::StrCat(words[0], " needs a name\n");
  if (words[0] == "worker") return RegisterWorker(command);
  if (words[0] == "teacher") {
    TeacherHeartbeatRequest& teacher = teachers_[words[1]];
    teacher.set_name(words[1]);
    teacher.set_incarnation(command.Option("incarnation", "1"));
    teacher.set_address(command.Option("address", absl::StrCat(words[1], ":1")));
    return TeacherHeartbeat(words[1]);
  }
  if (words[0] == "submit") return Submit(command);
  if (words[0] == "pause") return Control(command, WANT_PAUSE);
  if (words[0] == "resume") return Control(command, WANT_RUN);
  if (words[0] == "cancel") return Control(command, WANT_CANCEL);
  if (words[0] == "delete") return StatusText(core_->DeleteJob(words[1]).status());
  if (words[0] == "explain") return ExplainJob(words[1]);
  if (words[0] == "events") return History(words[1]);
  if (words[0] == "extend") return Extend(command);
  if (words[0] == "rank" && words.size() == 4) return Rank(command);
  if (words[0] == "heartbeat") return Heartbeat(words[1], command.Number("leaving") > 0);
  if (words[0] == "leave") return LeaveCluster(words[1]);
  if (words[0] == "drain" || words[0] == "undrain") return Drain(words[1], words[0] == "drain");
  if (words[0] == "wall") return SetWall(words[1]);
  if (words[0] == "upload") return Upload(command);
  if (words[0] == "commit") return CommitCheckpoint(command);
  if (words[0] == "report") return Report(command);
  if (words[0] == "advance") return Advance(command);
  return absl::StrCat("unknown command ", words[0], "\n");
}

std::string ClusterScript::NewEvents() {
  std::string text;
  Journal journal(store_);
  const auto apply = [&](const Event& event) {
    if (journal.size() >= events_seen_) absl::StrAppend(&text, EventText(event), "\n");
    return absl::OkStatus();
  };
  const absl::Status read = journal.Replay(apply, [](const JournalSnapshot&) { return absl::OkStatus(); });
  if (!read.ok()) return StatusText(read);
  events_seen_ = journal.size();
  return text;
}

std::vector<Job> ClusterScript::Jobs() const {
  std::vector<Job> jobs;
  ListJobsRequest request;
  do {
    const absl::StatusOr<ListJobsReply> page = core_->ListJobs(request);
    if (!page.ok()) return jobs;
    jobs.insert(jobs.end(), page->jobs().begin(), page->jobs().end());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return jobs;
}

std::string ClusterScript::Replayed() const {
  ClusterState state;
  Journal journal(store_);
  const absl::Status read = ReplayInto(&journal, &state);
  return read.ok() ? state.DebugString() : StatusText(read);
}

std::string ClusterScript::RegisterWorker(const Command& command) {
  WorkerIdentity worker;
  worker.set_id(command.words[1]);
  worker.set_incarnation(command.Option("incarnation", "1"));
  worker.set_slots(static_cast<int>(command.Number("slots")));
  worker.set_host("127.0.0.1");
  *worker.mutable_build() = ThisBuild();
  if (command.Number("cuda") > 0) {
    DeviceInfo* device = worker.add_devices();
    device->set_device(DEVICE_CUDA);
    device->set_bfloat16(command.Number("bf16") > 0);
    device->set_nvlink(command.Number("nvlink") > 0);
  }
  const absl::Status status = core_->RegisterWorker(worker);
  if (status.ok()) incarnations_[worker.id()] = worker.incarnation();
  return StatusText(status);
}

std::string ClusterScript::TeacherHeartbeat(const std::string& name) {
  return StatusText(core_->TeacherHeartbeat(teachers_[name]));
}

std::string ClusterScript::Submit(const Command& command) {
  SubmitRequest request;
  request.set_request_id(absl::StrCat("request-", command.words[1]));
  JobSpec& spec = *request.mutable_spec();
  spec = ScriptJob(static_cast<int>(command.Number("ranks", 1)));
  spec.mutable_resources()->set_priority(static_cast<int>(command.Number("priority")));
  spec.mutable_resources()->set_max_restarts(static_cast<int>(command.Number("restarts", 4)));
  spec.mutable_checkpoint()->set_keep_last(static_cast<int>(command.Number("keep", 3)));
  if (command.Option("device") == "cuda") spec.mutable_resources()->set_device(DEVICE_CUDA);
  if (command.Option("device") == "cpu") spec.mutable_resources()->set_device(DEVICE_CPU);
  if (command.Option("precision") == "bf16") spec.mutable_resources()->set_precision(PRECISION_BF16);
  if (!command.Option("teacher").empty()) {
    spec.add_objective()->mutable_mimic()->set_teacher(command.Option("teacher"));
  }
  request.set_owner(command.Option("by"));
  const absl::StatusOr<std::string> job = core_->Submit(request);
  if (!job.ok()) return StatusText(job.status());
  return *job == command.words[1] ? "" : absl::StrCat("it is called ", *job, "\n");
}

std::string ClusterScript::Control(const Command& command, Want want) {
  return StatusText(core_->Control(command.words[1], want, command.Option("by")).status());
}

std::string ClusterScript::ExplainJob(const std::string& job) {
  const absl::StatusOr<ExplainReply> reply = core_->ExplainJob(job);
  if (!reply.ok()) return StatusText(reply.status());
  return absl::StrCat(JobState_Name(reply->state()), "\n  ", absl::StrJoin(reply->reasons(), "\n  "), "\n");
}

std::string ClusterScript::History(const std::string& job) {
  const absl::StatusOr<EventsReply> reply = core_->History(job, /*after_number=*/0);
  if (!reply.ok()) return StatusText(reply.status());
  std::string text;
  for (const HistoryEntry& line : reply->entries()) absl::StrAppend(&text, "  ", line.number(), " ", line.text(), "\n");
  return absl::StrCat(text, "  now: ", reply->now(), "\n");
}

std::string ClusterScript::Extend(const Command& command) {
  const absl::StatusOr<Job> job = core_->GetJob(command.words[1]);
  if (!job.ok()) return StatusText(job.status());
  ExtendJobRequest request;
  request.set_job_id(job->id());
  *request.mutable_spec() = job->spec();
  request.mutable_spec()->mutable_schedule()->clear_warmup_steps();
  request.mutable_spec()->mutable_schedule()->set_steps(command.Number("steps"));
  if (command.Number("seed") > 0) request.mutable_spec()->set_seed(static_cast<uint64_t>(command.Number("seed")));
  request.set_user(command.Option("by"));
  return StatusText(core_->ExtendJob(request).status());
}

std::string ClusterScript::Rank(const Command& command) {
  const absl::StatusOr<Job> job = core_->GetJob(command.words[1]);
  if (!job.ok()) return StatusText(job.status());
  int rank = 0;
  RankPhase phase = RANK_PHASE_UNSPECIFIED;
  if (!absl::SimpleAtoi(command.words[2], &rank) || rank < 0 || rank >= job->worker_ids_size() ||
      !RankPhase_Parse(absl::StrCat("RANK_PHASE_", absl::AsciiStrToUpper(command.words[3])), &phase)) {
    return "no such rank or phase\n";
  }
  const std::string& worker = job->worker_ids(rank);
  RankStatus& status = statuses_[worker][{job->id(), job->generation(), rank}];
  status.set_job_id(job->id());
  status.set_generation(job->generation());
  status.set_rank(rank);
  status.set_phase(phase);
  status.set_step(command.Number("step", status.step()));
  status.set_status_code(static_cast<int>(command.Number("code")));
  status.set_message(absl::StrReplaceAll(command.Option("says", "no words"), {{"_", " "}}));
  status.set_dataset_digest(command.Option("digest", status.dataset_digest()));
  status.set_total_steps(100);
  status.set_store_address(command.Option("store", status.store_address()));
  status.set_waiting_for(absl::StrReplaceAll(command.Option("waiting", command.Option("misses")), {{"_", " "}}));
  status.set_waits_for_data(!command.Option("misses").empty());
  status.set_doing(absl::StrReplaceAll(command.Option("doing"), {{"_", " "}}));
  status.mutable_quiet()->set_seconds(command.Number("quiet"));
  status.mutable_patience()->set_seconds(command.Number("patience"));
  return Heartbeat(worker);
}

std::string ClusterScript::LeaveCluster(const std::string& worker) {
  LeaveClusterRequest request;
  request.set_worker_id(worker);
  request.set_incarnation(incarnations_[worker]);
  for (const auto& [key, status] : statuses_[worker]) *request.add_ranks() = status;
  statuses_.erase(worker);
  return StatusText(core_->LeaveCluster(request));
}

std::string ClusterScript::Drain(const std::string& worker, bool drained) {
  DrainWorkerRequest request;
  request.set_worker_id(worker);
  request.set_drained(drained);
  return StatusText(core_->DrainWorker(request).status());
}

std::string ClusterScript::Workers() {
  std::string text;
  const ListWorkersReply reply = *core_->ListWorkers(ListWorkersRequest());
  for (const Worker& worker : reply.workers()) {
    absl::StrAppend(&text, worker.identity().id(), ": ", worker.slots_busy(), " of ", worker.identity().slots(),
                    " busy", worker.offered() ? "" : ", given nothing", worker.note().empty() ? "" : "; ",
                    worker.note(), "\n");
  }
  return text;
}

std::string ClusterScript::SetWall(const std::string& text) {
  absl::Duration forward;
  if (!absl::ParseDuration(text, &forward)) return "not a duration\n";
  clock_.SetWall(forward);
  return "";
}

std::string ClusterScript::Heartbeat(const std::string& worker, bool leaving) {
  HeartbeatRequest request;
  request.set_leaving(leaving);
  request.set_worker_id(worker);
  request.set_incarnation(incarnations_[worker]);
  for (const auto& [key, status] : statuses_[worker]) *request.add_ranks() = status;
  const absl::StatusOr<HeartbeatReply> reply = core_->Heartbeat(request);
  if (!reply.ok()) return StatusText(reply.status());
  std::string text;
  std::set<std::tuple<std::string, int64_t, int>> named;
  for (const GangOrder& order : reply->gangs()) {
    for (const int rank : order.ranks()) {
      GangAssignment assignment = order.common();
      assignment.set_rank(rank);
      if (rank == 0) assignment.clear_store_address();
      named.emplace(assignment.job_id(), assignment.generation(), rank);
      absl::StrAppend(&text, worker, ": ", AssignmentText(assignment), "\n");
    }
  }
  auto& statuses = statuses_[worker];
  for (auto entry = statuses.begin(); entry != statuses.end();) {
    if (named.count(entry->first) > 0) {
      ++entry;
      continue;
    }
    const auto& [job, generation, rank] = entry->first;
    absl::StrAppend(&text, worker, ": stop ", job, " rank ", rank, " generation=", generation, "\n");
    entry = statuses.erase(entry);
  }
  return text;
}

CheckpointManifest ClusterScript::Manifest(const Command& command) const {
  const int64_t step = command.Number("step");
  const std::string bytes = ChunkBytes(step);
  CheckpointManifest manifest;
  manifest.set_job_id(command.words[1]);
  manifest.set_step(step);
  manifest.set_generation(command.Number("generation"));
  manifest.set_total_bytes(static_cast<int64_t>(bytes.size()));
  manifest.set_chunk_bytes(1 << 20);
  manifest.add_chunk_sha256(Sha256(bytes));
  manifest.set_content_id(command.Option("content", absl::StrCat("upload-", step)));
  return manifest;
}

std::string ClusterScript::Upload(const Command& command) {
  const CheckpointManifest manifest = Manifest(command);
  return StatusText(core_->PutChunk({manifest.job_id(), manifest.step(), manifest.content_id(), 0},
                                    manifest.chunk_sha256(0), ChunkBytes(manifest.step())));
}

std::string ClusterScript::CommitCheckpoint(const Command& command) {
  return StatusText(core_->CommitCheckpoint(Manifest(command)));
}

std::string ClusterScript::Report(const Command& command) {
  ReportStepsRequest request;
  request.set_job_id(command.words[1]);
  request.set_generation(command.Number("generation"));
  StepMetrics* step = request.add_steps();
  step->set_step(command.Number("step"));
  step->set_loss(1.0 / static_cast<double>(command.Number("step")));
  return StatusText(core_->ReportSteps(request));
}

std::string ClusterScript::Advance(const Command& command) {
  absl::Duration by;
  if (!absl::ParseDuration(command.words[1], &by)) return "not a duration\n";
  clock_.Advance(by);
  std::string text;
  const std::vector<std::string> heard = absl::StrSplit(command.Option("heard"), ',', absl::SkipEmpty());
  for (const std::string& name : heard) {
    absl::StrAppend(&text, teachers_.count(name) > 0 ? TeacherHeartbeat(name) : Heartbeat(name));
  }
  core_->Tick();
  return text;
}

std::string ClusterScript::Restart() {
  core_ = std::make_unique<CoordinatorCore>(store_, &clock_, &metrics_, options_, bounds_);
  const absl::Status recovered = core_->Recover();
  if (recovered.ok()) core_->Tick();
  return StatusText(recovered);
}

}  // namespace mimeo::testing
