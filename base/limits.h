// Every bound of the system in one place: a stream, queue, message, file or name without a limit is a bug.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace mimeo::limits {

// Messages. gRPC's default limit is 4 MiB; tensors and chunks travel in frames far below it, so it never bites.
constexpr int64_t kChunkBytes = 1 << 20;  // checkpoint chunks, tensor frames
// Any gRPC message, both directions (the largest: coordinator/message_sizes_test.cc)
constexpr int64_t kMessageBytes = 4 << 20;
constexpr int kStepsPerReport = 500;                     // StepMetrics in one message
constexpr int kConcurrentStreamsPerServer = 256;         // of one connection
constexpr int kRpcThreads = 512;                         // of one server; a call beyond them gets ResourceExhausted
constexpr int64_t kRpcMemoryBytes = int64_t{512} << 20;  // gRPC's buffers of one server
constexpr int kMetadataBytes = 32 << 10;                 // holds an error of kReasonBytes, percent-encoded

// Names and texts.
constexpr int kNameBytes = 64;
constexpr int kReasonBytes = 4096;      // reasons and errors are cut to this
constexpr int kShortReasonBytes = 512;  // likewise where there may be thousands: of each rank of a job, of each worker
constexpr int kPathBytes = 4096;        // of a file or folder in a spec
constexpr int kAddressBytes = 256;      // host:port
constexpr int kLogEventBytes = 16 << 10;
constexpr int64_t kRecipeBytes = 1 << 20;

// Coordinator.
constexpr int kUnfinishedJobs = 50000;
// Of a resolved spec: those of all gangs of a worker fit into one heartbeat's reply.
constexpr int64_t kSpecBytes = 32 << 10;
constexpr int kObjectives = 16;          // of a job; it names as many teachers at most, and one for its mask
constexpr int kViews = 16;               // of an image
constexpr int64_t kPageBytes = 2 << 20;  // of a list, or of a message of a stream
constexpr int kPageItems = 1000;
constexpr int kMetricNames = 256;  // of a step or an evaluation
constexpr int kMetricNameBytes = 128;
constexpr int kMetricNamesPerJob = 1024;
constexpr int kFailuresNamed = 64;  // workers in one GangEnded
constexpr int kWorkers = 10000;
constexpr int kSlotsPerWorker = 64;
constexpr int kDeviceNameBytes = 128;
constexpr int kTeacherChannels = 16;  // of a teacher's images: means and deviations in its contract
constexpr int kRanksPerJob = 4096;
constexpr int64_t kCheckpointBytes = int64_t{64} << 30;
constexpr int64_t kUncommittedUploads = 4;  // per job; the oldest are deleted
constexpr int kCheckpointsPerJob = 10000;
constexpr int kEvaluationsPerJob = 100000;

// Store. Its memory: four write buffers and what RocksDB keeps of open files.
constexpr int64_t kStoreWriteBufferBytes = 16 << 20;  // of one family
constexpr int64_t kStoreBlobFileBytes = 64 << 20;
constexpr int64_t kStoreLogBytes = 128 << 20;
constexpr int kStoreOpenFiles = 512;

// Worker.
constexpr int64_t kStepsSpooled = 100000;  // StepMetrics kept while the coordinator is away
constexpr int kSnapshotsSpooled = 1;       // besides the one in flight; the newest wins
constexpr int kBatchesPrefetched = 2;
constexpr int kNonFiniteStepsInARow = 5;  // then the job fails
constexpr int kHeartbeatsMissed = 3;      // a worker that missed so many is offered nothing new
constexpr int kRankLogBytes = 64 << 20;
constexpr int kRankLogTailBytes = 1 << 20;  // kept when a log over its bound starts anew
constexpr int kRankLogsKept = 64;           // of ranks that ended

// Teacher.
constexpr int kTeacherRequestsInFlight = 4;  // per stream
constexpr int kTeacherStreams = 256;
constexpr int kTeacherImagesPerRequest = 4096;
constexpr int kTeacherImageSide = 8192;                   // of the images that are sent, px
constexpr int kTeacherPatches = 4096;                     // of one image, in the grid that is asked for
constexpr int kTeacherGrids = 4;                          // beside its own, for which an encoder is kept
constexpr int64_t kTeacherQueueImages = 16384;            // admitted requests of all streams, answers not written yet
constexpr int64_t kTeacherQueueBytes = int64_t{1} << 30;  // likewise, with their answers
constexpr absl::Duration kTeacherStall = absl::Seconds(60);  // a client that holds memory and does nothing is cut off

// Files.
constexpr int64_t kSafetensorsHeaderBytes = 100 << 20;  // as the reference implementation
constexpr int64_t kImageFileBytes = 256 << 20;
constexpr int64_t kAnnouncementBytes = 64 << 10;
constexpr int64_t kCapturedOutputBytes = 64 << 20;  // of a child's stdout; the rest is dropped

// Time.
constexpr absl::Duration kHeartbeatPeriod = absl::Seconds(1);
constexpr absl::Duration kLease = absl::Seconds(60);
// After a generation that failed; doubled with each in a row, up to kRestartPauseMax.
constexpr absl::Duration kRestartPause = absl::Seconds(8);
constexpr absl::Duration kRestartPauseMax = absl::Minutes(5);  // up to this
constexpr absl::Duration kBlameHalfLife = absl::Minutes(10);   // of a worker's record of failed gangs
// For data that a host has lost, before the gang moves to another.
constexpr absl::Duration kDataPatience = absl::Seconds(60);
constexpr absl::Duration kRpcDeadline = absl::Seconds(10);
constexpr absl::Duration kKeepAlivePeriod = absl::Seconds(10);   // a silent connection is probed after this,
constexpr absl::Duration kKeepAliveTimeout = absl::Seconds(10);  // and given up after this
constexpr absl::Duration kReconnectBackoff = absl::Seconds(2);   // longest
constexpr absl::Duration kShutdownGrace = absl::Seconds(2);

}  // namespace mimeo::limits
