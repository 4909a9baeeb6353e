#include "client/job_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/columns.h"
#include "client/table.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kNow = 1800000000;

Job Trained() {
  Job job;
  job.set_id("j3");
  job.set_name("quickstart");
  job.set_state(JOB_STATE_RUNNING);
  job.set_step(120);
  job.set_total_steps(400);
  job.mutable_submitted()->set_seconds(kNow - 300);
  job.mutable_remaining()->set_seconds(3700);
  job.set_images_per_second(512.4);
  job.set_owner("anna");
  return job;
}

std::vector<std::string> Row(const Job& job) { return JobListRow(job, absl::FromUnixSeconds(kNow)); }

TEST(JobListTest, ARowSaysHowOldAJobIsWhenItEndsHowFastAndWhose) {
  EXPECT_THAT(Row(Trained()), ElementsAre("j3", "quickstart", "running", "120/400", "5m", "1h", "512", "anna"));
  Job waits;
  waits.set_id("j4");
  waits.set_state(JOB_STATE_PENDING);
  EXPECT_THAT(Row(waits), ElementsAre("j4", "", "pending", "0", "-", "-", "-", "-"));
}

TEST(JobListTest, TheWidestRowFitsIntoEightyColumns) {
  Job job = Trained();
  job.set_id("j123456");
  job.set_name(std::string(64, 'n'));
  job.set_state(JOB_STATE_CANCELLED);
  job.set_step(999999999);
  job.set_total_steps(999999999);
  job.set_owner("an.owner.with.a.long.name");
  job.set_images_per_second(9999999);
  job.mutable_submitted()->set_seconds(0);
  job.mutable_remaining()->set_seconds(int64_t{1} << 40);
  job.set_state(JOB_STATE_PENDING);
  job.set_why(std::string(400, 'w'));
  Table table(JobListHeader());
  table.Add(Row(job));
  table.AddLine(JobListNote(job));
  job.set_state(JOB_STATE_SUCCEEDED);
  job.set_name("日本語の名前はとても長いです");
  table.Add(Row(job));
  std::string text;
  for (const Span& span : table.Take()) text += span.bytes;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
    const std::string line = text.substr(begin, end - begin);
    EXPECT_LE(ColumnsOf(line), kListColumns) << line;
  }
  EXPECT_THAT(text, HasSubstr("nnnnnnnnnnnn…"));
}

TEST(JobListTest, TheNoteIsTheTrueReasonAndNothingWhereAllIsWell) {
  Job job = Trained();
  EXPECT_EQ(JobListNote(job), "");
  job.set_silence("host1 silent 43 s; given up at 60 s");
  EXPECT_EQ(JobListNote(job), "    host1 silent 43 s; given up at 60 s");
  job.set_state(JOB_STATE_PENDING);
  job.set_reason("submitted");
  job.set_why("needs 3 slots");
  EXPECT_EQ(JobListNote(job), "    needs 3 slots");
  job.clear_why();
  EXPECT_EQ(JobListNote(job), "    submitted") << "a coordinator of an earlier version";
}

TEST(JobListTest, EverythingIsInTheWideRow) {
  Job job = Trained();
  job.add_worker_ids("w1");
  job.add_worker_ids("w0");
  job.add_worker_ids("w1");
  job.set_num_ranks(3);
  job.set_why("generation 1 runs on w0, w1");
  const std::vector<std::string> row = WideJobListRow(job);
  ASSERT_EQ(row.size(), WideJobListHeader().size());
  EXPECT_EQ(row[6], "3");
  EXPECT_EQ(row[7], "w0,w1");
  EXPECT_EQ(row.back(), "generation 1 runs on w0, w1");
}

}  // namespace
}  // namespace mimeo
