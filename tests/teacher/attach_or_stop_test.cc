// How long a rank waits for a teacher: until the answer, until a person says stop, or until it is no use.
#include "teacher/attach_or_stop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "base/testing/status_matchers.h"
#include "tests/teacher/labelling_teacher.h"

namespace mimeo::testing {
namespace {

using ::testing::HasSubstr;

// A teacher whose answers wait for open_, and a client of it.
class AttachOrStopTest : public TeacherClientFixture {
 protected:
  void SetUp() override {
    SetAddress(teacher_.address());
    source_ = Connect();
    ASSERT_NE(source_, nullptr);
  }

  void TearDown() override {
    if (!open_.HasBeenNotified()) open_.Notify();
  }

  absl::Notification open_;
  TinyTeacher teacher_{Contract("a"),
                       [this](absl::Span<const FeatureTask> tasks) -> absl::StatusOr<std::vector<std::string>> {
                         open_.WaitForNotification();
                         return Label(tasks);
                       }};
  std::unique_ptr<FeatureSource> source_;
  Sent sent_ = MakeBatch(3, 2, 1);
};

TEST_F(AttachOrStopTest, WhoIsToStopBeginsNoWait) {
  open_.Notify();
  const absl::Status stopped = AttachOrStop(
      source_.get(), sent_.batch, [] { return true; }, &sent_.views);
  EXPECT_THAT(stopped, StatusIs(absl::StatusCode::kCancelled, HasSubstr("waiting for teacher tiny")));
  EXPECT_TRUE(sent_.views[0].teacher_BNT.empty());
}

TEST_F(AttachOrStopTest, AnAnswerThatTakesLongerThanOnePollIsAttached) {
  int polls = 0;
  const auto open_later = [&] {
    if (++polls == 2) open_.Notify();
    return false;
  };
  EXPECT_OK(AttachOrStop(source_.get(), sent_.batch, open_later, &sent_.views));
  EXPECT_GE(polls, 2);
  ExpectFeatures(sent_);
}

TEST_F(AttachOrStopTest, AStopEndsAWaitThatWouldNotEnd) {
  int polls = 0;
  const absl::Status stopped = AttachOrStop(
      source_.get(), sent_.batch, [&polls] { return ++polls == 2; }, &sent_.views);
  EXPECT_THAT(stopped, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_TRUE(sent_.views[0].teacher_BNT.empty());
}

TEST_F(AttachOrStopTest, AnErrorThatNoWaitCanMendIsNotWaitedFor) {
  open_.Notify();
  Pin(Contract("b"));  // another rank met another teacher
  int polls = 0;
  const auto never = [&polls] {
    ++polls;
    return false;
  };
  EXPECT_THAT(AttachOrStop(source_.get(), sent_.batch, never, &sent_.views),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is not the one that the job began with")));
  EXPECT_EQ(polls, 1);
}

}  // namespace
}  // namespace mimeo::testing
