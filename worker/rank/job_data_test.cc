#include "worker/rank/job_data.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::StatusIs;

class JobDataTest : public ::testing::Test {
 protected:
  JobDataTest() {
    Write(6);
    const auto opened = Dataset::Open(photos_).value();
    pinned_ = {"data.path",      photos_,        /*read_before=*/true,
               opened->digest(), opened->size(), /*believed=*/absl::Milliseconds(100)};
    patience_.retry = absl::Milliseconds(5);
    patience_.stop_wanted = [this] { return stop_.load(); };
    patience_.on_waiting = [this](const std::string& reason, bool waiting) {
      absl::MutexLock lock(&mu_);
      told_ = waiting ? reason : "";
      all_told_ += waiting ? reason + "\n" : "";
    };
  }
  ~JobDataTest() override {
    if (opener_.joinable()) opener_.join();
  }

  void Write(int count) {
    EXPECT_OK(MakeDirs(photos_));
    for (int i = 0; i < count; ++i) {
      std::ofstream(absl::StrCat(photos_, "/", i, ".jpg")) << "photo" << i;  // without a sync of each
    }
  }
  void Start() {
    opener_ = std::thread([this] { opened_ = OpenJobData(pinned_, patience_); });
  }
  absl::StatusOr<OpenedJobData>& End() {
    opener_.join();
    return opened_;
  }
  void AwaitTold(const std::string& part) {
    absl::MutexLock lock(&mu_);
    const auto told = [this, &part]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return absl::StrContains(told_, part); };
    EXPECT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&told), absl::Seconds(30)))
        << part << " was not told, but " << all_told_;
  }
  std::string Told() {
    absl::MutexLock lock(&mu_);
    return told_;
  }

  TempDir dir_;
  const std::string photos_ = JoinPath(dir_.path(), "photos");
  const std::string aside_ = JoinPath(dir_.path(), "aside");
  JobData pinned_;
  Patience patience_;
  std::atomic<bool> stop_{false};
  absl::Mutex mu_;
  std::string told_ ABSL_GUARDED_BY(mu_), all_told_ ABSL_GUARDED_BY(mu_);
  absl::StatusOr<OpenedJobData> opened_;
  std::thread opener_;
};

TEST_F(JobDataTest, WhatWasNeverReadIsRefusedAtOnceWithItsCode) {
  pinned_ = {"data.path", JoinPath(dir_.path(), "mistyped")};
  EXPECT_THAT(OpenJobData(pinned_, patience_),
              StatusIs(absl::StatusCode::kNotFound, "data.path: " + pinned_.path + ": no such file or folder"));
  ASSERT_OK(MakeDirs(pinned_.path));
  EXPECT_THAT(OpenJobData(pinned_, patience_), StatusIs(absl::StatusCode::kNotFound, "no images in it"));
  pinned_.path = "/dev/null";
  EXPECT_THAT(OpenJobData(pinned_, patience_),
              StatusIs(absl::StatusCode::kInvalidArgument, "a pipe, socket or device"));
  EXPECT_EQ(Told(), "");
}

TEST_F(JobDataTest, WhatWasThereIsWaitedForThoughItIsAwayOrEmpty) {
  std::filesystem::rename(photos_, aside_);
  Start();
  AwaitTold(absl::StrCat("data ", photos_, ": no such file or folder"));
  ASSERT_OK(MakeDirs(photos_));  // where nothing is mounted
  AwaitTold("no images in it: 0 files");
  std::filesystem::remove(photos_);
  std::filesystem::rename(aside_, photos_);
  ASSERT_OK(End());
  EXPECT_EQ(opened_->dataset->digest(), pinned_.digest);
  EXPECT_EQ(opened_->held_out, nullptr) << "nothing is held out";
  EXPECT_EQ(Told(), "") << "it says that it waits no more";
}

TEST_F(JobDataTest, AFolderThatIsBeingFilledIsWaitedForUntilItIsWhole) {
  pinned_.believed = absl::Seconds(20);
  ASSERT_OK(RemoveTree(photos_));
  Start();
  AwaitTold("no such file");
  Write(2);
  AwaitTold("has changed since this job began: it had 6 images");
  Write(5);
  AwaitTold("now it has 5 images");
  Write(6);
  ASSERT_OK(End());
}

TEST_F(JobDataTest, WhatStaysChangedIsRefusedWithWhatItWasAndIs) {
  ASSERT_OK(WriteFileAtomic(photos_ + "/new.jpg", "photo"));
  const std::string now = Dataset::Open(photos_).value()->digest();
  EXPECT_THAT(OpenJobData(pinned_, patience_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("data.path: " + photos_ + " has changed since this job began"),
                             HasSubstr("it had 6 images, digest " + pinned_.digest),
                             HasSubstr("now it has 7 images, digest " + now),
                             HasSubstr("Restore the images and `mimeo resume` the job"))));
  ASSERT_OK(RemoveTree(photos_));
  ASSERT_OK(WriteFileAtomic(photos_, "a file in its place"));
  EXPECT_THAT(OpenJobData(pinned_, patience_),
              StatusIs(absl::StatusCode::kFailedPrecondition, "now " + photos_ + ": neither a folder nor a .tar"));
}

TEST_F(JobDataTest, APartIsHeldOutAndTheDigestIsThatOfTheRest) {
  Write(200);
  pinned_ = {"data.path", photos_};
  pinned_.hold_out = 0.2;
  ASSERT_OK_AND_ASSIGN(const OpenedJobData opened, OpenJobData(pinned_, patience_));
  EXPECT_EQ(opened.dataset->size() + opened.held_out->size(), 200);
  EXPECT_EQ(opened.bank->digest(), opened.dataset->digest());
  std::set<std::string> trained;
  for (int64_t i = 0; i < opened.dataset->size(); ++i) trained.insert(opened.dataset->name(i));
  EXPECT_EQ(trained.size(), static_cast<size_t>(opened.dataset->size()));
  for (int64_t i = 0; i < opened.held_out->size(); ++i) EXPECT_EQ(trained.count(opened.held_out->name(i)), 0u);
  // The next generation finds the same parts, and does not take others for them.
  pinned_.read_before = true, pinned_.digest = opened.dataset->digest(), pinned_.num_samples = opened.dataset->size();
  ASSERT_OK(OpenJobData(pinned_, patience_));
  pinned_.believed = absl::Milliseconds(100), pinned_.hold_out = 0.3;
  EXPECT_THAT(OpenJobData(pinned_, patience_),
              StatusIs(absl::StatusCode::kFailedPrecondition, absl::StrCat("it had ", pinned_.num_samples, " images")));
}

TEST_F(JobDataTest, TooFewImagesOnEitherSideAreRefusedWithTheNumbers) {
  pinned_ = {"data.path", photos_};
  pinned_.hold_out = 1e-9;
  EXPECT_THAT(OpenJobData(pinned_, patience_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "evaluation.hold_out: a share of 1e-09 holds out none of the 6 images of " + photos_));
  Write(200);
  pinned_.hold_out = 0.2, pinned_.global_batch = 190;
  EXPECT_THAT(OpenJobData(pinned_, patience_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("evaluation.hold_out: a share of 0.2 leaves 1"),
                             HasSubstr(" of the 200 images of " + photos_ +
                                       " to train on, fewer than one data.global_batch of 190"))));
}

TEST_F(JobDataTest, WithoutADigestWhateverComesBackIsTaken) {
  pinned_ = {"evaluation.path", photos_, /*read_before=*/true};
  std::filesystem::rename(photos_, aside_);
  Start();
  AwaitTold(absl::StrCat("evaluation ", photos_, ": no such file"));
  Write(3);
  ASSERT_OK(End());
}

TEST_F(JobDataTest, AStopEndsTheWaiting) {
  std::filesystem::rename(photos_, aside_);
  Start();
  AwaitTold("no such file");
  stop_ = true;
  EXPECT_THAT(End(), StatusIs(absl::StatusCode::kCancelled, "while waiting for data "));
}

TEST_F(JobDataTest, SamplesThatGoAwayLaterAreWaitedForToo) {
  ASSERT_OK_AND_ASSIGN(const OpenedJobData opened, OpenJobData(pinned_, patience_));
  std::filesystem::rename(photos_, aside_);
  std::string read;
  std::thread reader([&] { read = opened.dataset->Read(4).value(); });
  AwaitTold("4.jpg: No such file");
  std::filesystem::rename(aside_, photos_);
  reader.join();
  EXPECT_EQ(read, "photo4");
}

}  // namespace
}  // namespace mimeo
