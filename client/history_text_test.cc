#include "client/history_text.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

HistoryEntry Line(int64_t number, int64_t count, const std::string& text) {
  HistoryEntry line;
  line.set_number(number);
  line.set_count(count);
  line.set_text(text);
  line.mutable_time()->set_seconds(number);
  return line;
}

TEST(EventLinesTest, EachEventIsALineAndAGapIsSaid) {
  EventsReply reply;
  *reply.add_entries() = Line(1, 1, "anna submitted it");
  *reply.add_entries() = Line(9, 3, "checkpoint of step 30 committed, 3 since that of step 10");
  int64_t number = 0;
  EXPECT_EQ(EventLines(reply, &number, absl::UTCTimeZone()),
            "1970-01-01 00:00:01  anna submitted it\n"
            "  (5 events are left out here)\n"
            "1970-01-01 00:00:09  checkpoint of step 30 committed, 3 since that of step 10\n");
  EXPECT_EQ(number, 9);
}

TEST(EventLinesTest, ALineThatHasGrownIsPrintedAgainWithoutAGap) {
  EventsReply reply;
  *reply.add_entries() = Line(12, 6, "checkpoint of step 60 committed");
  int64_t number = 9;
  EXPECT_EQ(EventLines(reply, &number, absl::UTCTimeZone()), "1970-01-01 00:00:12  checkpoint of step 60 committed\n");
}

TEST(EventLinesTest, WhatACoordinatorSaysIsMadeText) {
  EventsReply reply;
  *reply.add_entries() = Line(1, 1, "\x1b[2J\nx");
  reply.set_now("a\nb\x1b");
  int64_t number = 0;
  EXPECT_EQ(EventLines(reply, &number, absl::UTCTimeZone()), "1970-01-01 00:00:01  \\x1b[2J\\x0ax\n");
  EXPECT_EQ(NowLine(reply), "now: a; b\\x1b\n");
}

}  // namespace
}  // namespace mimeo
