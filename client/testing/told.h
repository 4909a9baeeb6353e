// A job and its numbers as a coordinator tells them, for tests of the texts that are made of them. Pure.
#pragma once

#include "proto/coordinator.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo::testing {

// A step of a job of two objectives.
inline StepMetrics Step(int64_t number) {
  StepMetrics step;
  step.set_step(number);
  step.set_epoch(0.5);
  step.set_images(32 * number);
  step.set_loss(0.75);
  (*step.mutable_terms())["pixels"] = 0.5;
  (*step.mutable_terms())["mimic"] = 0.25;
  step.set_learning_rate(1e-4);
  step.set_images_per_second(512);
  step.set_data_wait_seconds(0.125);
  return step;
}

// A job in its first generation.
inline Job Running(int64_t step, int64_t total) {
  Job job;
  job.set_id("j1");
  job.set_state(JOB_STATE_RUNNING);
  job.set_step(step);
  job.set_total_steps(total);
  job.set_generation(1);
  return job;
}

// What two seconds of a step went into. The device's peak is not known.
inline Utilization OneStep() {
  Utilization utilization;
  utilization.set_step_seconds(2);
  utilization.set_communication_seconds(0.25);
  utilization.set_data_wait_seconds(0.5);
  utilization.set_gflop_per_second(300e3);
  utilization.set_peak_memory_bytes(1500000000);
  return utilization;
}

}  // namespace mimeo::testing
