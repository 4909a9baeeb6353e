// Measures how fast a job trains on this machine, and how much memory a rank of it needs, by training it for some
// seconds with the processes of `mimeo run`.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/rpc/channel_options.h"
#include "client/run/run_cluster.h"
#include "proto/job.pb.h"

namespace mimeo {

struct Probe {
  double images_per_second = 0;   // of the steady steps, over the whole gang
  double step_seconds = 0;        // mean of the steady steps
  int64_t peak_memory_bytes = 0;  // most that one rank has held: of the GPU's memory, or of the process
  double start_seconds = 0;       // from the start of the first process to the end of the first step
  int64_t steps = 0;              // the steady steps, of which those means are; the first ones are left out
  int64_t images = 0;             // that the job trains on; 0: not heard
};

// Trains `resolved`, a resolved job whose paths are absolute, with the workers and teachers of `cluster`, in a
// temporary folder in place of `cluster.dir`. Nothing is evaluated and no checkpoint is written. It blocks until the
// gang has made steps for `budget` after its first one, or some hundred where that is sooner; to start the processes,
// to make the first step and to end takes some seconds more. All processes and the folder are gone when it returns,
// also after an error.
//
// Call BlockStopSignals (base/process.h) before, in the main thread: then Ctrl-C ends the probe, and nothing is left.
// No message names the temporary folder.
//
// Cancelled: Ctrl-C, or SIGTERM. DeadlineExceeded: the first step takes longer than 15 s and than
// `budget`. FailedPrecondition: the machine
// has not the device or the precision that the job wants. Aborted: the job has failed, and why. Other errors are those
// of RunCluster::Start.
absl::StatusOr<Probe> RunProbe(const JobSpec& resolved, const RunClusterOptions& cluster, absl::Duration budget,
                               const ChannelOptions& channels);

}  // namespace mimeo
