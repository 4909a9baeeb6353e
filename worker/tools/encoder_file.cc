#include "worker/tools/encoder_file.h"

#include "base/status_macros.h"
#include "spdlog/spdlog.h"

namespace mimeo {

absl::StatusOr<LoadedEncoder> OpenEncoder(const std::string& path, const LoadOptions& options) {
  ASSIGN_OR_RETURN(LoadedEncoder loaded, LoadEncoder(path, options));
  for (const std::string& note : loaded.notes) spdlog::info("weights file={} {}", path, note);
  return loaded;
}

}  // namespace mimeo
