// What is known of a folder of photos before anything is trained on them: how many there are, their labels and sizes,
// what is left out of them. One thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mimeo {

struct NamedCount {
  std::string name;
  int64_t count = 0;
};

// Smallest, median and largest of one side of the photos, in pixels.
struct SideRange {
  int smallest = 0;
  int median = 0;
  int largest = 0;
};

struct Survey {
  std::string path;
  std::string kind;  // "class folders", "folder", "tar", "tar shards"
  int64_t images = 0;
  int64_t labelled = 0;
  std::vector<NamedCount> classes;      // largest first
  std::vector<NamedCount> passed_over;  // by reason
  int64_t looked_at = 0;                // so many were decoded,
  int64_t undecodable = 0;              // and so many of these could not be
  std::vector<std::string> undecodable_names;
  SideRange width;
  SideRange height;
  double grey = 0;               // share of grey photos among those that were decoded
  int64_t duplicate_images = 0;  // byte-equal to an earlier one
  int64_t held_out_images = 0;   // 0 where the survey was not asked for a part that is held out
  int64_t held_out_labelled = 0;
  double least_share = 0;  // likewise: the least share that would hold a photo out, or 0 where none of them does
  std::vector<std::string> notes;
};

// Reads what `worker survey` prints. Internal: a field that must be there is missing, or is no number.
absl::StatusOr<Survey> ParseSurvey(const nlohmann::json& object);

// Runs `worker survey` on the photos at `path`. `hold_out` is the share to hold out, 0 for none; `members` is a job's
// data.members. It looks at every file, so it blocks for seconds or minutes. The errors are those of WorkerJson and
// ParseSurvey.
absl::StatusOr<Survey> RunSurvey(const std::string& path, double hold_out, const std::string& members = "");

// For people, one sentence in each line: what was found and what is left out.
std::vector<std::string> FoundLines(const Survey& survey);

}  // namespace mimeo
