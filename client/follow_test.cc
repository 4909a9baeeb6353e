// Following a job over loopback, from a coordinator that plays a script: one state of the job a look.
#include "client/follow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "base/rpc/rpc.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ScriptedCoordinator : public Coordinator::Service {
 public:
  // At each look the next job, with the step metrics known by then; the last one stays. A pause makes it paused.
  void Add(int64_t step, int64_t generation, std::vector<std::pair<int64_t, double>> losses,
           JobState state = JOB_STATE_RUNNING) {
    absl::MutexLock lock(&mu_);
    Job job;
    job.set_id("j1");
    job.set_state(state);
    job.set_step(step);
    job.set_total_steps(4);
    job.set_generation(generation);
    looks_.push_back({job, std::move(losses)});
  }
  // What the data leave out, as the newest look that was added tells it.
  void LeavesOut(const std::string& reason, int64_t count) {
    absl::MutexLock lock(&mu_);
    Job& job = looks_.back().job;
    DataContents* data = job.data().empty() ? job.add_data() : job.mutable_data(0);
    data->set_field("data.path");
    data->add_passed_over()->set_reason(reason);
    data->mutable_passed_over()->rbegin()->set_count(count);
  }
  // What the newest look that was added began with.
  void StartsFrom(const std::string& weights) {
    absl::MutexLock lock(&mu_);
    looks_.back().job.mutable_spec()->set_init_weights(weights);
  }
  int pauses() {
    absl::MutexLock lock(&mu_);
    return pauses_;
  }

  grpc::Status GetJob(grpc::ServerContext*, const GetJobRequest* request, Job* reply) override {
    absl::MutexLock lock(&mu_);
    if (request->job_id() != "j1") {
      return grpc::Status(grpc::StatusCode::NOT_FOUND, "there is no job " + request->job_id());
    }
    look_ = std::min(next_++, looks_.size() - 1);
    *reply = looks_[look_].job;
    if (pauses_ > 0) reply->set_state(JOB_STATE_PAUSED);
    return grpc::Status::OK;
  }
  grpc::Status Metrics(grpc::ServerContext*, const MetricsRequest* request,
                       grpc::ServerWriter<MetricsReply>* stream) override {
    absl::MutexLock lock(&mu_);
    MetricsReply reply;
    for (const auto& [number, loss] : looks_[look_].losses) {
      if (number <= request->after_step()) continue;
      StepMetrics* step = reply.add_steps();
      step->set_step(number);
      step->set_loss(loss);
      step->set_generation(looks_[look_].job.generation());
    }
    (*reply.add_evaluations()->mutable_values())["knn_accuracy"] = 0.25;
    stream->Write(reply);
    return grpc::Status::OK;
  }
  grpc::Status ControlJob(grpc::ServerContext*, const ControlJobRequest* request, Job*) override {
    absl::MutexLock lock(&mu_);
    if (request->want() == WANT_PAUSE) ++pauses_;
    return grpc::Status::OK;
  }

 private:
  struct Look {
    Job job;
    std::vector<std::pair<int64_t, double>> losses;
  };
  absl::Mutex mu_;
  std::vector<Look> looks_ ABSL_GUARDED_BY(mu_);
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;
  size_t look_ ABSL_GUARDED_BY(mu_) = 0;
  int pauses_ ABSL_GUARDED_BY(mu_) = 0;
};

class FollowTest : public testing::Test {
 protected:
  FollowTest() {
    auto server = RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {&coordinator_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  ~FollowTest() override { std::fclose(out_); }

  absl::StatusOr<Followed> Follow(const FollowOptions& options = {}, const std::string& job_id = "j1") {
    JobBar bar(out_);
    return FollowJob(OpenChannel(ChannelOptions(), absl::StrCat("127.0.0.1:", server_->port())), job_id, &bar, options);
  }
  std::string Said() {
    std::rewind(out_);
    std::string text(8192, '\0');
    text.resize(std::fread(&text[0], 1, text.size(), out_));
    return text;
  }

  ScriptedCoordinator coordinator_;
  std::unique_ptr<RpcServer> server_;
  std::FILE* const out_ = std::tmpfile();
};

std::vector<double> Losses(const Followed& followed) {
  std::vector<double> losses;
  for (const StepMetrics& step : followed.steps) losses.push_back(step.loss());
  return losses;
}

TEST_F(FollowTest, KeepsWhatTheLaterGenerationSaidOfAStep) {
  coordinator_.Add(2, 1, {{1, 0.9}, {2, 0.8}});
  coordinator_.Add(1, 2, {{1, 0.9}});  // rolled back to step 1
  coordinator_.Add(4, 2, {{1, 0.9}, {2, 0.7}, {3, 0.6}, {4, 0.5}}, JOB_STATE_SUCCEEDED);
  std::vector<std::pair<int64_t, int64_t>> told;  // step and generation
  int evaluations_told = 0;
  FollowOptions options;
  options.numbers = [&](const std::vector<StepMetrics>& steps, const std::vector<EvaluationResult>& evaluations) {
    for (const StepMetrics& step : steps) told.emplace_back(step.step(), step.generation());
    evaluations_told += static_cast<int>(evaluations.size());
  };
  const auto followed = Follow(options);
  ASSERT_TRUE(followed.ok()) << followed.status();
  EXPECT_EQ(followed->job.state(), JOB_STATE_SUCCEEDED);
  EXPECT_THAT(Losses(*followed), ElementsAre(0.9, 0.7, 0.6, 0.5));
  using Told = std::pair<int64_t, int64_t>;
  EXPECT_THAT(told, ElementsAre(Told(1, 1), Told(2, 1), Told(2, 2), Told(3, 2), Told(4, 2), Told(1, 2), Told(2, 2),
                                Told(3, 2), Told(4, 2)))
      << "again from where a later generation has done them again";
  EXPECT_EQ(evaluations_told, 1);
  EXPECT_EQ(followed->evaluations.size(), 1u);
  const std::string said = Said();
  EXPECT_THAT(said, HasSubstr("generation 2"));
  const std::string line = "evaluation of the untrained encoder: k-NN is right for 25.0 % of the held-out images\n";
  EXPECT_THAT(said, HasSubstr(line));
  EXPECT_EQ(said.find(line), said.rfind(line)) << "said once: " << said;
}

TEST_F(FollowTest, StartingWeightsAreCalledThatAndSentencesAreReworded) {
  coordinator_.Add(2, 1, {{1, 0.9}, {2, 0.8}}, JOB_STATE_PAUSED);
  coordinator_.StartsFrom("/w");
  FollowOptions options;
  options.reword = [](Job* job) { job->set_status_code(9), job->set_reason("in other words"); };
  const auto followed = Follow(options);
  ASSERT_TRUE(followed.ok()) << followed.status();
  EXPECT_EQ(followed->job.reason(), "in other words");
  EXPECT_THAT(Said(), testing::AllOf(HasSubstr("evaluation of the weights it started from: "),
                                     HasSubstr("is paused: in other words")));
}

TEST_F(FollowTest, WhatTheDataLeaveOutIsSaidOnceAndAGrownCountAgainAtTheEnd) {
  coordinator_.Add(1, 1, {});
  coordinator_.LeavesOut("hidden folders", 2);
  coordinator_.Add(2, 1, {});
  coordinator_.LeavesOut("hidden folders", 2);
  coordinator_.LeavesOut("images that cannot be decoded", 1);
  coordinator_.Add(3, 1, {});
  coordinator_.LeavesOut("hidden folders", 2);
  coordinator_.LeavesOut("images that cannot be decoded", 5);
  coordinator_.Add(4, 1, {}, JOB_STATE_SUCCEEDED);
  coordinator_.LeavesOut("hidden folders", 2);
  coordinator_.LeavesOut("images that cannot be decoded", 8);
  ASSERT_TRUE(Follow().ok());
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(Said(), '\n')) {
    if (absl::StrContains(line, "leaves out")) lines.emplace_back(line);
  }
  EXPECT_THAT(lines, ElementsAre("data.path leaves out hidden folders: 2",
                                 "data.path leaves out images that cannot be decoded: 1",
                                 "data.path leaves out images that cannot be decoded: 8"));
}

TEST_F(FollowTest, AnInterruptPausesOnceAndWaitsForThePause) {
  coordinator_.Add(2, 1, {{1, 0.9}, {2, 0.8}});
  FollowOptions options;
  options.interrupted = [] { return true; };
  const auto followed = Follow(options);
  ASSERT_TRUE(followed.ok()) << followed.status();
  EXPECT_EQ(followed->job.state(), JOB_STATE_PAUSED);
  EXPECT_EQ(coordinator_.pauses(), 1);
}

TEST_F(FollowTest, AFailedCheckEndsItThoughTheCoordinatorIsGone) {
  coordinator_.Add(2, 1, {});
  FollowOptions options;
  int looks = 0;
  options.check = [&] {
    if (++looks == 1) server_->Shutdown(absl::ZeroDuration());
    return looks < 3 ? absl::OkStatus() : absl::InternalError("coordinator was killed");
  };
  EXPECT_EQ(Follow(options).status(), absl::InternalError("coordinator was killed"));
}

TEST_F(FollowTest, ACoordinatorThatWasHeardIsWaitedForAsLongAsToldAndOneThatWasNotIsNot) {
  coordinator_.Add(2, 1, {});
  FollowOptions options;
  options.patience = absl::Milliseconds(400);
  int looks = 0;
  options.check = [&] {
    if (++looks == 1) server_->Shutdown(absl::ZeroDuration());
    return absl::OkStatus();
  };
  EXPECT_EQ(Follow(options).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_GE(looks, 2) << "it was waited for";
  looks = 100;
  options.patience = absl::Hours(1);
  EXPECT_EQ(Follow(options).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(looks, 100) << "nobody was there from the start";
}

TEST_F(FollowTest, AnUnknownJobIsNotFound) {
  coordinator_.Add(2, 1, {});
  EXPECT_EQ(Follow({}, "j9").status(), absl::NotFoundError("there is no job j9"));
}

}  // namespace
}  // namespace mimeo
