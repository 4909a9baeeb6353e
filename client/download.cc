#include "client/download.h"

#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/output.h"
#include "base/rpc/checkpoint_download.h"
#include "base/status_macros.h"

namespace mimeo {
namespace {

absl::Status Write(const CheckpointSource& source, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  const absl::Status full = absl::ResourceExhaustedError(absl::StrCat(path, ": cannot be written; is the disk full?"));
  RETURN_IF_ERROR(DownloadChunks(source, [&](const CheckpointManifest&, absl::string_view chunk) {
                    out << chunk;
                    return out.good() ? absl::OkStatus() : full;
                  }).status());
  out.close();
  return out.good() ? absl::OkStatus() : full;
}

}  // namespace

absl::Status DownloadCheckpointFile(const ChannelOptions& channels, const std::string& coordinator_address,
                                    const std::string& job_id, int64_t step, const std::string& path) {
  const std::string partial = path + ".partial";
  absl::Status status = Write({channels, coordinator_address, job_id, step, /*wait_until=*/{}}, partial);
  if (status.ok() && std::rename(partial.c_str(), path.c_str()) != 0) {
    status = absl::InternalError(path + ": cannot be written");
  }
  if (!status.ok()) std::remove(partial.c_str());
  return Renamed(status, partial, path);
}

}  // namespace mimeo
