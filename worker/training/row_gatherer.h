// How objectives see the other ranks' rows. One thread.
#pragma once

#include "objective/objective.h"
#include "worker/training/gang.h"

namespace mimeo {

// `gang` outlives the gatherer and every graph made with it. A gang of one gathers to itself. The gatherer is a
// collective in the forward pass and, where the rows need a gradient, another in the backward pass; both throw what
// CatchTorch (model/catch_torch.h) turns into Aborted when a member is gone.
RowGatherer MakeRowGatherer(Gang* gang);

}  // namespace mimeo
