#include "data/survey.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/digest.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "data/content_digest.h"
#include "data/decode.h"
#include "data/sample_name.h"
#include "data/spread_sample.h"
#include "data/stored_dataset.h"

namespace mimeo {
namespace {

using Digests = std::vector<std::optional<absl::uint128>>;

constexpr int64_t kMaxPixels = 100000000;  // data.max_pixels, unless a recipe says something else
constexpr int64_t kTriedFirst = 8;         // images by which it is estimated how large they are
constexpr int kColour = 8;                 // of 255: what the channels of a grey pixel differ by in a JPEG
constexpr int kBrokenNamed = 5;

// What was found in one image.
struct Look {
  int64_t sample = 0;
  ImageSize size;
  bool grey = false;
  std::string fault;  // empty: it was decoded
};

bool IsGrey(const Pixels& pixels) {
  for (size_t i = 0; i + 2 < pixels.rgb.size(); i += 3) {
    const auto [least, most] = std::minmax({pixels.rgb[i], pixels.rgb[i + 1], pixels.rgb[i + 2]});
    if (most - least > kColour) return false;
  }
  return true;
}

// Decodes images on as many threads as there are cores.
class Looking {
 public:
  Looking(const StoredDataset& dataset, const std::vector<int64_t>& samples) : dataset_(dataset) {
    for (const int64_t sample : samples) looks_.emplace_back().sample = sample;
  }

  absl::StatusOr<std::vector<Look>> Go() ABSL_LOCKS_EXCLUDED(mu_) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
      threads.emplace_back([this] { Decode(); });
    }
    for (std::thread& thread : threads) thread.join();
    absl::MutexLock lock(&mu_);
    if (!error_.ok()) return error_;
    return std::move(looks_);
  }

 private:
  void Decode() ABSL_LOCKS_EXCLUDED(mu_) {
    for (size_t next = next_++; next < looks_.size(); next = next_++) {
      const absl::Status status = DecodeOne(&looks_[next]);
      if (absl::IsInvalidArgument(status) || absl::IsDataLoss(status)) {
        looks_[next].fault = std::string(status.message());
      } else if (!status.ok()) {
        absl::MutexLock lock(&mu_);
        error_.Update(status);
      }
    }
  }

  absl::Status DecodeOne(Look* look) const {
    ASSIGN_OR_RETURN(const std::string encoded, dataset_.Read(look->sample));
    ASSIGN_OR_RETURN(const Pixels pixels, DecodeImage(encoded, kMaxPixels));
    look->size = {pixels.width, pixels.height};
    look->grey = IsGrey(pixels);
    return absl::OkStatus();
  }

  const StoredDataset& dataset_;
  std::vector<Look> looks_;  // each element is one thread's
  std::atomic<size_t> next_{0};
  absl::Mutex mu_;
  absl::Status error_ ABSL_GUARDED_BY(mu_);
};

absl::StatusOr<std::vector<Look>> LookAt(const StoredDataset& dataset, int64_t most) {
  if (most <= 0) return std::vector<Look>();
  return Looking(dataset, SpreadSample(dataset, AllSamples(dataset), most)).Go();
}

// Of a few images it is known first how large they are, and by that how many may be decoded.
absl::StatusOr<std::vector<Look>> LookAtSome(const StoredDataset& dataset, const SurveyOptions& options) {
  const int64_t first = std::min(kTriedFirst, options.looked_at);
  ASSIGN_OR_RETURN(std::vector<Look> looks, LookAt(dataset, first));
  int64_t pixels = 0;
  for (const Look& look : looks) pixels += int64_t{look.size.width} * look.size.height;
  const int64_t fit = static_cast<int64_t>(looks.size()) * options.decoded_pixels / std::max<int64_t>(1, pixels);
  const int64_t most = std::min(fit, options.looked_at);
  if (most <= first) return looks;
  return LookAt(dataset, most);
}

DatasetSurvey::Spread SpreadOf(std::vector<int> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

void AddLooks(const StoredDataset& dataset, const std::vector<Look>& looks, DatasetSurvey* survey) {
  std::vector<int> widths, heights;
  int64_t grey = 0;
  survey->looked_at = static_cast<int64_t>(looks.size());
  survey->undecodable.set_reason("images that cannot be decoded");
  for (const Look& look : looks) {
    if (look.fault.empty()) {
      widths.push_back(look.size.width);
      heights.push_back(look.size.height);
      grey += look.grey ? 1 : 0;
      continue;
    }
    survey->undecodable.set_count(survey->undecodable.count() + 1);
    if (survey->undecodable.names_size() == kBrokenNamed) continue;
    survey->undecodable.add_names(absl::StrCat(ShortName(dataset.name(look.sample)), ": ", ToText(look.fault)));
  }
  if (!widths.empty()) survey->grey = static_cast<double>(grey) / static_cast<double>(widths.size());
  survey->width = SpreadOf(std::move(widths));
  survey->height = SpreadOf(std::move(heights));
}

std::string KindOf(const StoredDataset& dataset, bool labelled) {
  struct stat found;
  if (!dataset.in_tars()) return labelled ? "class folders" : "folder";
  return stat(dataset.root().c_str(), &found) == 0 && S_ISDIR(found.st_mode) ? "tar shards" : "tar";
}

void AddClasses(const StoredDataset& dataset, DatasetSurvey* survey) {
  std::vector<int64_t> counts(dataset.class_names().size());
  for (const int64_t sample : LabelledAmong(dataset, AllSamples(dataset))) ++counts[dataset.label(sample)];
  for (size_t i = 0; i < counts.size(); ++i) {
    survey->labelled += counts[i];
    if (counts[i] > 0) survey->classes.emplace_back(ToText(dataset.class_names()[i]), counts[i]);
  }
  std::stable_sort(survey->classes.begin(), survey->classes.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
}

// Counts the groups of equal images among those of one content digest. Their ends are equal, so what tells them apart
// lies between, if anything does; only so many bytes are read for that.
class Comparison {
 public:
  Comparison(const StoredDataset& dataset, int64_t compared_bytes) : dataset_(dataset), left_bytes_(compared_bytes) {}

  absl::Status Add(const std::vector<int64_t>& alike, DatasetSurvey* survey) {
    std::map<std::string, int64_t> equal;  // images, by the digest of all bytes
    std::string first;
    for (const int64_t sample : alike) {
      ASSIGN_OR_RETURN(const std::string digest, DigestOf(sample));
      if (sample == alike.front()) first = digest;
      ++equal[digest.empty() ? first : digest];
    }
    for (const auto& [digest, images] : equal) {
      if (images < 2) continue;
      ++survey->duplicate_groups;
      survey->duplicate_images += images - 1;
    }
    return absl::OkStatus();
  }
  int64_t believed() const { return believed_; }  // images that were not read whole

 private:
  // Empty: it is taken for equal to the first one.
  absl::StatusOr<std::string> DigestOf(int64_t sample) {
    const int64_t bytes = dataset_.bytes(sample);
    if (bytes <= 2 * kDigestedEndBytes) return std::string();  // the ends are all of it
    if (bytes > left_bytes_) {
      ++believed_;
      return std::string();
    }
    left_bytes_ -= bytes;
    const absl::StatusOr<std::string> encoded = dataset_.Read(sample);
    if (absl::IsDataLoss(encoded.status())) return std::string();  // it is too large to be a sample
    RETURN_IF_ERROR(encoded.status());
    return Sha256(*encoded);
  }

  const StoredDataset& dataset_;
  int64_t left_bytes_;
  int64_t believed_ = 0;
};

absl::Status AddDuplicates(const StoredDataset& dataset, const Digests& digests, int64_t compared_bytes,
                           DatasetSurvey* survey) {
  std::map<absl::uint128, std::vector<int64_t>> by_digest;
  for (int64_t sample = 0; sample < dataset.size(); ++sample) {
    if (digests[sample].has_value()) by_digest[*digests[sample]].push_back(sample);
  }
  Comparison comparison(dataset, compared_bytes);
  for (const auto& [digest, alike] : by_digest) {
    if (alike.size() > 1) RETURN_IF_ERROR(comparison.Add(alike, survey));
  }
  if (comparison.believed() > 0) {
    survey->contents.add_notes(absl::StrCat(comparison.believed(),
                                            " images are taken for equal to others by their size and their ends alone; "
                                            "they were too many to compare whole"));
  }
  return absl::OkStatus();
}

DatasetSurvey::HeldOut HeldOutOf(const StoredDataset& dataset, const Digests& digests, double share) {
  DatasetSurvey::HeldOut held_out;
  std::set<int> classes;
  std::optional<absl::uint128> first;  // to be held out, as the share grows
  for (int64_t sample = 0; sample < dataset.size(); ++sample) {
    if (!digests[sample].has_value()) continue;
    first = std::min(first.value_or(*digests[sample]), *digests[sample]);
    if (!IsHeldOut(*digests[sample], share)) continue;
    ++held_out.images;
    if (dataset.label(sample) < 0) continue;
    ++held_out.labelled;
    classes.insert(dataset.label(sample));
  }
  if (first.has_value()) held_out.least_share = LeastShare(*first);
  held_out.classes = static_cast<int64_t>(classes.size());
  return held_out;
}

}  // namespace

absl::StatusOr<DatasetSurvey> TakeSurvey(const std::string& path, const SurveyOptions& options) {
  ASSIGN_OR_RETURN(const auto dataset, StoredDataset::Open(path, nullptr, options.members));
  DatasetSurvey survey;
  survey.images = dataset->size();
  survey.contents = dataset->contents();
  AddClasses(*dataset, &survey);
  survey.kind = KindOf(*dataset, survey.labelled > 0);
  ASSIGN_OR_RETURN(const Digests digests, ContentDigests(*dataset, nullptr));
  RETURN_IF_ERROR(AddDuplicates(*dataset, digests, options.compared_bytes, &survey));
  if (options.hold_out > 0) survey.held_out = HeldOutOf(*dataset, digests, options.hold_out);
  ASSIGN_OR_RETURN(const std::vector<Look> looks, LookAtSome(*dataset, options));
  AddLooks(*dataset, looks, &survey);
  return survey;
}

}  // namespace mimeo
