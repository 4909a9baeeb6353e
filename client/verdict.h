// What an encoder is worth, in words that a person understands who has never measured one. Pure; thread-safe.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mimeo {

// What a comparison can show at best: so many percentage points are worth something to most people, and an interval
// that is wider than that to either side hides them.
constexpr double kPointsWorthSeeing = 2;

// The name under which `worker compare` is given the teacher that the encoder has mimicked.
constexpr char kTeacherRow[] = "teacher";

// At most seven plain sentences about `comparison`, which is what `worker compare` prints: how often the encoder is
// right; whether it is better or worse than what it started from, than raw pixels, than the most frequent class and
// than its teacher, by how many points, with the interval, or that these photos show no difference; how many photos
// would be needed to see kPointsWorthSeeing; and what to try next that was not tried.
//
// Null, or a comparison of no image: the photos have no labels, and the sentences say what to do with the encoder,
// which is at `encoder_path`. What is missing in `comparison` is not spoken of.
std::vector<std::string> VerdictLines(const nlohmann::json& comparison, const std::string& encoder_path);

}  // namespace mimeo
