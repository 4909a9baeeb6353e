// A job and its ranks as lines of text for people. Everything that a coordinator says is made text (base/text.h). Pure
// functions.
#pragma once

#include <string>

#include "proto/coordinator.pb.h"

namespace mimeo {

// "120/400", or "120" as long as the number of all steps is not known.
std::string StepsText(const Job& job);

// "rank 0: starting pid 12 step 0, lists images (12000 so far), quiet 12s of 120s, 3 bad samples, teacher clip" without
// a line break.
std::string RankText(const RankStatus& rank);

// What `mimeo show` prints: the state, each rank, the pinned teachers, what the data leave
// out, and the resolved recipe.
std::string JobText(const Job& job);

// What `mimeo explain` prints below the coordinator's reasons: the ranks that have not begun to train, and those that
// have stood still for some time. Each has a line, the one that has stood still longest comes first, and of very many
// only the first are printed. A rank that waits for something is left out, because the coordinator's reasons name it.
std::string QuietRanksText(const Job& job);

// For a job that was cancelled, has failed, or is paused because a person must mend something: the reason, and on a
// second line how to go on. "j1 is paused: <reason>\nonce that is mended, `mimeo resume j1` goes on from step 40".
std::string EndText(const Job& job);

}  // namespace mimeo
