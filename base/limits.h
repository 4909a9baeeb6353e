// Every bound of the system in one place: a stream, queue, message, file or name without a limit is a bug.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace mimeo::limits {

// Messages. gRPC's default limit is 4 MiB; tensors and chunks travel in frames far below it, so it never bites.
constexpr int64_t kChunkBytes = 1 << 20;           // checkpoint chunks, tensor frames
constexpr int64_t kMessageBytes = 4 << 20;         // any gRPC message, both directions
constexpr int kStepsPerReport = 500;               // StepMetrics in one message
constexpr int kConcurrentStreamsPerServer = 256;

// Names and texts.
constexpr int kNameBytes = 64;
constexpr int kReasonBytes = 4096;                 // reasons and errors are cut to this
constexpr int64_t kRecipeBytes = 1 << 20;

// Coordinator.
constexpr int kUnfinishedJobs = 1000;
constexpr int kWorkers = 10000;
constexpr int kSlotsPerWorker = 64;
constexpr int kRanksPerJob = 4096;
constexpr int64_t kCheckpointBytes = int64_t{64} << 30;
constexpr int64_t kUncommittedUploads = 4;         // per job; the oldest are deleted
constexpr int kCheckpointsPerJob = 10000;
constexpr int kEvaluationsPerJob = 100000;

// Worker.
constexpr int64_t kStepsSpooled = 100000;          // StepMetrics kept while the coordinator is away
constexpr int kSnapshotsSpooled = 1;               // besides the one in flight; the newest wins
constexpr int kBatchesPrefetched = 2;
constexpr int kRankLogBytes = 64 << 20;

// Teacher.
constexpr int kTeacherRequestsInFlight = 4;        // per stream
constexpr int kTeacherStreams = 256;
constexpr int kTeacherImagesPerRequest = 4096;
constexpr int64_t kTeacherQueueBytes = int64_t{1} << 30;

// Files.
constexpr int64_t kSafetensorsHeaderBytes = 100 << 20;  // as the reference implementation
constexpr int64_t kImageFileBytes = 256 << 20;

// Time.
constexpr absl::Duration kHeartbeatPeriod = absl::Seconds(1);
constexpr absl::Duration kLease = absl::Seconds(60);
constexpr absl::Duration kRpcDeadline = absl::Seconds(10);

}  // namespace mimeo::limits
