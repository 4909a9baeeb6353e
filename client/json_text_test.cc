#include "client/json_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "proto/checkpoint.pb.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

TEST(JsonLineTest, WhatJsonCannotSayIsAnErrorAndNoHalfOfIt) {
  CheckpointManifest manifest;
  manifest.set_step(3);
  const auto json = JsonLine(manifest);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_THAT(*json, HasSubstr(R"("step":"3")"));
  manifest.mutable_created()->set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(JsonLine(manifest).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace mimeo
