#include "tests/e2e/cluster.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/rpc/rpc.h"

namespace mimeo {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);

// Runs what follows it in a mount namespace of its own, with nothing in `folder`.
std::vector<std::string> HidingCommand(const std::string& folder) {
  return {"/usr/bin/unshare", "--mount", "/bin/sh", "-c", "mount -t tmpfs none \"$0\" && exec \"$@\"", folder};
}

std::string LastLines(const std::string& path, size_t bytes) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  const std::string all = text.str();
  return all.size() <= bytes ? all : all.substr(all.size() - bytes);
}

}  // namespace

std::string ExamplePhotos(const std::string& split) {
  return absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"), "/examples/clothing/", split);
}

JobSpec TinyJob(int ranks, int64_t steps) {
  JobSpec spec;
  spec.set_name("tiny");
  spec.set_seed(7);
  spec.mutable_data()->set_path(ExamplePhotos("train"));
  spec.mutable_data()->set_global_batch(96);
  spec.mutable_data()->set_image_px(32);
  VitSpec* vit = spec.mutable_encoder()->mutable_vit();
  vit->set_patch_px(8);
  vit->set_width(64);
  vit->set_depth(2);
  vit->set_heads(2);
  ObjectiveSpec* pixels = spec.add_objective();
  pixels->set_name("pixels");
  pixels->mutable_reconstruction()->set_decoder_width(32);
  pixels->mutable_reconstruction()->set_decoder_depth(1);
  pixels->mutable_reconstruction()->set_decoder_heads(2);
  spec.mutable_optimizer()->mutable_adamw()->set_base_rate(1e-3);
  spec.mutable_schedule()->set_steps(steps);
  spec.mutable_checkpoint()->set_every_steps(10);
  spec.mutable_resources()->set_num_ranks(ranks);
  return spec;
}

void AddMimic(const std::string& name, JobSpec* spec) {
  ObjectiveSpec* mimic = spec->add_objective();
  mimic->set_name("mimic");
  mimic->mutable_mimic()->set_teacher(name);
}

void AddContrast(JobSpec* spec) {
  spec->add_views()->set_count(2);
  ObjectiveSpec* contrast = spec->add_objective();
  contrast->set_name("contrast");
  contrast->mutable_contrastive()->mutable_info_nce();
  ProjectorSpec* projector = contrast->mutable_contrastive()->mutable_projector();
  projector->add_hidden_width(16);
  projector->set_width(8);
}

LocalCluster::~LocalCluster() {
  KillAll();
  if (!testing::Test::HasFailure()) return;
  for (const auto& [name, process] : processes_) {
    std::fprintf(stderr, "---- the end of %s's log\n%s\n", name.c_str(),
                 LastLines(absl::StrCat(dir(), "/", name, ".log"), 6000).c_str());
  }
}

void LocalCluster::Start(const std::string& name, std::vector<std::string> argv, std::vector<std::string> under) {
  const auto binary = FindBinary(argv[0]);
  ASSERT_TRUE(binary.ok()) << binary.status();
  argv[0] = *binary;
  const std::string announcement = absl::StrCat(dir(), "/", name, ".json");
  std::remove(announcement.c_str());
  argv.push_back(absl::StrCat("--announce=", announcement));
  argv.push_back("--metrics_listen=127.0.0.1:0");
  Subprocess::Options options;
  under.insert(under.end(), argv.begin(), argv.end());
  options.argv = std::move(under);
  options.extra_env = environment_;
  options.output_path = absl::StrCat(dir(), "/", name, ".log");
  auto child = Subprocess::Start(options);
  ASSERT_TRUE(child.ok()) << child.status();
  const auto announced = ReadAnnouncement(announcement);
  ASSERT_TRUE(announced.ok()) << name << ": " << announced.status();
  Process& process = processes_[name];
  process.child = *std::move(child);
  process.metrics_address = announced->at("metrics_address");
  if (announced->count("address") > 0) process.address = announced->at("address");
}

void LocalCluster::StartCoordinator(const std::vector<std::string>& flags) {
  const auto before = processes_.find("coordinator");
  const std::string listen = before == processes_.end() ? "127.0.0.1:0" : before->second.address;
  std::vector<std::string> argv = {"coordinator", absl::StrCat("--listen=", listen),
                                   absl::StrCat("--data_dir=", dir(), "/state"),
                                   absl::StrCat("--lease=", absl::FormatDuration(lease_))};
  argv.insert(argv.end(), flags.begin(), flags.end());
  Start("coordinator", argv);
}

std::vector<std::string> LocalCluster::WorkerCommand(const std::string& id, int slots) const {
  return {"worker",
          "agent",
          absl::StrCat("--coordinator=", processes_.at("coordinator").address),
          absl::StrCat("--id=", id),
          absl::StrCat("--slots=", slots),
          "--host=127.0.0.1",
          absl::StrCat("--dir=", dir(), "/", id)};
}

void LocalCluster::StartWorker(const std::string& id, int slots, const std::vector<std::string>& flags) {
  std::vector<std::string> argv = WorkerCommand(id, slots);
  argv.insert(argv.end(), flags.begin(), flags.end());
  Start(id, argv);
}

void LocalCluster::StartWorkerThatDoesNotSee(const std::string& folder, const std::string& id, int slots) {
  Start(id, WorkerCommand(id, slots), HidingCommand(folder));
}

bool LocalCluster::CanHideFolders() {
  const TempDir folder;
  Subprocess::Options options;
  options.argv = HidingCommand(folder.path());
  options.argv.push_back("/bin/true");
  auto child = Subprocess::Start(options);
  if (!child.ok()) return false;
  const auto ended = (*child)->Wait(Clock::Real()->Now() + kPatience);
  return ended.ok() && ended->ok();
}

void LocalCluster::StartTeacher(const std::string& name, const std::string& weights) {
  const auto before = processes_.find(name);
  const std::string listen = before == processes_.end() ? "127.0.0.1:0" : before->second.address;
  Start(name,
        {"teacher_server", absl::StrCat("--name=", name), absl::StrCat("--weights=", weights),
         absl::StrCat("--listen=", listen), absl::StrCat("--coordinator=", processes_.at("coordinator").address)});
}

void LocalCluster::Kill(const std::string& name) {
  Subprocess& child = *processes_.at(name).child;
  child.Signal(SIGKILL);
  ASSERT_TRUE(child.Wait(Clock::Real()->Now() + kPatience).ok()) << name;
}

void LocalCluster::Stop(const std::string& name) {
  Subprocess& child = *processes_.at(name).child;
  child.Signal(SIGTERM);
  const auto ended = child.Wait(Clock::Real()->Now() + kPatience);
  ASSERT_TRUE(ended.ok()) << name;
  EXPECT_TRUE(ended->ok()) << name << " " << ended->ToString();
}

void LocalCluster::KillAll() {
  for (auto& [name, process] : processes_) {
    if (process.child != nullptr && process.child->running()) Kill(name);
  }
}

void LocalCluster::Signal(const std::string& name, int signal) { processes_.at(name).child->Signal(signal); }

void LocalCluster::ExpectAliveFor(const std::string& name, absl::Duration duration) {
  const auto ended = processes_.at(name).child->Wait(Clock::Real()->Now() + duration);
  EXPECT_TRUE(absl::IsDeadlineExceeded(ended.status())) << name << " " << (ended.ok() ? ended->ToString() : "");
}

std::string LocalCluster::Mimeo(const std::vector<std::string>& args, int exit_code) {
  Subprocess::Options options;
  const auto binary = FindBinary("mimeo");
  EXPECT_TRUE(binary.ok()) << binary.status();
  options.argv = {*binary};
  options.argv.insert(options.argv.end(), args.begin(), args.end());
  const auto coordinator = processes_.find("coordinator");
  if (coordinator != processes_.end()) options.extra_env = {"MIMEO_SERVER=" + coordinator->second.address};
  options.capture_stdout = true;
  auto child = Subprocess::Start(options);
  EXPECT_TRUE(child.ok()) << child.status();
  const auto ended = (*child)->Wait(Clock::Real()->Now() + absl::Minutes(5));
  EXPECT_TRUE(ended.ok() && ended->code == exit_code && ended->signal == 0)
      << "mimeo " << args[0] << " " << (ended.ok() ? ended->ToString() : ended.status().ToString());
  return (*child)->output();
}

std::unique_ptr<Coordinator::Stub> LocalCluster::NewStub() const {
  return Coordinator::NewStub(OpenChannel(processes_.at("coordinator").address));
}

std::string LocalCluster::Submit(const JobSpec& spec) {
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(30));
  context.set_wait_for_ready(true);
  SubmitRequest request;
  *request.mutable_spec() = spec;
  request.set_request_id(absl::StrCat("test-", absl::ToUnixNanos(Clock::Real()->Wall())));
  SubmitReply reply;
  const grpc::Status status = NewStub()->Submit(&context, request, &reply);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return reply.job_id();
}

Job LocalCluster::Await(const std::string& job_id, const std::string& what,
                        const std::function<bool(const Job&)>& ready) {
  const auto stub = NewStub();
  grpc::ClientContext context;
  SetDeadline(&context, kPatience);
  context.set_wait_for_ready(true);
  GetJobRequest request;
  request.set_job_id(job_id);
  const auto stream = stub->WatchJob(&context, request);
  Job job;
  while (stream->Read(&job)) {
    if (!ready(job)) continue;
    context.TryCancel();
    return job;
  }
  ADD_FAILURE() << job_id << " never got to: " << what << "; it is " << JobState_Name(job.state()) << " at step "
                << job.step() << " of generation " << job.generation() << ": " << job.reason() << " ("
                << stream->Finish().error_message() << ")";
  return job;
}

Job LocalCluster::AwaitSuccess(const std::string& job_id) {
  return Await(job_id, "success", [](const Job& job) { return job.state() == JOB_STATE_SUCCEEDED; });
}

ListWorkersReply LocalCluster::Workers() {
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(30));
  ListWorkersReply reply;
  const grpc::Status status = NewStub()->ListWorkers(&context, ListWorkersRequest(), &reply);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return reply;
}

std::map<int64_t, StepMetrics> LocalCluster::Steps(const std::string& job_id) {
  const auto stub = NewStub();
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(30));
  MetricsRequest request;
  request.set_job_id(job_id);
  const auto stream = stub->Metrics(&context, request);
  std::map<int64_t, StepMetrics> steps;
  MetricsReply reply;
  while (stream->Read(&reply)) {
    for (const StepMetrics& step : reply.steps()) EXPECT_TRUE(steps.emplace(step.step(), step).second) << step.step();
  }
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return steps;
}

}  // namespace mimeo
