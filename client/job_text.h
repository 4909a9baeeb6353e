// A job and its ranks as lines for people. Pure. Everything that a coordinator says is made text (base/text.h).
#pragma once

#include <string>

#include "proto/coordinator.pb.h"

namespace mimeo {

// "running", "paused".
std::string StateName(JobState state);

// "120/400", or "120" while nobody knows of how many.
std::string StepsText(const Job& job);

// "rank 0: starting pid 12 step 0, lists images (12000 so far), quiet 12s of 120s, 3 bad samples, teacher clip" without
// a line break.
std::string RankText(const RankStatus& rank);

// What `mimeo show` says: the state, each rank, the teachers that are pinned, and the resolved recipe.
std::string JobText(const Job& job);

// Below the coordinator's reasons in `mimeo explain`: the ranks that have not begun to train or have been quiet for
// some time, the quietest first and of very many the first, each on a line. A rank that waits for something is among
// the coordinator's reasons.
std::string QuietRanksText(const Job& job);

// Of a job that was cancelled, has failed, or was paused because a person must mend something: why, and how to go on,
// on a line of its own: "j1 is paused: <reason>\nonce that is mended, `mimeo resume j1` goes on from step 40".
std::string EndText(const Job& job);

}  // namespace mimeo
