// Small real files for tests of the tools: a model, photos, class folders. One thread.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "proto/job.pb.h"

namespace mimeo::testing {

using ToolMain = int (*)(int argc, char** argv);

// The exit code. arguments[0] is the verb's name.
int CallTool(ToolMain verb, std::vector<std::string> arguments);

// Images of 16 px, patches of 4 px, an encoder of one block that is 12 wide, and two objectives.
extern const char kTinyRecipe[];

// A folder of its own with checkpoint.safetensors of a job of kTinyRecipe, and photos/ of four photos and text.jpg,
// which is none. Dies where a test did not name data/testdata among its data.
class ToolsTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  // A folder with cmyk.jpg alone.
  std::string OnePhoto();
  void SetUp() override;
  // Of spec_, as its seed draws it.
  void WriteCheckpoint();

  TempDir dir_;
  JobSpec spec_;  // resolved
};

// And class folders of small pictures that pixels tell apart, rising and falling brightness: split/train and
// split/validation, with three pictures in each of "up" and "down".
class LabelledToolsTest : public ToolsTest {
 protected:
  void SetUp() override;
  void WritePicture(const std::string& name, int i);
  // What the verb prints about data_, with these flags more.
  nlohmann::json Result(ToolMain verb, const std::vector<std::string>& flags);

  std::string data_ = "split";  // below the folder
  std::string said_;            // on stderr, by the last Result
};

}  // namespace mimeo::testing
