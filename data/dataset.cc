#include "data/dataset.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "data/class_labels.h"
#include "data/tar_index.h"

namespace mimeo {
namespace {

namespace fs = std::filesystem;

// Names that hide (.DS_Store, the ._x.jpg that macOS puts beside x.jpg in tars) are not images.
bool IsImageName(absl::string_view name) {
  const absl::string_view base = name.substr(name.rfind('/') + 1);
  if (absl::StartsWith(base, ".")) return false;
  const std::string lower = absl::AsciiStrToLower(base);
  return absl::EndsWith(lower, ".jpg") || absl::EndsWith(lower, ".jpeg") || absl::EndsWith(lower, ".png") ||
         absl::EndsWith(lower, ".webp");
}

bool IsTarName(const fs::path& path) { return path.extension() == ".tar"; }

// An open file for preads. Move-only.
class File {
 public:
  static absl::StatusOr<File> Open(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return absl::DataLossError(absl::StrCat(path, ": ", std::strerror(errno)));
    return File(fd);
  }
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&&) = delete;
  ~File() {
    if (fd_ >= 0) close(fd_);
  }

  absl::StatusOr<std::string> ReadAt(int64_t offset, int64_t size, const std::string& name) const {
    if (size > limits::kImageFileBytes) {
      return absl::DataLossError(absl::StrCat(name, ": ", size, " bytes; at most ", limits::kImageFileBytes));
    }
    std::string bytes(size, '\0');
    for (int64_t done = 0; done < size;) {
      const ssize_t got = pread(fd_, bytes.data() + done, size - done, offset + done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return absl::DataLossError(absl::StrCat(name, ": ", std::strerror(errno)));
      if (got == 0) return absl::DataLossError(absl::StrCat(name, ": ends after ", done, " of ", size, " bytes"));
      done += got;
    }
    return bytes;
  }

 private:
  explicit File(int fd) : fd_(fd) {}
  int fd_;
};

struct Sample {
  std::string name;
  int64_t size = 0;
  int shard = -1;       // index into the shards, -1: a file of its own
  int64_t offset = 0;   // in the shard
  int label = -1;
};

class OpenedDataset : public Dataset {
 public:
  OpenedDataset(std::string root, std::vector<Sample> samples, std::vector<File> shards,
                std::vector<std::string> class_names)
      : root_(std::move(root)),
        samples_(std::move(samples)),
        shards_(std::move(shards)),
        class_names_(std::move(class_names)) {
    Sha256Stream digest;
    for (const Sample& sample : samples_) {
      digest.Update(sample.name);
      digest.Update(absl::StrCat(absl::string_view("\0", 1), sample.size, "\n"));
    }
    for (const unsigned char byte : digest.Finish()) absl::StrAppend(&digest_, absl::Hex(byte, absl::kZeroPad2));
  }

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  const std::string& name(int64_t sample) const override { return samples_[sample].name; }
  int label(int64_t sample) const override { return samples_[sample].label; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  const std::string& digest() const override { return digest_; }

  absl::StatusOr<std::string> Read(int64_t index) const override {
    const Sample& sample = samples_[index];
    if (sample.shard >= 0) return shards_[sample.shard].ReadAt(sample.offset, sample.size, sample.name);
    ASSIGN_OR_RETURN(const File file, File::Open(absl::StrCat(root_, "/", sample.name)));
    return file.ReadAt(0, sample.size, sample.name);
  }

 private:
  const std::string root_;
  const std::vector<Sample> samples_;
  const std::vector<File> shards_;
  const std::vector<std::string> class_names_;
  std::string digest_;
};

absl::StatusOr<std::unique_ptr<Dataset>> Finish(const std::string& root, std::vector<Sample> samples,
                                                std::vector<File> shards, std::vector<std::string> class_names,
                                                absl::string_view what_was_found) {
  if (samples.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(root, ": no images in it: ", what_was_found, ", of which 0 end in .jpg, .jpeg, .png or .webp"));
  }
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return std::tie(a.name, a.shard, a.offset) < std::tie(b.name, b.shard, b.offset);
  });
  return std::make_unique<OpenedDataset>(root, std::move(samples), std::move(shards), std::move(class_names));
}

absl::StatusOr<std::unique_ptr<Dataset>> OpenTars(const std::string& root, const std::vector<fs::path>& paths) {
  std::vector<Sample> samples;
  std::vector<File> shards;
  std::vector<std::string> labels;  // of each sample; empty: none
  int64_t members = 0;
  for (const fs::path& path : paths) {
    ASSIGN_OR_RETURN(const std::vector<TarMember> found, IndexTar(path.string()));
    ASSIGN_OR_RETURN(File shard, File::Open(path.string()));
    members += static_cast<int64_t>(found.size());
    ASSIGN_OR_RETURN(const LabelTexts texts, ReadLabelTexts(path.string(), found));
    for (const TarMember& member : found) {
      if (!IsImageName(member.name)) continue;
      samples.push_back({absl::StrCat(path.filename().string(), ":", member.name), member.size,
                         static_cast<int>(shards.size()), member.offset, -1});
      const auto text = texts.find(std::string(SampleKey(member.name)));
      labels.push_back(text == texts.end() ? "" : text->second);
    }
    shards.push_back(std::move(shard));
  }
  const ClassIndex classes(labels);
  for (size_t i = 0; i < samples.size(); ++i) samples[i].label = classes.IndexOf(labels[i]);
  return Finish(root, std::move(samples), std::move(shards), classes.names(),
                absl::StrCat(paths.size(), " tar files with ", members, " members"));
}

absl::StatusOr<std::unique_ptr<Dataset>> OpenFolder(const std::string& root) {
  std::vector<Sample> samples;
  std::vector<std::string> labels;
  std::vector<fs::path> tars;
  int64_t files = 0;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator it(root, options, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_regular_file(ignored)) continue;
    ++files;
    if (it.depth() == 0 && IsTarName(it->path())) tars.push_back(it->path());
    const std::string name = it->path().lexically_relative(root).generic_string();
    if (!IsImageName(name)) continue;
    samples.push_back({name, static_cast<int64_t>(it->file_size(ignored)), -1, 0, -1});
    const size_t slash = name.find('/');
    labels.push_back(slash == std::string::npos ? "" : name.substr(0, slash));
  }
  if (error) return absl::InvalidArgumentError(absl::StrCat(root, ": cannot be listed: ", error.message()));
  if (!tars.empty() && !samples.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(root, ": holds ", tars.size(), " tar shards and ", samples.size(),
                                                   " images; give a folder of one kind"));
  }
  if (!tars.empty()) {
    std::sort(tars.begin(), tars.end());
    return OpenTars(root, tars);
  }
  const ClassIndex classes(labels);
  for (size_t i = 0; i < samples.size(); ++i) samples[i].label = classes.IndexOf(labels[i]);
  return Finish(root, std::move(samples), {}, classes.names(), absl::StrCat(files, " files"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::Open(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return OpenFolder(path);
  if (!fs::exists(path, error)) return absl::InvalidArgumentError(absl::StrCat(path, ": no such file or folder"));
  if (!IsTarName(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": neither a folder nor a .tar; images come as a folder, a tree of class folders, one .tar, "
                           "or a folder of .tar shards"));
  }
  return OpenTars(path, {fs::path(path)});
}

}  // namespace mimeo
