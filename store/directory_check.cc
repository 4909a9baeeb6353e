#include "store/directory_check.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "store/ledger.h"
#include "store/log_file.h"

namespace mimeo {
namespace {

constexpr char kCurrent[] = "CURRENT";
constexpr char kManifestPrefix[] = "MANIFEST-";

// A file that is there, or was, only if the store had been made. Empty: none.
std::string TraceOfData(const std::string& dir, const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    const bool of_repair = file == "repair" || absl::StartsWith(file, "damaged-");  // coordinator/repair.h
    if (IsLog(file) || absl::EndsWith(file, ".sst") || absl::EndsWith(file, ".blob") || of_repair) return file;
  }
  const absl::StatusOr<Ledger::Lengths> synced = Ledger::Read(dir);
  if (!synced.ok()) return "";
  for (const auto& [file, length] : *synced) {
    if (IsLog(file)) return absl::StrCat(file, ", which ", Ledger::kFileName, " names,");
  }
  return "";
}

// Looks at one file after the other and gathers what is wrong.
class Check {
 public:
  Check(std::string dir, absl::StatusOr<Ledger::Lengths> ledger) : dir_(std::move(dir)), known_(ledger.ok()) {
    if (ledger.ok()) synced_ = *std::move(ledger);
  }

  void Missing(const std::vector<std::string>& files) {
    for (const auto& [file, length] : synced_) {
      if (absl::c_binary_search(files, file)) continue;
      problems_.push_back(absl::StrCat(file, " is missing; ", length, " bytes of it had been written safely"));
    }
  }

  absl::Status Log(const std::string& file) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(JoinPath(dir_, file)));
    const LogVerdict verdict = CheckLog(bytes, Synced(file));
    if (verdict.end == LogVerdict::End::kDamaged) problems_.push_back(absl::StrCat(file, ": ", verdict.problem));
    // A log is begun when the one before is complete. After a loss of power both may be cut off, but nothing behind a
    // cut is safe.
    const bool later = known_ ? Synced(file) > 0 : verdict.whole > 0;
    if (IsLog(file) && later && !cut_log_.empty()) {
      problems_.push_back(absl::StrCat(cut_log_, " is cut off, though ", file, " follows it"));
    }
    if (verdict.end != LogVerdict::End::kTorn) return absl::OkStatus();
    if (IsLog(file)) cut_log_ = file;
    torn_.push_back(absl::StrCat(file, ": ", verdict.problem, "; ", bytes.size() - verdict.whole, " bytes behind byte ",
                                 verdict.whole, " are dropped"));
    return absl::OkStatus();
  }

  absl::StatusOr<TornEnds> Result() const {
    if (problems_.empty()) return torn_;
    return absl::DataLossError(absl::StrCat("store ", dir_, " is damaged: ", absl::StrJoin(problems_, "; ")));
  }

 private:
  int64_t Synced(const std::string& file) const {
    const auto found = synced_.find(file);
    return found == synced_.end() ? 0 : found->second;
  }

  const std::string dir_;
  const bool known_;  // there is a ledger
  Ledger::Lengths synced_;
  std::string cut_log_;
  std::vector<std::string> problems_;
  TornEnds torn_;
};

}  // namespace

bool IsLog(const std::string& file) { return absl::EndsWith(file, ".log"); }

absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& dir) {
  std::error_code error;
  std::filesystem::directory_iterator entries(dir, error);
  std::vector<std::string> files;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    files.push_back(entries->path().filename().string());
  }
  if (error) return absl::UnavailableError(absl::StrCat("reading the directory ", dir, ": ", error.message()));
  absl::c_sort(files);
  return files;
}

absl::StatusOr<std::string> CurrentManifest(const std::string& dir) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(JoinPath(dir, kCurrent)));
  const size_t digits = sizeof(kManifestPrefix) - 1;
  const bool named = absl::StartsWith(bytes, kManifestPrefix) && bytes.size() > digits + 1 && bytes.back() == '\n' &&
                     bytes.find_first_not_of("0123456789", digits) == bytes.size() - 1;
  if (named) return bytes.substr(0, bytes.size() - 1);
  return absl::DataLossError(absl::StrCat(kCurrent, " (", bytes.size(), " bytes) names no manifest"));
}

absl::StatusOr<Ledger::Lengths> LedgerOf(const std::string& dir, const std::string& manifest) {
  ASSIGN_OR_RETURN(Ledger::Lengths lengths, Ledger::Read(dir));
  if (lengths.count(manifest) > 0) return lengths;
  return absl::NotFoundError(absl::StrCat(Ledger::kFileName, " does not know ", manifest));
}

bool IsNewStore(const std::string& dir) {
  const absl::StatusOr<std::vector<std::string>> files = ListFiles(dir);
  return files.ok() && !absl::c_binary_search(*files, kCurrent) && TraceOfData(dir, *files).empty();
}

absl::StatusOr<int64_t> LogBytes(const std::string& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFiles(dir));
  int64_t bytes = 0;
  for (const std::string& file : files) {
    std::error_code error;
    const uintmax_t size = IsLog(file) ? std::filesystem::file_size(JoinPath(dir, file), error) : 0;
    if (error) return absl::UnavailableError(absl::StrCat("reading ", JoinPath(dir, file), ": ", error.message()));
    bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

absl::StatusOr<TornEnds> CheckDirectory(const std::string& dir) {
  if (!IsDirectory(dir)) return TornEnds();
  ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFiles(dir));
  const absl::StatusOr<std::string> manifest = CurrentManifest(dir);
  if (absl::IsNotFound(manifest.status())) {
    const std::string data = TraceOfData(dir, files);
    if (data.empty()) return TornEnds();
    return absl::DataLossError(absl::StrCat("store ", dir, " is damaged: ", kCurrent,
                                            " is missing, though the store is not new: ", data, " tells of data"));
  }
  if (!manifest.ok()) {
    return absl::DataLossError(absl::StrCat("store ", dir, " is damaged: ", manifest.status().message()));
  }
  if (!absl::c_binary_search(files, *manifest)) {
    return absl::DataLossError(
        absl::StrCat("store ", dir, " is damaged: ", *manifest, ", which ", kCurrent, " names, is missing"));
  }
  Check check(dir, LedgerOf(dir, *manifest));
  check.Missing(files);
  RETURN_IF_ERROR(check.Log(*manifest));
  for (const std::string& file : files) {
    if (IsLog(file)) RETURN_IF_ERROR(check.Log(file));
  }
  return check.Result();
}

}  // namespace mimeo
