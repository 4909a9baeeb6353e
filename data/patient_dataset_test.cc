#include "data/patient_dataset.h"

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

class PatientDatasetTest : public ::testing::Test {
 protected:
  PatientDatasetTest() {
    EXPECT_OK(MakeDirs(photos_));
    for (int i = 0; i < 4; ++i) {
      EXPECT_OK(WriteFileAtomic(absl::StrCat(photos_, "/", i, ".jpg"), absl::StrCat("photo", i)));
    }
    Patience patience;
    patience.retry = absl::Milliseconds(5);
    patience.stop_wanted = [this] { return stop_.load(); };
    patience.on_waiting = [this](const std::string& reason, bool waiting) {
      absl::MutexLock lock(&mu_);
      told_.emplace_back(reason, waiting);
    };
    dataset_ = std::make_unique<PatientDataset>(Dataset::Open(photos_).value(), "data", patience);
  }

  void AwaitTold(size_t times) {
    absl::MutexLock lock(&mu_);
    const auto told = [this, times]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return told_.size() >= times; };
    ASSERT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&told), absl::Seconds(30)));
  }
  std::vector<std::pair<std::string, bool>> Told() {
    absl::MutexLock lock(&mu_);
    return told_;
  }

  TempDir dir_;
  const std::string photos_ = JoinPath(dir_.path(), "photos");
  const std::string aside_ = JoinPath(dir_.path(), "aside");
  std::atomic<bool> stop_{false};
  std::unique_ptr<PatientDataset> dataset_;
  absl::Mutex mu_;
  std::vector<std::pair<std::string, bool>> told_ ABSL_GUARDED_BY(mu_);
};

TEST_F(PatientDatasetTest, WhatIsThereIsReadWithoutAWord) {
  EXPECT_EQ(dataset_->Read(2).value(), "photo2");
  EXPECT_EQ(dataset_->size(), 4);
  EXPECT_EQ(dataset_->name(3), "3.jpg");
  EXPECT_TRUE(Told().empty());
}

TEST_F(PatientDatasetTest, WhatIsAwayIsWaitedForWithTheReason) {
  std::filesystem::rename(photos_, aside_);
  std::string read;
  std::thread reader([&] { read = dataset_->Read(1).value(); });
  AwaitTold(1);
  std::filesystem::rename(aside_, photos_);
  reader.join();
  EXPECT_EQ(read, "photo1");
  const std::string reason = absl::StrCat("data ", photos_, "/1.jpg: No such file or directory");
  EXPECT_EQ(Told(), (std::vector<std::pair<std::string, bool>>{{reason, true}, {reason, false}}));
}

TEST_F(PatientDatasetTest, TheReasonIsTheNewestAndOneForAllThreads) {
  std::filesystem::remove(photos_ + "/0.jpg");
  std::vector<std::string> read(4);
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) readers.emplace_back([&, i] { read[i] = dataset_->Read(0).value(); });
  AwaitTold(1);
  ASSERT_OK(WriteFileAtomic(photos_ + "/0.jpg", "p"));
  AwaitTold(3);
  ASSERT_OK(WriteFileAtomic(photos_ + "/0.jpg", "PHOTO0"));
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(read, std::vector<std::string>(4, "PHOTO0"));
  const auto told = Told();
  ASSERT_GE(told.size(), 4u);
  EXPECT_EQ(told[1], std::make_pair(told[0].first, false));
  EXPECT_NE(told[2].first.find("has 1 bytes, and had 6 when it was listed"), std::string::npos) << told[2].first;
  for (size_t i = 0; i < told.size(); i += 2) {
    EXPECT_TRUE(told[i].second);
    EXPECT_EQ(told[i + 1], std::make_pair(told[i].first, false));
  }
}

TEST_F(PatientDatasetTest, AStopEndsTheWaiting) {
  std::filesystem::rename(photos_, aside_);
  absl::Status status;
  std::thread reader([&] { status = dataset_->Read(1).status(); });
  AwaitTold(1);
  stop_ = true;
  reader.join();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled, "while waiting for data "));
  EXPECT_FALSE(Told().back().second) << "and it says that it waits no more";
}

}  // namespace
}  // namespace mimeo
