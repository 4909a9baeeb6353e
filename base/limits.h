// Every bound of the system in one place. A stream, queue, message, file or name without a limit is a fault: somebody
// will fill it. Who meets a bound gets an error that names it, in most places ResourceExhausted or InvalidArgument;
// where something is dropped or cut instead, it says so here.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace mimeo::limits {

// Messages.

// One chunk of a checkpoint, and one piece of a tensor that travels between a rank and a teacher.
constexpr int64_t kChunkBytes = 1 << 20;
// Any gRPC message in either direction: gRPC's own default. Chunks and pieces of tensors are far smaller. The largest
// message is a list or a report, and coordinator/message_sizes_test.cc shows that each of them fits.
constexpr int64_t kMessageBytes = 4 << 20;
constexpr int kStepsPerReport = 500;              // steps in one message, and likewise evaluations
constexpr int kConcurrentStreamsPerServer = 256;  // calls in progress over one connection; later ones wait
constexpr int kRpcThreads = 512;                  // of one server: a call that finds none free gets ResourceExhausted
constexpr int64_t kRpcMemoryBytes = int64_t{512} << 20;  // what gRPC may take for the buffers of one server
// The metadata of a call, in which the message of an error travels: one of kReasonBytes, with three bytes for each of
// its bytes, fits.
constexpr int kMetadataBytes = 32 << 10;

// Names and texts.

constexpr int kJobDataSets = 3;           // of a job: to train on, held out, and the bank
constexpr int kJobDataBytes = 8 << 10;    // what all of them leave out, together
constexpr int kNameBytes = 64;            // of a worker, a teacher and whatever else a person names
constexpr int kReasonBytes = 4096;        // a reason or an error that is longer is cut
constexpr int kShortReasonBytes = 512;    // likewise, where there may be one for each rank of a job or each worker
constexpr int kPathBytes = 4096;          // a file or folder that a spec names
constexpr int kAddressBytes = 256;        // HOST:PORT
constexpr int kLogEventBytes = 16 << 10;  // one event in a log; a longer one is cut
constexpr int64_t kRecipeBytes = 1 << 20;

// Coordinator.

constexpr int kUnfinishedJobs = 50000;  // of the cluster; a finished job counts no more
// A resolved spec. A worker may run as many gangs as it has slots, and the specs of all of them must fit into one reply
// to its heartbeat.
constexpr int64_t kSpecBytes = 32 << 10;
constexpr int kObjectives = 16;          // of a job. It names at most one teacher for each, and one for its mask.
constexpr int kViews = 16;               // of one image
constexpr int64_t kPageBytes = 2 << 20;  // one page of a list, or one message of a stream
constexpr int kPageItems = 1000;         // likewise, in items
constexpr int kMetricNames = 256;        // in the metrics of one step or one evaluation
constexpr int kMetricNameBytes = 128;
constexpr int kMetricNamesPerJob = 1024;  // different ones, over the whole life of a job
constexpr int kFailuresNamed = 64;        // workers that one failed gang names, or that a job remembers
constexpr int kWorkers = 10000;           // registered at one time; the same bound holds for teachers
constexpr int kSlotsPerWorker = 64;
constexpr int kDeviceNameBytes = 128;
constexpr int kTeacherChannels = 16;  // of the images of a teacher, so of the means and deviations in its contract
constexpr int kRanksPerJob = 4096;
constexpr int64_t kCheckpointBytes = int64_t{64} << 30;
// Uploads of checkpoints that a gang has begun and not committed. When there is one more, the oldest loses its chunks.
constexpr int64_t kUncommittedUploads = 4;
constexpr int kCheckpointsPerJob = 10000;  // kept at one time
// Results of evaluations that rank 0 keeps while the coordinator is away. Beyond it the oldest is dropped.
constexpr int kEvaluationsPerJob = 100000;

// Store. These four are options of RocksDB.

constexpr int64_t kStoreWriteBufferBytes = 16 << 20;  // of one family; a full one is written to a file
constexpr int64_t kStoreBlobFileBytes = 64 << 20;     // one file of chunks; a full one is followed by the next
// RocksDB's logs together. When they are longer, the write buffers are written to files, and the logs can go.
constexpr int64_t kStoreLogBytes = 128 << 20;
constexpr int kStoreOpenFiles = 512;

// Worker.

// Metrics of steps that rank 0 keeps while the coordinator is away. Beyond it the oldest step is dropped, with a
// warning.
constexpr int64_t kStepsSpooled = 100000;
constexpr int kBatchesPrefetched = 2;
// A gradient that is not finite changes no weights. After so many steps in a row the rank gives up, with
// FailedPrecondition.
constexpr int kNonFiniteStepsInARow = 5;
constexpr int kHeartbeatsMissed = 3;  // a worker that has missed so many is offered no new gang
// The log of one rank. A longer one begins anew, and its last kRankLogTailBytes are kept beside it.
constexpr int kRankLogBytes = 64 << 20;
constexpr int kRankLogTailBytes = 1 << 20;
constexpr int kRankLogsKept = 64;  // of ranks that have ended; older ones are deleted

// Teacher.

constexpr int kTeacherRequestsInFlight = 4;  // of one stream
constexpr int kTeacherStreams = 256;
constexpr int kTeacherImagesPerRequest = 4096;
constexpr int kTeacherImageSide = 8192;  // height and width of an image that is sent, px
constexpr int kTeacherPatches = 4096;    // of one image, in the grid that the student asks for
constexpr int kTeacherGrids = 4;         // other grids than its own for which a teacher keeps an encoder
// What a teacher holds at one time, of all streams together: the images and the bytes of requests that it has admitted
// and whose answers are not written yet. The bytes include those of the answers. Further requests wait.
constexpr int64_t kTeacherQueueImages = 16384;
constexpr int64_t kTeacherQueueBytes = int64_t{1} << 30;
// The stream of a client that holds some of that and does nothing for so long is ended.
constexpr absl::Duration kTeacherStall = absl::Seconds(60);

// Files.

constexpr int64_t kSafetensorsHeaderBytes = 100'000'000;  // MAX_HEADER_SIZE of the reference implementation
constexpr int64_t kImageFileBytes = 256 << 20;
constexpr int64_t kAnnouncementBytes = 64 << 10;    // the file in which a child tells its parent where it listens
constexpr int64_t kCapturedOutputBytes = 64 << 20;  // the stdout of a child; the rest is dropped

// Time.

constexpr absl::Duration kHeartbeatPeriod = absl::Seconds(1);
// A worker that is silent for longer may lose its gangs to others (docs/glossary.md, "lease").
constexpr absl::Duration kLease = absl::Seconds(60);
// The pause of a job after a generation that failed. It doubles with each failure in a row, up to kRestartPauseMax.
constexpr absl::Duration kRestartPause = absl::Seconds(8);
constexpr absl::Duration kRestartPauseMax = absl::Minutes(5);
// In this time the record of a worker where gangs failed loses half of its weight.
constexpr absl::Duration kBlameHalfLife = absl::Minutes(10);
// How long a gang waits for data that its host does not see any more, before it moves to other workers.
constexpr absl::Duration kDataPatience = absl::Seconds(60);
constexpr absl::Duration kRpcDeadline = absl::Seconds(10);  // of a call that moves no bulk of bytes
// A connection that is silent for the period is probed. When the timeout passes without an answer, it is given up.
constexpr absl::Duration kKeepAlivePeriod = absl::Seconds(10);
constexpr absl::Duration kKeepAliveTimeout = absl::Seconds(10);
constexpr absl::Duration kReconnectBackoff = absl::Seconds(2);  // the longest pause before a lost connection is retried
constexpr absl::Duration kShutdownGrace = absl::Seconds(2);     // for the calls in progress of a server that stops

}  // namespace mimeo::limits
