#include "worker/rank/rank_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/devices.h"
#include "base/status_macros.h"
#include "job/job_shape.h"
#include "model/catch_torch.h"
#include "model/compute_settings.h"
#include "model/torch_device.h"
#include "teacher/teacher_client.h"
#include "teacher/teacher_pins.h"
#include "worker/rank/agent_ports.h"
#include "worker/rank/coordinator_link.h"
#include "worker/rank/gang_join.h"
#include "worker/rank/job_data.h"
#include "worker/training/operator_progress.h"
#include "worker/training/side_stream.h"
#include "worker/training/training_run.h"
#include "worker/training/views.h"

namespace mimeo {
namespace {

constexpr absl::Duration kDownloadTimeout = absl::Hours(24);
constexpr absl::Duration kTeacherPoll = absl::Seconds(2);
// The coordinator pins a teacher in its answer to the heartbeat that names it. One that is away holds nothing up: what
// this rank took stands until it hears otherwise.
constexpr absl::Duration kPinPatience = absl::Seconds(4);

std::vector<TeacherContract> PinnedBy(const GangAssignment& assignment) {
  return {assignment.pinned_teachers().begin(), assignment.pinned_teachers().end()};
}

// The agent showed this rank one device, or none.
absl::StatusOr<DeviceInfo> ChooseDevice(const ResourceSpec& resources) {
  const char* const shown = std::getenv("CUDA_VISIBLE_DEVICES");
  const bool cuda =
      resources.device() == DEVICE_CUDA || (resources.device() != DEVICE_CPU && shown != nullptr && *shown != '\0');
  ASSIGN_OR_RETURN(const std::vector<DeviceInfo> devices, FindDevices(cuda ? "cuda" : "cpu"));
  if (resources.precision() == PRECISION_BF16 && !devices.front().bfloat16()) {
    return absl::FailedPreconditionError(absl::StrCat("resources.precision: PRECISION_BF16, and ",
                                                      devices.front().name(),
                                                      " has no bfloat16 products; use PRECISION_FP32"));
  }
  return devices.front();
}

// The parts of a run, in the order in which they are made.
class RankRun {
 public:
  RankRun(const GangAssignment& assignment, const RankOptions& options, RankLink* agent, Progress* progress)
      : assignment_(assignment),
        spec_(assignment.spec()),
        options_(options),
        agent_(agent),
        progress_(progress),
        status_(agent),
        stop_(agent),
        pins_([agent] { return PinnedBy(agent->assignment()); },
              [agent](const TeacherContract& taken) {
                agent->Update([&](RankStatus* status) { *status->add_teachers() = taken; });
              }),
        operators_(progress) {}

  bool told_to_stop() const { return stop_.wanted(); }

  absl::StatusOr<TrainEnd> Go() {
    ASSIGN_OR_RETURN(device_info_, ChooseDevice(spec_.resources()));
    device_ = TorchDevice(device_info_);
    // No graph can be recorded on the default stream.
    if (spec_.resources().cuda_graph()) own_stream_ = std::make_unique<OwnStream>(device_);
    SetUpCompute(spec_.resources().threads_per_rank());
    run_ = std::make_unique<TrainingRun>(RunSetting{spec_, device_, assignment_.rank(), assignment_.num_ranks(),
                                                    [this] { return stop_.wanted(); }, progress_});
    RETURN_IF_ERROR(OpenData());
    RETURN_IF_ERROR(CheckStop());
    RETURN_IF_ERROR(ConnectTeachers(&teachers_));
    if (evaluation_ != nullptr) RETURN_IF_ERROR(ConnectTeachers(&evaluation_teachers_));
    RETURN_IF_ERROR(MakeModel());
    RETURN_IF_ERROR(CheckStop());
    RETURN_IF_ERROR(Restore());
    RETURN_IF_ERROR(CheckStop());
    RETURN_IF_ERROR(AwaitPins());
    RETURN_IF_ERROR(Join());
    return Train();
  }

 private:
  absl::Status CheckStop() const {
    return stop_.wanted() ? absl::CancelledError("told to stop before the first step") : absl::OkStatus();
  }

  absl::Status OpenData() {
    JobData data = {"data.path", spec_.data().path(), !assignment_.dataset_digest().empty(),
                    assignment_.dataset_digest(), assignment_.num_samples()};
    data.members = spec_.data().members();
    data.hold_out = spec_.evaluation().hold_out();
    data.global_batch = spec_.data().global_batch();
    ASSIGN_OR_RETURN(OpenedJobData opened, OpenJobData(data, DataPatience(), progress_));
    dataset_ = std::move(opened.dataset);
    RETURN_IF_ERROR(OpenEvaluation(data, std::move(opened.held_out), std::move(opened.bank)));
    if (assignment_.rank() == 0) TellData();
    // The digest says that all of the job's data was there once, so it comes last.
    agent_->Update([&](RankStatus* status) {
      status->set_dataset_digest(dataset_->digest());
      status->set_num_samples(dataset_->size());
      status->set_total_steps(TotalSteps(spec_, dataset_->size()));
    });
    return absl::OkStatus();
  }

  // The sets are those that are held out of `data`, or null.
  absl::Status OpenEvaluation(const JobData& data, std::unique_ptr<Dataset> held_out, std::unique_ptr<Dataset> bank) {
    const EvaluationWatch watch = {[this] { return stop_.wanted(); }, progress_};
    if (held_out != nullptr) {
      ASSIGN_OR_RETURN(evaluation_,
                       Evaluation::OpenHeldOut(spec_, device_, watch, std::move(held_out), std::move(bank)));
    } else if (spec_.evaluation().has_path()) {
      const auto open = [&](const std::string& field,
                            const std::string& path) -> absl::StatusOr<std::unique_ptr<Dataset>> {
        JobData set = {field, path, data.read_before};
        set.members = data.members;
        ASSIGN_OR_RETURN(OpenedJobData opened, OpenJobData(set, DataPatience(), progress_));
        return std::move(opened.dataset);
      };
      ASSIGN_OR_RETURN(evaluation_, Evaluation::Open(spec_, device_, watch, open));
    }
    return absl::OkStatus();
  }

  void TellData() {
    std::vector<DataContents> all = {dataset_->contents()};
    all.front().set_field("data.path");
    if (evaluation_ != nullptr) {
      for (DataContents& one : evaluation_->Contents()) all.push_back(std::move(one));
    }
    status_.SetData(std::move(all));
  }

  Patience DataPatience() {
    Patience patience;
    patience.stop_wanted = [this] { return stop_.wanted(); };
    patience.on_waiting = [this](const std::string& reason, bool waiting) {
      status_.SetWaitingForData(reason, waiting);
    };
    return patience;
  }

  absl::Status ConnectTeachers(std::vector<std::unique_ptr<FeatureSource>>* teachers) {
    for (const TeacherRequest& request : TeacherRequests(spec_)) {
      const std::string& name = request.teacher;
      TeacherClientOptions client;
      client.request = request;
      client.channels = options_.channels;
      client.pins = &pins_;
      client.mask_key = [mask = spec_.mask()](const RandomKey& row, int view) {
        return ViewMaker::MaskKey(mask, row, view);
      };
      client.address = [this, name] {
        const GangAssignment newest = agent_->assignment();
        for (const TeacherInfo& teacher : newest.teachers()) {
          if (teacher.name() == name) return teacher.address();
        }
        return std::string();
      };
      client.on_waiting = [this, name](bool waiting) { status_.SetWaiting("teacher " + name, waiting); };
      absl::StatusOr<std::unique_ptr<FeatureSource>> teacher;
      progress_->Do("connects to teacher " + name);
      do {
        if (stop_.wanted()) return absl::CancelledError("told to stop while waiting for teacher " + name);
        teacher = ConnectTeacher(client, Clock::Real()->Now() + kTeacherPoll);
      } while (absl::IsDeadlineExceeded(teacher.status()));
      RETURN_IF_ERROR(teacher.status());
      teachers->push_back(*std::move(teacher));
    }
    return absl::OkStatus();
  }

  // Two servers may answer by one name: no rank takes a step by another teacher than the gang's.
  absl::Status AwaitPins() {
    const std::vector<TeacherContract> taken = pins_.taken();
    const auto all_pinned = [&taken](const GangAssignment& newest) {
      std::set<std::string> names;
      for (const TeacherContract& pinned : newest.pinned_teachers()) names.insert(pinned.name());
      return std::all_of(taken.begin(), taken.end(),
                         [&](const TeacherContract& one) { return names.count(one.name()) > 0; });
    };
    const auto told = agent_->Await(all_pinned, Clock::Real()->Now() + kPinPatience);
    if (!absl::IsDeadlineExceeded(told.status())) RETURN_IF_ERROR(told.status());
    for (const TeacherContract& contract : taken) RETURN_IF_ERROR(pins_.Check(contract));
    return absl::OkStatus();
  }

  absl::Status MakeModel() {
    progress_->Do("makes the model");
    RETURN_IF_ERROR(run_->MakeModel(Observe(teachers_)));
    for (const std::string& note : run_->model().notes) spdlog::info("init_weights {}", note);
    return absl::OkStatus();
  }

  absl::Status Restore() {
    if (assignment_.resume_step() == 0) return absl::OkStatus();
    status_.SetWaiting("coordinator", true);
    ASSIGN_OR_RETURN(
        const std::string stream,
        DownloadCheckpoint(options_.channels, options_.coordinator_address, assignment_.job_id(),
                           assignment_.resume_step(), Clock::Real()->Now() + kDownloadTimeout, [this](int64_t bytes) {
                             progress_->Do(absl::StrCat("loads the checkpoint of step ", assignment_.resume_step(),
                                                        " (", bytes >> 20, " MiB so far)"));
                           }));
    status_.SetWaiting("coordinator", false);
    progress_->Do(absl::StrCat("takes the state of step ", assignment_.resume_step(), " from its checkpoint"));
    ASSIGN_OR_RETURN(position_, RestoreTrainState(stream, run_->state()));
    if (!position_.bad_samples.empty() && *position_.bad_samples.rbegin() >= dataset_->size()) {
      return absl::DataLossError(absl::StrCat("the checkpoint knows a bad sample ", *position_.bad_samples.rbegin(),
                                              " of ", dataset_->size()));
    }
    spdlog::info("resumed step={} epoch={} batch={}", position_.step, position_.next.epoch(), position_.next.batch());
    return absl::OkStatus();
  }

  absl::Status Join() {
    agent_->Update([](RankStatus* status) { status->set_phase(RANK_PHASE_JOINING); });
    ASSIGN_OR_RETURN(gang_,
                     JoinGang(
                         assignment_, options_.host, device_, agent_, [this] { return stop_.wanted(); }, progress_));
    progress_->Do("prepares the first step");
    return run_->MakeStep(gang_.get());
  }

  absl::StatusOr<TrainEnd> Train() {
    RETURN_IF_ERROR(run_->OpenBatches(dataset_.get(), TotalSteps(spec_, dataset_->size()), position_.next));
    if (assignment_.rank() == 0) {
      coordinator_ = CoordinatorLink::Open(options_.channels, options_.coordinator_address, assignment_.job_id(),
                                           assignment_.generation());
    }
    agent_->Update([&](RankStatus* status) {
      status->set_phase(RANK_PHASE_TRAINING);
      status->set_step(position_.step);
    });
    Training training;
    training.dataset = dataset_.get();
    training.position = position_;
    training.device = device_info_;
    training.evaluation = evaluation_.get();
    training.evaluation_teachers = Observe(evaluation_teachers_);
    training.ports = {&status_, coordinator_.get(), coordinator_.get(), [this] { return stop_.wanted(); }, progress_};
    return run_->Train(training);
  }

  static std::vector<FeatureSource*> Observe(const std::vector<std::unique_ptr<FeatureSource>>& owned) {
    std::vector<FeatureSource*> observed;
    for (const auto& source : owned) observed.push_back(source.get());
    return observed;
  }

  const GangAssignment assignment_;
  const JobSpec spec_;
  const RankOptions options_;
  RankLink* const agent_;
  Progress* const progress_;
  AgentStatus status_;
  StopListener stop_;
  TeacherPins pins_;
  const OperatorProgress operators_;
  DeviceInfo device_info_;
  at::Device device_ = at::kCPU;
  std::unique_ptr<OwnStream> own_stream_;
  std::unique_ptr<Dataset> dataset_;
  std::unique_ptr<Evaluation> evaluation_;
  std::vector<std::unique_ptr<FeatureSource>> teachers_;
  std::vector<std::unique_ptr<FeatureSource>> evaluation_teachers_;
  std::unique_ptr<TrainingRun> run_;
  TrainPosition position_;
  std::unique_ptr<Gang> gang_;
  std::unique_ptr<CoordinatorLink> coordinator_;
};

}  // namespace

absl::StatusOr<TrainEnd> RunAssignedRank(const GangAssignment& assignment, const RankOptions& options, RankLink* agent,
                                         Progress* progress) {
  // Never destroyed: after an error a collective may be in flight that nothing can abort, and the process ends next.
  RankRun* const run = new RankRun(assignment, options, agent, progress);
  absl::StatusOr<TrainEnd> end = CatchTorch([run] { return run->Go(); });
  // Told to stop before the first step: there is nothing to keep.
  if (absl::IsCancelled(end.status()) && run->told_to_stop()) return TrainEnd::kStopped;
  return end;
}

}  // namespace mimeo
