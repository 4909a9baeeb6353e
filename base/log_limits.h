// The bounds of what travels when somebody reads the log of a rank: from its agent to the coordinator, and from there
// to a client.
#pragma once

#include <cstdint>

namespace mimeo::limits {

constexpr int64_t kLogPieceBytes = 64 << 10;  // of a log file, in one piece
// The same as text: a byte that is no text is written as four.
constexpr int64_t kLogTextBytes = 4 * kLogPieceBytes;
constexpr int kLogPiecesPerBeat = 8;     // that an agent sends after one heartbeat; the others are asked for again
constexpr int kLogWishesPerWorker = 32;  // that wait at one time; a further one is refused

}  // namespace mimeo::limits
