#include "teacher_server/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AdmissionTest : public ::testing::Test {
 protected:
  void TearDown() override { admission_.Close(); }  // nobody waits when the leases are destroyed

  void Ask(int name, int64_t images, int64_t bytes) {
    admission_.Acquire({images, bytes}, [this, name](absl::StatusOr<Admission::Lease> lease) {
      if (lease.ok()) {
        granted_.push_back(name);
        leases_[name] = std::make_unique<Admission::Lease>(*std::move(lease));
      } else {
        refused_.push_back(lease.status());
      }
    });
  }

  Admission admission_{{10, 100}};
  std::vector<std::unique_ptr<Admission::Lease>> leases_{8};
  std::vector<int> granted_;
  std::vector<absl::Status> refused_;
};

TEST_F(AdmissionTest, ServesInOrderOfArrivalWithinTheCapacity) {
  Ask(0, 1, 60);
  Ask(1, 1, 30);
  Ask(2, 1, 100);  // needs everything
  Ask(3, 1, 5);    // would fit at once, but came later
  EXPECT_THAT(granted_, ElementsAre(0, 1));
  EXPECT_EQ(admission_.used().bytes, 90);
  EXPECT_EQ(admission_.waiting(), 2);
  leases_[0].reset();
  EXPECT_THAT(granted_, ElementsAre(0, 1));
  leases_[1].reset();
  EXPECT_THAT(granted_, ElementsAre(0, 1, 2));
  leases_[2].reset();
  EXPECT_THAT(granted_, ElementsAre(0, 1, 2, 3));
  leases_[3].reset();
  EXPECT_EQ(admission_.used().bytes, 0);
  EXPECT_EQ(admission_.used().images, 0);
}

TEST_F(AdmissionTest, CountsImagesToo) {
  Ask(0, 7, 1);
  Ask(1, 4, 1);
  EXPECT_THAT(granted_, ElementsAre(0));
  leases_[0].reset();
  EXPECT_THAT(granted_, ElementsAre(0, 1));
}

TEST_F(AdmissionTest, OneReturnServesAllWhoFit) {
  Ask(0, 1, 100);
  Ask(1, 1, 50);
  Ask(2, 1, 50);
  Ask(3, 1, 1);
  leases_[0].reset();
  EXPECT_THAT(granted_, ElementsAre(0, 1, 2));
}

TEST_F(AdmissionTest, MoreThanTheCapacityIsRefusedWithTheNumbers) {
  Ask(0, 1, 101);
  ASSERT_EQ(refused_.size(), 1u);
  EXPECT_EQ(refused_[0].code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused_[0].message()), HasSubstr("1 images and 101 bytes"));
  EXPECT_THAT(std::string(refused_[0].message()), HasSubstr("10 images and 100 bytes"));
}

TEST_F(AdmissionTest, CloseAnswersThoseWhoWaitAndAllLaterOnes) {
  Ask(0, 1, 100);
  Ask(1, 1, 1);
  admission_.Close();
  Ask(2, 1, 1);
  EXPECT_THAT(granted_, ElementsAre(0));
  ASSERT_EQ(refused_.size(), 2u);
  EXPECT_EQ(refused_[0].code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(refused_[1].code(), absl::StatusCode::kUnavailable);
  leases_[0].reset();
  EXPECT_EQ(admission_.used().bytes, 0);
}

TEST_F(AdmissionTest, AMovedLeaseReturnsItsCostOnce) {
  Ask(0, 1, 40);
  Admission::Lease other = std::move(*leases_[0]);
  leases_[0].reset();
  EXPECT_EQ(admission_.used().bytes, 40);
  other = Admission::Lease();
  EXPECT_EQ(admission_.used().bytes, 0);
}

}  // namespace
}  // namespace mimeo
