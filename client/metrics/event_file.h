// A file of events, which TensorBoard reads. It is a list of records, each of which is: 8 bytes of length, a checksum
// of them, the message, a checksum of it (TFRecord; all numbers little-endian). A checksum is CRC-32C, rotated and
// shifted so that a record within a record is not taken for one. Thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/metrics/metric_rows.h"

namespace mimeo {

// The record of a message.
std::string EventRecord(absl::string_view message);

class EventFile {
 public:
  // Begins a new file in `dir`, which is made where it is missing. A folder may hold the files of several sessions of
  // one run: TensorBoard reads all of them, and where a step comes again, the later session counts. Errors are those of
  // making and writing files (base/errno_status.h).
  static absl::StatusOr<std::unique_ptr<EventFile>> Create(const std::string& dir);
  ~EventFile();

  // Writes rows behind what is there, so that a reader sees whole records. Rows may begin at an earlier step again:
  // what was written of that step and later ones then no longer counts. Numbers are kept in single precision.
  absl::Status Add(const std::vector<MetricRow>& rows);

  const std::string& path() const { return path_; }

 private:
  EventFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::Status Write(absl::string_view bytes);

  const std::string path_;
  const int fd_;
  bool begun_ = false;
  int64_t last_step_ = 0;  // that was trained
};

}  // namespace mimeo
