// What a job needs before any of it has run: parameters, bytes of a checkpoint, memory of a rank. Counted from the
// resolved spec alone. Pure; no torch. job/flops.h counts the arithmetic.
#pragma once

#include <cstdint>

#include "job/model_tensors.h"
#include "proto/job.pb.h"

namespace mimeo {

// Numbers, not bytes.
struct ParameterCounts {
  int64_t encoder = 0;
  int64_t heads = 0;     // heads and decoders of all objectives
  int64_t frozen = 0;    // of these two, those that stay as they were drawn
  int64_t averaged = 0;  // of the moving average, where the job keeps one
  int64_t total() const { return encoder + heads; }
};
ParameterCounts CountParameters(const JobSpec& spec, const TeacherWidths& teachers);

// The bytes of the checkpoint that is taken after `step` steps of a training with so many steps in an epoch. Exact
// where the teachers' widths are known, and no sample was bad.
int64_t CheckpointBytes(const JobSpec& spec, const TeacherWidths& teachers, int64_t steps_per_epoch, int64_t step);

// Bytes that one rank holds: of a GPU's memory, or of the process on a CPU. Of its parts, weights to averages and the
// images are counted. What the process itself and activations take is estimated: docs/plan.md says how far off it was.
struct RankMemory {
  int64_t process = 0;  // libtorch, its kernels' workspaces, and what the allocator loses between tensors
  int64_t weights = 0;  // float32; and the bfloat16 copies that a step makes
  int64_t gradients = 0;
  int64_t moments = 0;  // AdamW's two
  int64_t averages = 0;
  int64_t activations = 0;  // of one micro-batch, at the end of its forward pass
  int64_t images = 0;       // batches that wait, on a CPU
  int64_t checkpoint = 0;   // the copy of the state that rank 0 writes
  // Gradients are there while activations are: of other ranks' or of the micro-batch before. Otherwise a backward pass
  // makes the ones while it gives up the others.
  bool gradients_beside_activations = true;
  // While training goes on beside the writing of that copy; it does not where there is a checkpoint at the end only.
  bool checkpoint_beside_steps = true;

  // Without activations, and without gradients that are not there beside them.
  int64_t fixed() const {
    return process + weights + moments + averages + images + (gradients_beside_activations ? gradients : 0);
  }
  // The most that is held while steps are made.
  int64_t steps() const;
  // The same with checkpoints, where steps() is what it is, or what was measured: `steps`.
  int64_t Peak(int64_t steps) const;
  int64_t Peak() const { return Peak(steps()); }
};

// `device` is DEVICE_CPU or DEVICE_CUDA. `num_ranks` may be another number than the job's, as job/job_shape.h shares
// batches; REQUIRES: MicroBatch(spec, num_ranks) > 0.
RankMemory EstimateRankMemory(const JobSpec& spec, int num_ranks, Device device, int64_t total_steps,
                              const TeacherWidths& teachers);

// The largest micro-batch with which a rank's steps stay within `bytes` and the ranks can still share the batches; 0
// where not even one image fits. `scale` is what the estimate of activations is multiplied by: 1, or how far off a
// measurement showed it to be.
int64_t LargestMicroBatch(const JobSpec& spec, int num_ranks, Device device, int64_t total_steps,
                          const TeacherWidths& teachers, int64_t bytes, double scale);

}  // namespace mimeo
