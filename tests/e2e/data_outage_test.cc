// What a job does when its images go away, change, were never there, or cannot be decoded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/photos.h"

namespace mimeo {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr int64_t kSteps = 40;

class DataOutageTest : public testing::Test {
 protected:
  DataOutageTest() {
    cluster_.StartCoordinator();
    cluster_.StartWorker("w0", 2);
    WritePhotos(photos_, 300);
  }

  JobSpec Spec(int ranks = 1, int64_t steps = kSteps) const {
    JobSpec spec = TinyJob(ranks, steps);
    spec.mutable_data()->set_path(photos_);
    return spec;
  }

  Job AwaitStep(const std::string& id, int64_t step) {
    return cluster_.Await(id, absl::StrCat("step ", step), [step](const Job& job) { return job.step() >= step; });
  }
  // Until a rank says that it waits for something of this text.
  Job AwaitWaiting(const std::string& id, const std::string& text) {
    return cluster_.Await(id, absl::StrCat("waiting for ", text), [&text](const Job& job) {
      return job.ranks_size() > 0 && absl::StrContains(job.ranks(0).waiting_for(), text);
    });
  }
  Job AwaitState(const std::string& id, JobState state) {
    return cluster_.Await(id, JobState_Name(state), [state](const Job& job) { return job.state() == state; });
  }
  std::string ReasonOfFailure(const std::string& id) { return AwaitState(id, JOB_STATE_FAILED).reason(); }

  void ExpectTheStepsOf(const std::string& undisturbed, const std::string& id) {
    const auto expected = cluster_.Steps(undisturbed), found = cluster_.Steps(id);
    ASSERT_EQ(expected.size(), static_cast<size_t>(kSteps));
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [step, metrics] : expected) {
      EXPECT_EQ(metrics.loss(), found.at(step).loss()) << "step " << step;
      EXPECT_EQ(metrics.grad_norm(), found.at(step).grad_norm()) << "step " << step;
    }
  }

  LocalCluster cluster_;
  const std::string photos_ = cluster_.dir() + "/photos";
  const std::string aside_ = cluster_.dir() + "/aside";
};

TEST_F(DataOutageTest, AFolderThatGoesAwayIsWaitedForAndTheLossesAreBitEqual) {
  const std::string undisturbed = cluster_.Submit(Spec());
  cluster_.AwaitSuccess(undisturbed);

  const std::string id = cluster_.Submit(Spec());
  const Job before = AwaitStep(id, 5);
  fs::rename(photos_, aside_);
  const Job waiting = AwaitWaiting(id, "data " + photos_ + "/");
  EXPECT_THAT(waiting.ranks(0).waiting_for(), HasSubstr(": No such file or directory"));
  EXPECT_LT(waiting.step(), kSteps);
  EXPECT_THAT(cluster_.Mimeo({"explain", id}), HasSubstr("No such file or directory"));
  fs::rename(aside_, photos_);
  const Job after = cluster_.AwaitSuccess(id);
  EXPECT_EQ(after.generation(), before.generation()) << "the wait was taken for a failure or a hang";
  EXPECT_EQ(cluster_.Steps(id).at(kSteps).generation(), before.generation());
  ExpectTheStepsOf(undisturbed, id);
}

TEST_F(DataOutageTest, PauseWorksWhileItWaitsAndAResumeWaitsForWhatIsAwayOrEmpty) {
  const std::string undisturbed = cluster_.Submit(Spec());
  cluster_.AwaitSuccess(undisturbed);

  const std::string id = cluster_.Submit(Spec());
  AwaitStep(id, 5);
  fs::rename(photos_, aside_);
  AwaitWaiting(id, "No such file or directory");
  cluster_.Mimeo({"pause", id});
  const Job paused = AwaitState(id, JOB_STATE_PAUSED);
  EXPECT_GE(paused.checkpoint_step(), 5) << "what was trained is kept";

  cluster_.Mimeo({"resume", id});
  AwaitWaiting(id, "data " + photos_ + ": no such file or folder");
  ASSERT_TRUE(MakeDirs(photos_).ok());  // where nothing is mounted
  AwaitWaiting(id, "data " + photos_ + ": no images in it: 0 files");
  fs::copy(aside_ + "/1000.jpg", photos_);  // somebody copies them back
  AwaitWaiting(id, "it had 300 images");
  fs::remove_all(photos_);
  fs::rename(aside_, photos_);
  cluster_.AwaitSuccess(id);
  ExpectTheStepsOf(undisturbed, id);
}

TEST_F(DataOutageTest, ChangedImagesAreRefusedWithWhatChanged) {
  const std::string id = cluster_.Submit(Spec());
  AwaitStep(id, 5);
  cluster_.Mimeo({"pause", id});
  const Job paused = AwaitState(id, JOB_STATE_PAUSED);
  ASSERT_TRUE(WriteFileAtomic(photos_ + "/new.jpg", "one more").ok());
  cluster_.Mimeo({"resume", id});
  const Job refused = cluster_.Await(id, "refused", [](const Job& job) {
    return (job.state() == JOB_STATE_PAUSED || job.state() == JOB_STATE_FAILED) &&
           absl::StrContains(job.reason(), "has changed");
  });
  EXPECT_THAT(refused.reason(),
              AllOf(HasSubstr(absl::StrCat(photos_, " has changed since this job began: it had 300 images, digest ")),
                    HasSubstr("now it has 301 images, digest "), HasSubstr("Restore the images and `mimeo resume`")));
  EXPECT_EQ(refused.checkpoint_step(), paused.checkpoint_step());
}

TEST_F(DataOutageTest, WhatWasNeverThereIsRefusedSoon) {
  ASSERT_EQ(mkfifo((cluster_.dir() + "/pipe.tar").c_str(), 0600), 0);
  ASSERT_TRUE(MakeDirs(cluster_.dir() + "/empty").ok());
  for (const auto& [name, reason] : std::map<std::string, std::string>{{"mistyped", "no such file or folder"},
                                                                       {"empty", "no images in it: 0 files"},
                                                                       {"pipe.tar", "a pipe, socket or device"}}) {
    JobSpec spec = Spec();
    spec.mutable_data()->set_path(absl::StrCat(cluster_.dir(), "/", name));
    const std::string id = cluster_.Submit(spec);
    // It is refused by the first look at it, and not taken for an outage.
    const Job refused = cluster_.Await(id, "the refusal of " + name, [](const Job& job) {
      for (const RankStatus& rank : job.ranks()) EXPECT_EQ(rank.waiting_for(), "");
      return job.state() == JOB_STATE_FAILED;
    });
    EXPECT_THAT(refused.reason(), HasSubstr(absl::StrCat("data.path: ", spec.data().path(), ": ", reason)));
    EXPECT_EQ(refused.generation(), 1) << name;
  }
  JobSpec spec = Spec();
  spec.mutable_evaluation()->set_path(cluster_.dir() + "/mistyped");
  EXPECT_THAT(ReasonOfFailure(cluster_.Submit(spec)),
              HasSubstr("evaluation.path: " + cluster_.dir() + "/mistyped: no such file or folder"));
}

TEST_F(DataOutageTest, BadSamplesAreCountedOverTheRanksAndOverAResume) {
  WritePhotos(photos_,
              288);  // three whole batches of 96, so that an epoch meets all of the bad ones, and a rank about half
  for (int i = 0; i < 88; ++i) {
    ASSERT_TRUE(WriteFileAtomic(absl::StrCat(photos_, "/", 1000 + 2 * i, ".jpg"), "no photo").ok());
  }
  JobSpec spec = Spec(2, 3);
  spec.mutable_data()->set_max_bad_samples(86);
  EXPECT_THAT(ReasonOfFailure(cluster_.Submit(spec)),
              AllOf(HasSubstr(" of 288 samples cannot be decoded; data.max_bad_samples is 86. The first:"),
                    HasSubstr("\n  1000.jpg: not a JPEG, PNG or WebP")));

  spec = Spec(2, 100000);  // more than it gets to: it is looked at while it runs
  spec.mutable_data()->set_max_bad_samples(88);
  const std::string id = cluster_.Submit(spec);
  const auto knows_all = [](const Job& job) {
    return job.ranks_size() == 2 && job.ranks(0).bad_samples() == 88 && job.ranks(1).bad_samples() == 88;
  };
  cluster_.Await(id, "all bad samples met", knows_all);
  cluster_.Mimeo({"pause", id});
  const Job paused = AwaitState(id, JOB_STATE_PAUSED);
  cluster_.Mimeo({"resume", id});
  const Job resumed = cluster_.Await(id, "the first step after the resume", [&](const Job& job) {
    return job.generation() > paused.generation() && job.ranks_size() > 0 &&
           job.ranks(0).step() > paused.checkpoint_step();
  });
  EXPECT_EQ(resumed.ranks(0).bad_samples(), 88) << "met before the pause";
  cluster_.Mimeo({"cancel", id});
  AwaitState(id, JOB_STATE_CANCELLED);
}

TEST_F(DataOutageTest, TheReasonReachesThePersonHoweverLongTheNamesAre) {
  WritePhotos(photos_, 16);
  std::string folders = photos_;
  for (int depth = 0; depth < 5; ++depth) {
    folders += "/";
    for (int i = 0; i < 70; ++i) folders += "袖";
  }
  ASSERT_TRUE(MakeDirs(folders).ok());
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(WriteFileAtomic(absl::StrCat(folders, "/", i, "ズズズ\xe9.jpg"), "no photo").ok());
  }
  JobSpec spec = Spec();
  spec.mutable_data()->set_global_batch(4);
  spec.mutable_data()->set_max_bad_samples(7);
  const std::string id = cluster_.Submit(spec);
  const std::string reason = ReasonOfFailure(id);
  EXPECT_THAT(reason, HasSubstr("8 of 24 samples cannot be decoded; data.max_bad_samples is 7"));
  for (int i = 0; i < 8; ++i) {
    EXPECT_THAT(reason,
                HasSubstr(absl::StrCat("/", i, "ズズズ\\xe9.jpg: not a JPEG, PNG or WebP: starts with \"no photo\"")));
  }
  EXPECT_THAT(cluster_.Mimeo({"show", id}), HasSubstr("7ズズズ\\xe9.jpg: not a JPEG"));
  cluster_.Kill("coordinator");
  cluster_.StartCoordinator();
  EXPECT_EQ(ReasonOfFailure(id), reason) << "it can be read back";
}

}  // namespace
}  // namespace mimeo
