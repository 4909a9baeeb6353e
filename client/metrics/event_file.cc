#include "client/metrics/event_file.h"

#include <fcntl.h>
#include <isa-l/crc.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/errno_status.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "proto/tensorboard.pb.h"

namespace mimeo {
namespace {

constexpr char kVersion[] = "brain.Event:2";

std::string LittleEndian(uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(number >> (8 * i) & 0xff));
  return text;
}

// tensorflow/core/lib/hash/crc32c.h, Mask.
std::string MaskedChecksum(absl::string_view bytes) {
  std::string copy(bytes);  // the library wants bytes that it could change
  const uint32_t crc =
      ~crc32_iscsi(reinterpret_cast<unsigned char*>(&copy[0]), static_cast<int>(copy.size()), 0xffffffffu);
  return LittleEndian(static_cast<uint32_t>(((crc >> 15) | (crc << 17)) + 0xa282ead8u), 4);
}

double Now() { return static_cast<double>(absl::ToUnixMicros(Clock::Real()->Wall())) * 1e-6; }

}  // namespace

std::string EventRecord(absl::string_view message) {
  const std::string length = LittleEndian(message.size(), 8);
  return absl::StrCat(length, MaskedChecksum(length), message, MaskedChecksum(message));
}

absl::StatusOr<std::unique_ptr<EventFile>> EventFile::Create(const std::string& dir) {
  RETURN_IF_ERROR(MakeDirs(dir));
  // TensorBoard takes a file for one of events by "tfevents" in its name, and reads them in the order of their names.
  int fd = -1;
  std::string path;
  for (int number = 0; fd < 0; ++number) {
    path = JoinPath(dir, absl::StrFormat("events.out.tfevents.%010d.mimeo.%03d.%d",
                                         absl::ToUnixSeconds(Clock::Real()->Wall()), number, getpid()));
    fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("creating ", path));
  }
  std::unique_ptr<EventFile> file(new EventFile(path, fd));
  TensorBoardEvent version;
  version.set_wall_time(Now());
  version.set_file_version(kVersion);
  RETURN_IF_ERROR(file->Write(EventRecord(version.SerializeAsString())));
  return file;
}

EventFile::~EventFile() { close(fd_); }

absl::Status EventFile::Add(const std::vector<MetricRow>& rows) {
  std::string records;
  for (const MetricRow& row : rows) {
    TensorBoardEvent event;
    event.set_wall_time(row.time == 0 ? Now() : row.time);
    event.set_step(row.step);
    // An evaluation comes when the training is some steps further already.
    if (!begun_ || (!row.is_evaluation && row.step <= last_step_)) {
      event.mutable_session_log()->set_status(TensorBoardSession::START);
      records += EventRecord(event.SerializeAsString());
    }
    begun_ = true;
    if (!row.is_evaluation) last_step_ = row.step;
    for (const auto& [name, value] : row.values) {
      TensorBoardValue& shown = *event.mutable_summary()->add_value();
      shown.set_tag(name);
      shown.set_simple_value(static_cast<float>(value));
    }
    if (!row.values.empty()) records += EventRecord(event.SerializeAsString());
  }
  return Write(records);
}

absl::Status EventFile::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, absl::StrCat("writing ", path_));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace mimeo
