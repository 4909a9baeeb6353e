#include "base/short_spin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace mimeo {
namespace {

using ::testing::HasSubstr;

// What the process was started with: setenv does not change it.
std::string StartEnvironment() {
  std::ifstream file("/proc/self/environ", std::ios::binary);
  std::ostringstream text;
  text << '\0' << file.rdbuf();
  return text.str();
}

std::string Entry(const std::string& text) { return std::string(1, '\0') + text + std::string(1, '\0'); }

int before = 0;  // the process's number before main, as its first start passed it on

TEST(SpinShortlyTest, TheProcessStartedAgainWithTheSetting) {
  EXPECT_THAT(StartEnvironment(), HasSubstr(Entry("GOMP_SPINCOUNT=2000")));
  EXPECT_EQ(getpid(), before);
}

TEST(SpinShortlyTest, WhatIsSetStaysAndNothingStartsAgain) {
  char* none[] = {nullptr};
  SpinShortly(none);  // GOMP_SPINCOUNT is set: it returns
  ASSERT_EQ(unsetenv("GOMP_SPINCOUNT"), 0);
  ASSERT_EQ(setenv("OMP_WAIT_POLICY", "PASSIVE", /*overwrite=*/1), 0);
  SpinShortly(none);
  EXPECT_EQ(std::getenv("GOMP_SPINCOUNT"), nullptr);
  unsetenv("OMP_WAIT_POLICY");
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) {
  setenv("FIRST_PROCESS", std::to_string(getpid()).c_str(), /*overwrite=*/0);
  mimeo::SpinShortly(argv);
  mimeo::before = std::atoi(std::getenv("FIRST_PROCESS"));
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
