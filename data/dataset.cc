#include "data/dataset.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "base/digest.h"
#include "base/errno_status.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "data/class_labels.h"
#include "data/folder_listing.h"
#include "data/sample_file.h"
#include "data/sample_name.h"
#include "data/tar_index.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

struct Sample {
  std::string name;
  int64_t size = 0;
  int shard = -1;      // index into the shards, -1: a file of its own
  int64_t offset = 0;  // in the shard
  int label = -1;
  bool readable = true;
};

// The file at `path`, which had `size` bytes when it was listed. Whatever is the matter may pass.
absl::StatusOr<SampleFile> OpenListed(const std::string& path, int64_t size) {
  absl::StatusOr<SampleFile> file = SampleFile::Open(path);
  if (!file.ok()) return absl::UnavailableError(file.status().message());
  if (file->size() == size) return file;
  return absl::UnavailableError(
      absl::StrCat(ShortName(path), ": has ", file->size(), " bytes, and had ", size, " when it was listed"));
}

// A tar that stays open, so that it can be read when its name is gone. Thread-safe.
class Shard {
 public:
  explicit Shard(SampleFile file)
      : path_(file.path()), size_(file.size()), file_(std::make_shared<const SampleFile>(std::move(file))) {}

  // Of a mount that went and came back the open file stays dead: after an error the next read opens it by its name.
  absl::StatusOr<std::string> ReadAt(int64_t offset, int64_t size) ABSL_LOCKS_EXCLUDED(mu_) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const SampleFile> file, Opened());
    absl::StatusOr<std::string> bytes = file->ReadAt(offset, size);
    if (bytes.ok()) return bytes;
    absl::MutexLock lock(&mu_);
    if (file_ == file) file_ = nullptr;
    return bytes;
  }

 private:
  absl::StatusOr<std::shared_ptr<const SampleFile>> Opened() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    if (file_ == nullptr) {
      ASSIGN_OR_RETURN(SampleFile file, OpenListed(path_, size_));
      file_ = std::make_shared<const SampleFile>(std::move(file));
    }
    return file_;
  }

  const std::string path_;
  const int64_t size_;
  absl::Mutex mu_;
  std::shared_ptr<const SampleFile> file_ ABSL_GUARDED_BY(mu_);  // null: to be opened
};
using Shards = std::vector<std::unique_ptr<Shard>>;

class OpenedDataset : public Dataset {
 public:
  OpenedDataset(std::string root, std::vector<Sample> samples, Shards shards, std::vector<std::string> class_names)
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
    if (sample.size > limits::kImageFileBytes) {
      return absl::DataLossError(absl::StrCat(sample.size, " bytes; at most ", limits::kImageFileBytes));
    }
    if (sample.shard >= 0) return shards_[sample.shard]->ReadAt(sample.offset, sample.size);
    const std::string path = absl::StrCat(root_, "/", sample.name);
    const absl::StatusOr<SampleFile> file = OpenListed(path, sample.size);
    if (!file.ok() && !sample.readable) return absl::DataLossError("its mode lets this user not read it");
    if (!file.ok()) return file.status();
    return file->ReadAt(0, sample.size);
  }

 private:
  const std::string root_;
  const std::vector<Sample> samples_;
  const Shards shards_;
  const std::vector<std::string> class_names_;
  std::string digest_;
};

absl::StatusOr<std::unique_ptr<Dataset>> Finish(const std::string& root, std::vector<Sample> samples, Shards shards,
                                                std::vector<std::string> class_names,
                                                absl::string_view what_was_found) {
  if (samples.empty()) {
    return absl::NotFoundError(absl::StrCat(ShortName(root), ": no images in it: ", what_was_found,
                                            ", of which 0 end in .jpg, .jpeg, .png or .webp"));
  }
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return std::tie(a.name, a.shard, a.offset) < std::tie(b.name, b.shard, b.offset);
  });
  return std::make_unique<OpenedDataset>(root, std::move(samples), std::move(shards), std::move(class_names));
}

absl::StatusOr<std::unique_ptr<Dataset>> OpenTars(const std::string& root, const std::vector<std::string>& paths,
                                                  Progress* progress) {
  std::vector<Sample> samples;
  Shards shards;
  std::vector<std::string> labels;  // of each sample; empty: none
  int64_t members = 0;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(SampleFile file, SampleFile::Open(path));
    ASSIGN_OR_RETURN(const std::vector<TarMember> found, IndexTar(file, progress));
    members += static_cast<int64_t>(found.size());
    ASSIGN_OR_RETURN(const LabelTexts texts, ReadLabelTexts(path, found));
    const std::string shard = path.substr(path.rfind('/') + 1);
    for (const TarMember& member : found) {
      if (!IsImageName(member.name)) continue;
      samples.push_back(
          {absl::StrCat(shard, ":", member.name), member.size, static_cast<int>(shards.size()), member.offset});
      const auto text = texts.find(std::string(SampleKey(member.name)));
      labels.push_back(text == texts.end() ? "" : text->second);
    }
    shards.push_back(std::make_unique<Shard>(std::move(file)));
    if (progress != nullptr) {
      progress->Do(absl::StrCat("lists shards (", shards.size(), " of ", paths.size(), " so far)"));
    }
  }
  const ClassIndex classes(labels);
  for (size_t i = 0; i < samples.size(); ++i) samples[i].label = classes.IndexOf(labels[i]);
  return Finish(root, std::move(samples), std::move(shards), classes.names(),
                absl::StrCat(paths.size(), " tar files with ", members, " members"));
}

// What a person would look for in vain among the samples.
void LogPassedOver(const std::string& root, const FolderListing& listing) {
  const std::string passed_over = listing.PassedOverText();
  if (!passed_over.empty()) spdlog::warn("passed over in {}: {}", ShortName(root), passed_over);
  FolderListing::PassedOver locked;
  for (const ListedFile& image : listing.images) {
    if (!image.readable && ++locked.count <= 3) locked.names.push_back(ShortName(image.name));
  }
  if (locked.count == 0) return;
  spdlog::warn("{} of {} images in {} cannot be read by this user, and will be bad samples: {}{}", locked.count,
               listing.images.size(), ShortName(root), absl::StrJoin(locked.names, ", "),
               locked.count > 3 ? ", ..." : "");
}

absl::StatusOr<std::unique_ptr<Dataset>> OpenFolder(const std::string& root, Progress* progress) {
  ASSIGN_OR_RETURN(const FolderListing listing, ListFolder(root, progress));
  LogPassedOver(root, listing);
  if (!listing.tars.empty() && !listing.images.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(ShortName(root), ": holds ", listing.tars.size(), " tar shards and ",
                                                   listing.images.size(), " images; give a folder of one kind"));
  }
  if (!listing.tars.empty()) {
    std::vector<std::string> tars;
    for (const std::string& name : listing.tars) tars.push_back(absl::StrCat(root, "/", name));
    std::sort(tars.begin(), tars.end());
    return OpenTars(root, tars, progress);
  }
  std::vector<std::string> labels;
  for (const ListedFile& image : listing.images) {
    const size_t slash = image.name.find('/');
    labels.push_back(slash == std::string::npos ? "" : image.name.substr(0, slash));
  }
  const ClassIndex classes(labels);
  std::vector<Sample> samples;
  for (size_t i = 0; i < labels.size(); ++i) {
    const ListedFile& image = listing.images[i];
    samples.push_back({image.name, image.size, -1, 0, classes.IndexOf(labels[i]), image.readable});
  }
  const std::string passed_over = listing.PassedOverText();
  return Finish(root, std::move(samples), {}, classes.names(),
                absl::StrCat(listing.files, " files", passed_over.empty() ? "" : absl::StrCat(" and ", passed_over)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::Open(const std::string& path, Progress* progress) {
  struct stat found;
  if (stat(path.c_str(), &found) != 0) {
    const absl::Status error = ErrnoStatus(errno, ShortName(path));
    if (absl::IsNotFound(error)) return absl::NotFoundError(absl::StrCat(ShortName(path), ": no such file or folder"));
    return error;
  }
  if (progress != nullptr) progress->Do("lists images");
  if (S_ISDIR(found.st_mode)) return OpenFolder(path, progress);
  if (S_ISREG(found.st_mode) && absl::EndsWith(path, ".tar")) return OpenTars(path, {path}, progress);
  return absl::InvalidArgumentError(absl::StrCat(ShortName(path), ": ",
                                                 S_ISREG(found.st_mode) ? "" : "a pipe, socket or device: ",
                                                 "neither a folder nor a .tar; images come as a folder, a tree of "
                                                 "class folders, one .tar, or a folder of .tar shards"));
}

}  // namespace mimeo
