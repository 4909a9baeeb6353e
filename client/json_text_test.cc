#include "client/json_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "proto/checkpoint.pb.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

TEST(JsonLineTest, WhatJsonCannotSayIsAnErrorAndNoHalfOfIt) {
  CheckpointManifest manifest;
  manifest.set_step(3);
  const auto json = JsonLine(manifest);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_THAT(*json, HasSubstr(R"("step":3)"));
  manifest.mutable_created()->set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(JsonLine(manifest).status().code(), absl::StatusCode::kDataLoss);
}

TEST(JsonLineTest, FieldsWithoutAValueAreThereUnderTheirProtoNames) {
  const auto json = JsonLine(CheckpointManifest());
  ASSERT_TRUE(json.ok()) << json.status();
  const auto manifest = nlohmann::json::parse(*json);
  EXPECT_EQ(manifest["total_bytes"], 0);
  EXPECT_EQ(manifest["chunk_sha256"], nlohmann::json::array());
  EXPECT_EQ(manifest["job_id"], "");
}

// What a coordinator says ends up on terminals and in scripts.
TEST(JsonLineTest, WhateverBytesAreInItItIsOneLineOfText) {
  CheckpointManifest manifest;
  manifest.set_job_id("a\n\x1b[2J\xe2\x80\xae\"\\");
  manifest.set_step(std::numeric_limits<int64_t>::min());
  const auto json = JsonLine(manifest);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(*json, ToText(*json)) << "nothing in it is no text";
  EXPECT_EQ(nlohmann::json::parse(*json)["job_id"], "a\n\\x1b[2J\\u{202e}\"\\");
  EXPECT_EQ(nlohmann::json::parse(*json)["step"], std::numeric_limits<int64_t>::min());
  manifest.set_job_id("caf\xe9");
  const std::string no_text = JsonLine(manifest).value_or("");
  EXPECT_EQ(no_text, ToText(no_text)) << "bytes that a protobuf may not hold either";
}

}  // namespace
}  // namespace mimeo
