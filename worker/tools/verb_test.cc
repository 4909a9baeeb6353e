#include "worker/tools/verb.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

struct Ended {
  int code = 0;
  std::string said;  // on stderr
};

Ended RunOnce(const std::function<absl::Status()>& body, std::vector<std::string> arguments = {"verb"}) {
  CLI::App app("A verb.", "verb");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  const int threads = 0;
  ::testing::internal::CaptureStderr();
  const int code = RunVerb(&app, static_cast<int>(argv.size()), argv.data(), &threads, body);
  return {code, ::testing::internal::GetCapturedStderr()};
}

TEST(RunVerbTest, ExitCodesSayWhoseFaultItWas) {
  EXPECT_EQ(RunOnce([] { return absl::OkStatus(); }).code, 0);
  for (const absl::Status& theirs :
       {absl::InvalidArgumentError("odd\nbyte \x01"), absl::NotFoundError("odd"), absl::PermissionDeniedError("odd")}) {
    EXPECT_EQ(RunOnce([&] { return theirs; }).code, 2) << theirs;
  }
  for (const absl::Status& ours :
       {absl::DataLossError("odd"), absl::UnavailableError("odd"), absl::AbortedError("odd")}) {
    EXPECT_EQ(RunOnce([&] { return ours; }).code, 1) << ours;
  }
  EXPECT_THAT(RunOnce([] { return absl::InvalidArgumentError("byte \x01"); }).said, HasSubstr("verb: byte \\x01"));
  const Ended wrong = RunOnce([] { return absl::OkStatus(); }, {"verb", "--nothing"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.said, HasSubstr("--nothing"));
}

TEST(RunVerbTest, ARefusalStandsAlone) {
  const auto tells = [](const absl::Status& end) {
    spdlog::info("weights file=w patch: 8 px");
    return end;
  };
  EXPECT_EQ(RunOnce([&] { return tells(absl::InvalidArgumentError("no bank")); }).said, "verb: no bank\n");
  EXPECT_EQ(RunOnce([&] { return tells(absl::OkStatus()); }).said, "verb: weights file=w patch: 8 px\n");
  // The work has begun: what was told until then belongs to it.
  const Ended later = RunOnce([&] {
    tells(absl::OkStatus()).IgnoreError();
    ProgressLines("verb")(1, 2);
    spdlog::info("half of it");
    return absl::DataLossError("broken");
  });
  EXPECT_EQ(later.said, "verb: weights file=w patch: 8 px\nverb: 1 of 2 images\nverb: half of it\nverb: broken\n");
  const Ended warned = RunOnce([] {
    spdlog::warn("odd");
    return absl::InvalidArgumentError("no bank");
  });
  EXPECT_EQ(warned.said, "verb: odd\nverb: no bank\n");
  setenv("MIMEO_LOG", "info", 1);
  EXPECT_THAT(RunOnce([&] { return tells(absl::InvalidArgumentError("no bank")); }).said, HasSubstr("patch: 8 px"));
  unsetenv("MIMEO_LOG");
}

// What libtorch throws is one line and an exit code: here it has no memory.
TEST(RunVerbTest, WhatLibtorchThrowsIsAnExitCode) {
  const Ended ended = RunOnce([] {
    at::empty({int64_t{1} << 60});
    return absl::OkStatus();
  });
  EXPECT_EQ(ended.code, 1) << ended.said;
  EXPECT_THAT(ended.said, HasSubstr("allocate memory"));
  EXPECT_EQ(ended.said.find("frame #"), std::string::npos) << ended.said;
}

// Beside others that tell of the same images, and on no terminal: a line a tenth of the way.
TEST(ProgressLinesTest, SaysEachTenthOnce) {
  ::testing::internal::CaptureStderr();
  const auto progress = ProgressLines("embed");
  for (int64_t done = 1; done <= 100; ++done) {
    progress(done, 100);
    progress(done, 100);
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 11) << said;
  EXPECT_THAT(said, HasSubstr("embed: 10 of 100 images\nembed: 20 of 100 images\n"));
}

}  // namespace
}  // namespace mimeo
