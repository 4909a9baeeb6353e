// What every main() needs: logging, an orderly stop on SIGTERM and SIGINT, and the announcement, a file in which a
// child tells its parent at which ports it listens.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mimeo {

// From now on spdlog writes to stderr, one event a line: "2026-01-02T03:04:05.678Z info NAME: event key=value". The
// environment variable MIMEO_LOG chooses the level: debug, info (where it is not set), warn or error. What is logged
// may be any bytes: it is made text (base/text.h) of at most limits::kLogEventBytes, and further lines of an event are
// indented, so that no word of a peer can look like an event.
void StartLogging(const std::string& process_name);
// The same for a tool whose lines a person reads while it works: "NAME: event", without time and level.
void StartPlainLogging(const std::string& tool_name);

// Blocks SIGTERM and SIGINT in this thread and in all that are started from it later. Call it first in main: a thread
// that is there already could take the signal, and the process would end at once.
void BlockStopSignals();
// Blocks until SIGTERM or SIGINT comes. One that came since BlockStopSignals counts too.
void WaitForStop();
// The same, but only until Now() of the real clock reaches `deadline`. Returns true when a signal came.
bool WaitForStopUntil(absl::Time deadline);

// Writes the announcement {"key": "value", ...} as JSON. A child binds port 0 and announces the port that it got, so it
// must listen before it announces. The parent sees the whole file or none (WriteFileAtomic, whose errors these are).
// InvalidArgument: a key or value is not UTF-8; JSON cannot hold it, and it would not be read back as it is.
absl::Status Announce(const std::string& path, const std::map<std::string, std::string>& values);
// Waits until that file is there, and reads it. With zero patience it looks once. A child may die before it announces:
// a parent that wants to notice that looks in turns at the file, without patience, and at the child. DeadlineExceeded:
// the file was not written in time. DataLoss: it is there and is not such JSON. Other errors are those of ReadFile.
absl::StatusOr<std::map<std::string, std::string>> ReadAnnouncement(const std::string& path,
                                                                    absl::Duration patience = absl::Seconds(30));

}  // namespace mimeo
