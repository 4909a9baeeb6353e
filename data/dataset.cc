#include "data/dataset.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "data/class_labels.h"
#include "data/folder_listing.h"
#include "data/open_shards.h"
#include "data/passed_over.h"
#include "data/sample_file.h"
#include "data/sample_name.h"
#include "data/stored_dataset.h"
#include "data/tar_index.h"
#include "job/data_text.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

// What was found before it becomes a data set.
struct FoundSamples {
  std::vector<StoredSample> samples;
  std::vector<std::string> labels;  // the text of each sample's label; empty: none
  std::unique_ptr<OpenShards> shards;
  PassedOverTally passed_over;
  std::string text;  // for a message, what was looked through: "190 files"
  std::string note;  // empty: none
};

absl::StatusOr<std::unique_ptr<StoredDataset>> Finish(const std::string& root, FoundSamples found) {
  DataContents contents;
  contents.set_num_samples(static_cast<int64_t>(found.samples.size()));
  for (PassedOver& row : found.passed_over.Rows()) *contents.add_passed_over() = std::move(row);
  if (!found.note.empty()) contents.add_notes(found.note);
  if (found.samples.empty()) {
    const std::string passed_over = found.passed_over.Text();
    return absl::NotFoundError(absl::StrCat(ShortName(root), ": no images in it: ", found.text, ", of which 0 end in ",
                                            kImageEndings, passed_over.empty() ? "" : "; left out: ", passed_over));
  }
  for (const PassedOver& row : contents.passed_over()) {
    spdlog::warn("data {} leaves out {}", ShortName(root), PassedOverText(row));
  }
  if (!found.note.empty()) spdlog::warn("data {}: {}", ShortName(root), found.note);
  const ClassIndex classes(found.labels);
  for (size_t i = 0; i < found.samples.size(); ++i) found.samples[i].label = classes.IndexOf(found.labels[i]);
  std::sort(found.samples.begin(), found.samples.end(), [](const StoredSample& a, const StoredSample& b) {
    return std::tie(a.name, a.shard, a.offset) < std::tie(b.name, b.shard, b.offset);
  });
  return std::make_unique<StoredDataset>(root, std::move(found.samples), std::move(found.shards), classes.names(),
                                         std::move(contents));
}

// Whether a member stands beside images of its key and says something about them that is not read: its caption.
bool IsCompanion(const std::string& member, const std::set<absl::string_view>& keys) {
  return absl::EndsWithIgnoreCase(member, ".txt") && keys.count(SampleKey(member)) > 0;
}

bool IsChosen(const std::string& member, const std::string& members) {
  const size_t key = SampleKey(member).size();
  return members.empty() || absl::EqualsIgnoreCase(absl::string_view(member).substr(key + 1), members);
}

// `chosen` is Dataset::Open's `members`.
void AddShard(const std::string& shard, int number, const std::vector<TarMember>& members, const std::string& chosen,
              PassedOverTally* passed_over, FoundSamples* found) {
  const std::vector<std::string> texts = ReadLabelTexts(members, passed_over);
  std::set<absl::string_view> keys;
  for (const TarMember& member : members) {
    if (IsImageName(member.name)) keys.insert(SampleKey(member.name));
  }
  for (size_t i = 0; i < members.size(); ++i) {
    const TarMember& member = members[i];
    if (IsImageName(member.name) && !IsChosen(member.name, chosen)) {
      passed_over->Add("images that data.members does not choose", member.name);
    } else if (IsImageName(member.name)) {
      found->samples.push_back({absl::StrCat(shard, ":", member.name), member.size, number, member.offset});
      found->labels.push_back(texts[i]);
    } else if (!IsLabelName(member.name) && !IsCompanion(member.name, keys)) {
      passed_over->AddOtherKind(member.name);
    }
  }
}

absl::StatusOr<std::unique_ptr<StoredDataset>> OpenTars(const std::string& root, const std::vector<std::string>& paths,
                                                        const PassedOverTally& passed_over, const std::string& members,
                                                        Progress* progress) {
  FoundSamples found;
  found.shards = std::make_unique<OpenShards>(OpenShards::OpenMost());
  found.passed_over.Merge(passed_over);
  int64_t num_members = 0;
  for (const std::string& path : paths) {
    const std::string shard = path.substr(path.rfind('/') + 1);
    PassedOverTally of_shard(absl::StrCat(shard, ":"));
    ASSIGN_OR_RETURN(SampleFile file, SampleFile::Open(path));
    ASSIGN_OR_RETURN(const std::vector<TarMember> listed, IndexTar(file, &of_shard, progress));
    num_members += static_cast<int64_t>(listed.size());
    AddShard(shard, found.shards->Add(std::move(file)), listed, members, &of_shard, &found);
    found.passed_over.Merge(of_shard);
    if (progress != nullptr) {
      progress->Do(absl::StrCat("lists shards (", found.shards->size(), " of ", paths.size(), " so far)"));
    }
  }
  found.text = absl::StrCat(paths.size(), " tar files with ", num_members, " members");
  return Finish(root, std::move(found));
}

absl::StatusOr<std::unique_ptr<StoredDataset>> OpenFolder(const std::string& root, const std::string& members,
                                                          Progress* progress) {
  ASSIGN_OR_RETURN(FolderListing listing, ListFolder(root, progress));
  if (!listing.tars.empty() && !listing.images.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(ShortName(root), ": holds ", listing.tars.size(), " tar shards and ",
                                                   listing.images.size(), " images; give a folder of one kind"));
  }
  if (!listing.tars.empty()) {
    std::vector<std::string> tars;
    for (const std::string& name : listing.tars) tars.push_back(absl::StrCat(root, "/", name));
    std::sort(tars.begin(), tars.end());
    return OpenTars(root, tars, listing.passed_over, members, progress);
  }
  FoundSamples found;
  if (!members.empty()) {
    found.note = "data.members chooses among the images of a tar's samples, and this is a folder: all are taken";
  }
  found.text = absl::StrCat(listing.files, " files");
  found.passed_over.Merge(listing.passed_over);
  found.labels.reserve(listing.images.size());
  found.samples.reserve(listing.images.size());
  for (ListedFile& image : listing.images) {
    const size_t slash = image.name.find('/');
    found.labels.push_back(slash == std::string::npos ? "" : image.name.substr(0, slash));
    found.samples.push_back({std::move(image.name), image.size, -1, 0, -1, image.readable});
  }
  return Finish(root, std::move(found));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::Open(const std::string& path, Progress* progress,
                                                       const std::string& members) {
  return StoredDataset::Open(path, progress, members);
}

absl::StatusOr<std::unique_ptr<StoredDataset>> StoredDataset::Open(const std::string& path, Progress* progress,
                                                                   const std::string& members) {
  struct stat found;
  if (stat(path.c_str(), &found) != 0) {
    const absl::Status error = ErrnoStatus(errno, ShortName(path));
    if (absl::IsNotFound(error)) return absl::NotFoundError(absl::StrCat(ShortName(path), ": no such file or folder"));
    return error;
  }
  if (progress != nullptr) progress->Do("lists images");
  if (S_ISDIR(found.st_mode)) return OpenFolder(path, members, progress);
  if (S_ISREG(found.st_mode) && absl::EndsWith(path, ".tar"))
    return OpenTars(path, {path}, PassedOverTally(), members, progress);
  return absl::InvalidArgumentError(absl::StrCat(ShortName(path), ": ",
                                                 S_ISREG(found.st_mode) ? "" : "a pipe, socket or device: ",
                                                 "neither a folder nor a .tar; images come as a folder, a tree of "
                                                 "class folders, one .tar, or a folder of .tar shards"));
}

}  // namespace mimeo
