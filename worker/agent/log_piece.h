// What a rank printed, in pieces, for whoever reads its log through the coordinator. A piece is text without control
// characters, of at most limits::kLogPieceBytes of the file. Reads files; thread-safe.
#pragma once

#include <string>

#include "proto/coordinator.pb.h"

namespace mimeo {

// The piece that `wish` asks for, of a rank whose files are below `dir` (worker/agent/rank_launch.h). `ended`: the rank
// prints nothing more, so its last line is sent though no line break follows. Of a rank that still prints, a line that
// has not ended is left for the next piece. A file that is shorter than the offset has begun anew, and is read from its
// beginning. Never fails: NotFound, and whatever else was wrong, stands in the piece.
LogPiece ReadLogPiece(const std::string& dir, const LogWish& wish, bool ended);

}  // namespace mimeo
