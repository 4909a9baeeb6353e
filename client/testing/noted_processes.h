// Scripts that stand in for binaries note their process ids in a file, one in each line.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/file.h"

namespace mimeo {

inline std::vector<pid_t> NotedProcesses(const std::string& path) {
  std::vector<pid_t> pids;
  const std::string text = ReadFile(path).value_or("");
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    pid_t pid = 0;
    EXPECT_TRUE(absl::SimpleAtoi(line, &pid)) << line;
    pids.push_back(pid);
  }
  return pids;
}

// None of them is left.
inline void ExpectAllGone(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) EXPECT_EQ(kill(pid, 0), -1) << pid;
}

}  // namespace mimeo
