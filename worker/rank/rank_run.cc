#include "worker/rank/rank_run.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <set>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/devices.h"
#include "base/process.h"
#include "base/status_macros.h"
#include "job/job_shape.h"
#include "model/catch_torch.h"
#include "model/encoder.h"
#include "model/mask_plan.h"
#include "model/torch_device.h"
#include "model/weights.h"
#include "teacher/teacher_client.h"
#include "teacher/teacher_pins.h"
#include "worker/rank/job_data.h"
#include "worker/training/model_parts.h"
#include "worker/training/operator_progress.h"
#include "worker/training/row_gatherer.h"
#include "worker/training/step_parts.h"
#include "worker/training/views.h"

namespace mimeo {
namespace {

// Above what the slowest rank's start may take: that one is looked at by its own agent.
constexpr absl::Duration kJoinTimeout = absl::Hours(1);
constexpr absl::Duration kJoinPoll = absl::Seconds(1);
constexpr absl::Duration kDownloadTimeout = absl::Hours(24);
constexpr absl::Duration kTeacherPoll = absl::Seconds(2);
// The coordinator pins a teacher in its answer to the heartbeat that names it. One that is away holds nothing up: what
// this rank took stands until it hears otherwise.
constexpr absl::Duration kPinPatience = absl::Seconds(4);

std::vector<TeacherContract> PinnedBy(const GangAssignment& assignment) {
  return {assignment.pinned_teachers().begin(), assignment.pinned_teachers().end()};
}

// What a rank stands still for: several threads of it may, for reasons of their own. Data may be there on another host;
// a teacher and the coordinator are away for all. Thread-safe.
class Waiting {
 public:
  explicit Waiting(RankLink* agent) : agent_(agent) {}
  void Set(const std::string& reason, bool waiting) { Change(reason, waiting, false); }
  void SetData(const std::string& reason, bool waiting) { Change(reason, waiting, true); }

 private:
  void Change(const std::string& reason, bool waiting, bool for_data) {
    absl::MutexLock lock(&mu_);
    std::multiset<std::string>& reasons = for_data ? data_reasons_ : reasons_;
    const auto found = reasons.find(reason);
    if (waiting) {
      reasons.insert(reason);
    } else if (found != reasons.end()) {
      reasons.erase(found);
    }
    std::set<std::string> all(data_reasons_.begin(), data_reasons_.end());
    all.insert(reasons_.begin(), reasons_.end());
    agent_->Update([&](RankStatus* status) {
      status->set_waiting_for(absl::StrJoin(all, ", "));
      status->set_waits_for_data(!data_reasons_.empty());
    });
  }

  RankLink* const agent_;
  absl::Mutex mu_;
  std::multiset<std::string> reasons_ ABSL_GUARDED_BY(mu_);
  std::multiset<std::string> data_reasons_ ABSL_GUARDED_BY(mu_);
};

// Turns the agent's word, and a signal to stop, into a flag that the loop and the pipeline look at. Lives as long as
// the rank runs.
class StopWatch {
 public:
  explicit StopWatch(RankLink* agent)
      : agent_(agent), thread_([this] {
          while (!wanted_ && !ended_) {
            const auto told = agent_->Await([this](const GangAssignment&) { return ended_.load(); },
                                            Clock::Real()->Now() + absl::Seconds(1));
            if (absl::IsCancelled(told.status()) || WaitForStopUntil(Clock::Real()->Now())) wanted_ = true;
          }
        }) {}
  ~StopWatch() {
    ended_ = true;
    thread_.join();
  }
  const std::atomic<bool>& wanted() const { return wanted_; }

 private:
  RankLink* const agent_;
  std::atomic<bool> wanted_{false};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

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
class Run {
 public:
  Run(const GangAssignment& assignment, const RankOptions& options, RankLink* agent, Progress* progress)
      : assignment_(assignment),
        spec_(assignment.spec()),
        options_(options),
        agent_(agent),
        progress_(progress),
        waiting_(agent),
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
    at::set_num_threads(spec_.resources().threads_per_rank());
    // Denormals cost a hundred times a product's time, and nothing here is that small and matters.
    at::globalContext().setFlushDenormal(true);
    // PRECISION_FP32 means it: cuDNN would round its inputs to TF32.
    at::globalContext().setAllowTF32CuDNN(false);
    RETURN_IF_ERROR(OpenData());
    RETURN_IF_ERROR(CheckStop());
    RETURN_IF_ERROR(ConnectTeachers(&teachers_));
    if (evaluation_ != nullptr) RETURN_IF_ERROR(ConnectTeachers(&evaluation_teachers_));
    RETURN_IF_ERROR(BuildModel());
    RETURN_IF_ERROR(CheckStop());
    RETURN_IF_ERROR(Restore());
    RETURN_IF_ERROR(CheckStop());
    RETURN_IF_ERROR(AwaitPins());
    RETURN_IF_ERROR(Join());
    return Train();
  }

 private:
  bool chief() const { return assignment_.rank() == 0; }

  absl::Status CheckStop() const {
    return stop_.wanted() ? absl::CancelledError("told to stop before the first step") : absl::OkStatus();
  }

  absl::Status OpenData() {
    JobData data = {"data.path", spec_.data().path(), !assignment_.dataset_digest().empty(),
                    assignment_.dataset_digest(), assignment_.num_samples()};
    ASSIGN_OR_RETURN(dataset_, OpenJobData(data, DataPatience(), progress_));
    if (spec_.evaluation().has_path()) {
      const auto open = [&](const std::string& field, const std::string& path) {
        return OpenJobData({field, path, data.read_before}, DataPatience(), progress_);
      };
      const EvaluationWatch watch = {[this] { return stop_.wanted().load(); }, progress_};
      ASSIGN_OR_RETURN(evaluation_, Evaluation::Open(spec_, device_, watch, open));
    }
    // The digest says that all of the job's data was there once, so it comes last.
    agent_->Update([&](RankStatus* status) {
      status->set_dataset_digest(dataset_->digest());
      status->set_num_samples(dataset_->size());
      status->set_total_steps(TotalSteps(spec_, dataset_->size()));
    });
    return absl::OkStatus();
  }

  Patience DataPatience() {
    Patience patience;
    patience.stop_wanted = [this] { return stop_.wanted().load(); };
    patience.on_waiting = [this](const std::string& reason, bool waiting) { waiting_.SetData(reason, waiting); };
    return patience;
  }

  absl::Status ConnectTeachers(std::vector<std::unique_ptr<FeatureSource>>* teachers) {
    for (const TeacherRequest& request : TeacherRequests(spec_)) {
      const std::string& name = request.teacher;
      TeacherClientOptions client;
      client.request = request;
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
      client.on_waiting = [this, name](bool waiting) { waiting_.Set("teacher " + name, waiting); };
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

  absl::Status BuildModel() {
    progress_->Do("makes the model");
    ObjectiveSum::Context context;
    for (const auto& teacher : teachers_) {
      for (const std::string& objective : teacher->request().objectives) {
        context.teacher_widths[objective] = teacher->width();
      }
    }
    // The gang is joined later, when all that can fail on one rank alone is done; nothing is gathered before.
    context.rows = {assignment_.rank(), assignment_.num_ranks(),
                    [this](const at::Tensor& rows_BX) { return MakeRowGatherer(gang_.get()).gather(rows_BX); }};
    ASSIGN_OR_RETURN(model_, MakeModelParts(spec_, context, device_));
    for (const std::string& note : model_.notes) spdlog::info("init_weights {}", note);
    return absl::OkStatus();
  }

  absl::Status Restore() {
    if (assignment_.resume_step() == 0) return absl::OkStatus();
    waiting_.Set("coordinator", true);
    ASSIGN_OR_RETURN(
        const std::string stream,
        DownloadCheckpoint(options_.coordinator_address, assignment_.job_id(), assignment_.resume_step(),
                           Clock::Real()->Now() + kDownloadTimeout, [this](int64_t bytes) {
                             progress_->Do(absl::StrCat("loads the checkpoint of step ", assignment_.resume_step(),
                                                        " (", bytes >> 20, " MiB so far)"));
                           }));
    waiting_.Set("coordinator", false);
    progress_->Do(absl::StrCat("takes the state of step ", assignment_.resume_step(), " from its checkpoint"));
    ASSIGN_OR_RETURN(
        position_, RestoreTrainState(stream, {model_.parameters.get(), model_.optimizer.get(), model_.average.get()}));
    if (!position_.bad_samples.empty() && *position_.bad_samples.rbegin() >= dataset_->size()) {
      return absl::DataLossError(absl::StrCat("the checkpoint knows a bad sample ", *position_.bad_samples.rbegin(),
                                              " of ", dataset_->size()));
    }
    spdlog::info("resumed step={} epoch={} batch={}", position_.step, position_.next.epoch(), position_.next.batch());
    return absl::OkStatus();
  }

  absl::Status Join() {
    agent_->Update([](RankStatus* status) { status->set_phase(RANK_PHASE_JOINING); });
    GangOptions gang;
    gang.rank = assignment_.rank();
    gang.size = assignment_.num_ranks();
    gang.generation = assignment_.generation();
    gang.host = options_.host;
    gang.device = device_;
    gang.join_timeout = kJoinTimeout;
    gang.progress = progress_;
    gang.stop_wanted = [this] { return stop_.wanted().load(); };
    gang.member_waits = [this] { return !agent_->assignment().gang_waits_for().empty(); };
    gang.publish_store = [this](const std::string& address) {
      agent_->Update([&](RankStatus* status) { status->set_store_address(address); });
    };
    gang.await_store = [this] { return AwaitStore(); };
    ASSIGN_OR_RETURN(gang_, Gang::Join(gang));
    ASSIGN_OR_RETURN(step_parts_, MakeStepParts(spec_, model_, gang_.get(), device_));
    return absl::OkStatus();
  }

  // It looks again and again, which is progress: rank 0 is the one that may hang.
  absl::StatusOr<std::string> AwaitStore() {
    progress_->Do("waits for rank 0 to open the gang's store");
    const absl::Time deadline = Clock::Real()->Now() + kJoinTimeout;
    absl::StatusOr<GangAssignment> ready;
    do {
      progress_->Move();
      ready = agent_->Await([](const GangAssignment& newest) { return !newest.store_address().empty(); },
                            Clock::Real()->Now() + kJoinPoll);
    } while (absl::IsDeadlineExceeded(ready.status()) && Clock::Real()->Now() < deadline);
    RETURN_IF_ERROR(ready.status());
    return ready->store_address();
  }

  // Two black images per view, with features of zero: the shape of a step without its cost. (One would do but for
  // libtorch, which warns of the strides of a gradient that is not summed over a batch.)
  ForwardPass BlankViews() const {
    const DataSpec& data = spec_.data();
    const auto black = [&](int height, int width) { return at::zeros({2, data.channels(), height, width}, at::kByte); };
    Batch batch;
    batch.keys = {RandomKey(0), RandomKey(1)};
    for (const ViewSpec& view : EachView(spec_)) {
      batch.views_BCHW.push_back(black(view.image_px(), view.image_width_px()));
    }
    if (model_.objectives->needs().shared_target) batch.shared_BCHW = black(data.image_px(), data.image_width_px());
    ForwardPass pass = views_->Make(batch, model_.encoder->drop_path_rates());
    for (ViewInput& view : pass.views) {
      if (!view.plan.visible_BK.defined()) {
        view.plan = ToDevice(RandomMaskPlan(batch.keys, NumPatches(spec_), NumVisible(spec_)), device_);
      }
      for (const auto& teacher : teachers_) {
        const TeacherRequest& request = teacher->request();
        const at::Tensor zeros =
            at::zeros({2, NumTokens(request, spec_), teacher->width()}, at::TensorOptions(device_).dtype(at::kFloat));
        for (const std::string& objective : request.objectives) view.teacher_BNT[objective] = zeros;
      }
    }
    return pass;
  }

  absl::StatusOr<TrainEnd> Train() {
    progress_->Do("prepares the first step");
    views_ = std::make_unique<ViewMaker>(spec_, device_);
    RETURN_IF_ERROR(step_parts_.step->Settle(BlankViews()));
    Loader::Options loading;
    loading.rank = assignment_.rank();
    loading.num_ranks = assignment_.num_ranks();
    loading.micro_batch = spec_.resources().micro_batch();
    loading.last_step_batches = TotalSteps(spec_, dataset_->size());
    loading.start = position_.next;
    loading.progress = progress_;
    ASSIGN_OR_RETURN(loader_, Loader::Open(dataset_.get(), spec_, loading));
    BatchPipeline::Options preparing;
    preparing.device = device_;
    preparing.views = views_.get();
    preparing.drop_path_rates = model_.encoder->drop_path_rates();
    preparing.micro_batches_per_step = AccumulationSteps(spec_);
    preparing.stop_wanted = [this] { return stop_.wanted().load(); };
    pipeline_ = std::make_unique<BatchPipeline>(loader_.get(), Observe(teachers_), preparing);
    if (chief()) {
      coordinator_ =
          CoordinatorLink::Open(options_.coordinator_address, assignment_.job_id(), assignment_.generation());
    }
    agent_->Update([&](RankStatus* status) {
      status->set_phase(RANK_PHASE_TRAINING);
      status->set_step(position_.step);
    });
    StepReporter::Options reporting;
    reporting.steps_per_epoch = StepsPerEpoch(spec_, dataset_->size());
    reporting.device = device_;
    reporting.steps_in_flight = device_.is_cpu() ? 0 : 1;
    reporter_ = std::make_unique<StepReporter>(
        spec_, reporting, UtilizationMeter(spec_, device_info_, device_),
        StepReporter::Parts{gang_.get(), step_parts_.reducer.get(), agent_, coordinator_.get()});
    TrainerParts parts = {model_.parameters.get(),
                          model_.encoder.get(),
                          model_.objectives.get(),
                          model_.optimizer.get(),
                          model_.average.get(),
                          step_parts_.step.get(),
                          reporter_.get(),
                          gang_.get(),
                          pipeline_.get(),
                          dataset_.get(),
                          evaluation_.get(),
                          Observe(evaluation_teachers_),
                          agent_,
                          coordinator_.get(),
                          [this](const std::string& reason, bool waiting) { waiting_.Set(reason, waiting); },
                          &stop_.wanted(),
                          progress_};
    return Trainer(spec_, dataset_->size(), dataset_->digest(), position_, parts).Run();
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
  Waiting waiting_;
  StopWatch stop_;
  TeacherPins pins_;
  const OperatorProgress operators_;
  DeviceInfo device_info_;
  at::Device device_ = at::kCPU;
  std::unique_ptr<OwnStream> own_stream_;
  std::unique_ptr<Dataset> dataset_;
  std::unique_ptr<Evaluation> evaluation_;
  std::vector<std::unique_ptr<FeatureSource>> teachers_;
  std::vector<std::unique_ptr<FeatureSource>> evaluation_teachers_;
  ModelParts model_;
  TrainPosition position_;
  std::unique_ptr<ViewMaker> views_;
  std::unique_ptr<Gang> gang_;
  StepParts step_parts_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<BatchPipeline> pipeline_;
  std::unique_ptr<CoordinatorLink> coordinator_;
  std::unique_ptr<StepReporter> reporter_;
};

}  // namespace

absl::StatusOr<TrainEnd> RunAssignedRank(const GangAssignment& assignment, const RankOptions& options, RankLink* agent,
                                         Progress* progress) {
  // Never destroyed: after an error a collective may be in flight that nothing can abort, and the process ends next.
  Run* const run = new Run(assignment, options, agent, progress);
  absl::StatusOr<TrainEnd> end = CatchTorch([run] { return run->Go(); });
  // Told to stop before the first step: there is nothing to keep.
  if (absl::IsCancelled(end.status()) && run->told_to_stop()) return TrainEnd::kStopped;
  return end;
}

}  // namespace mimeo
