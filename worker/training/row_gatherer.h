// Shows objectives the rows of the other ranks. One thread.
#pragma once

#include "objective/objective.h"
#include "worker/training/gang.h"

namespace mimeo {

// `gang` outlives the gatherer and every autograd graph that was made with it. A gang of one gathers from itself. The
// gatherer is a collective in the forward pass and, where the rows need a gradient, another one in the backward pass.
// When a member is gone, both throw what CatchTorch (model/catch_torch.h) turns into Aborted.
RowGatherer MakeRowGatherer(Gang* gang);

}  // namespace mimeo
