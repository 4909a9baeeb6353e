// Whether the machine has what a job wants to compute with. On a cluster a job waits for workers that suit it; where
// one machine has all the workers there will ever be, it is refused instead.
#pragma once

#include "absl/status/status.h"
#include "proto/coordinator.grpc.pb.h"
#include "proto/job.pb.h"

namespace mimeo {

// Waits until `workers` workers are registered with the coordinator, for ten seconds at most: their agents have
// announced themselves already. FailedPrecondition: one of them has not the device or the precision that `resources`
// asks for; the error names the field and what suits. Other errors are those of the call.
absl::Status CheckDevices(Coordinator::Stub* coordinator, const ResourceSpec& resources, int workers);

}  // namespace mimeo
