#include "evaluation/checkpoint_job.h"

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "base/status_macros.h"
#include "base/testing/status_matchers.h"
#include "evaluation/testing/small_autoencoder.h"
#include "gtest/gtest.h"
#include "job/job_spec.h"
#include "model/weights.h"

namespace mimeo {
namespace {

using testing::StatusIs;

absl::StatusOr<JobSpec> JobOf(const std::map<std::string, std::string>& metadata) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "checkpoint.safetensors");
  RETURN_IF_ERROR(WriteSafetensors(path, {}, metadata));
  const std::unique_ptr<SafetensorsFile> file = SafetensorsFile::Open(path).value();
  return JobOfCheckpoint(file->view(), "x.safetensors");
}

TEST(JobOfCheckpointTest, IsTheResolvedJobThatWasWritten) {
  const JobSpec spec = testing::SmallAutoencoderSpec();
  ASSERT_OK_AND_ASSIGN(const JobSpec found, JobOf({{"job", JobSpecText(spec)}}));
  EXPECT_EQ(JobSpecText(found), JobSpecText(spec));
}

TEST(JobOfCheckpointTest, SaysWhatIsNoCheckpoint) {
  EXPECT_THAT(JobOf({{"format", "pt"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "x.safetensors: not a checkpoint of Mimeo"));
  EXPECT_THAT(JobOf({{"job", "encoder {"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "x.safetensors (metadata key `job`)"));
}

}  // namespace
}  // namespace mimeo
