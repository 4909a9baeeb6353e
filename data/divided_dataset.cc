#include "data/divided_dataset.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/status_macros.h"
#include "data/content_digest.h"
#include "data/sample_name.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

using Digests = std::vector<std::optional<absl::uint128>>;

// Of the whole, of what its images hold, and of which of them are in the part.
std::string DigestOf(const std::vector<int64_t>& part, const StoredDataset& whole, const Digests& digests) {
  Sha256Stream stream;
  stream.Update(whole.digest());
  for (const std::optional<absl::uint128>& digest : digests) {
    stream.Update(digest.has_value() ? absl::StrCat("\n", absl::Hex(absl::Uint128High64(*digest)), " ",
                                                    absl::Hex(absl::Uint128Low64(*digest)))
                                     : "\n-");
  }
  for (const int64_t sample : part) stream.Update(absl::StrCat("\n", sample));
  return absl::BytesToHexString(stream.Finish());
}

absl::Status NoneHeldOut(const StoredDataset& whole, double share, const Digests& digests) {
  std::optional<absl::uint128> least;
  for (const std::optional<absl::uint128>& digest : digests) {
    if (digest.has_value() && (!least.has_value() || *digest < *least)) least = digest;
  }
  const std::string next = least.has_value() && LeastShare(*least) <= 0.5
                               ? absl::StrCat("; a share of ", LeastShare(*least), " holds out one at least")
                               : "";
  return absl::InvalidArgumentError(absl::StrCat("a share of ", share, " holds out none of the ", whole.size(),
                                                 " images of ", ShortName(whole.root()),
                                                 ": which ones is decided by their bytes alone", next));
}

}  // namespace

class DividedDataset::PartDataset final : public Dataset {
 public:
  PartDataset(std::shared_ptr<const StoredDataset> whole, std::shared_ptr<const Part> part)
      : whole_(std::move(whole)), part_(std::move(part)) {}

  int64_t size() const override { return static_cast<int64_t>(part_->samples.size()); }
  const std::string& name(int64_t sample) const override { return whole_->name(part_->samples[sample]); }
  absl::StatusOr<std::string> Read(int64_t sample) const override { return whole_->Read(part_->samples[sample]); }
  int label(int64_t sample) const override { return whole_->label(part_->samples[sample]); }
  const std::vector<std::string>& class_names() const override { return whole_->class_names(); }
  const DataContents& contents() const override { return part_->contents; }
  const std::string& digest() const override { return part_->digest; }

 private:
  const std::shared_ptr<const StoredDataset> whole_;
  const std::shared_ptr<const Part> part_;
};

absl::StatusOr<DividedDataset> DividedDataset::Divide(std::unique_ptr<const StoredDataset> whole, double share,
                                                      Progress* progress) {
  ASSIGN_OR_RETURN(const Digests digests, ContentDigests(*whole, progress));
  auto training = std::make_shared<Part>(), held_out = std::make_shared<Part>();
  for (int64_t sample = 0; sample < whole->size(); ++sample) {
    // What cannot be read now may be readable in an hour, and nobody knows on which side it would be.
    if (!digests[sample].has_value()) continue;
    (IsHeldOut(*digests[sample], share) ? held_out : training)->samples.push_back(sample);
  }
  if (held_out->samples.empty()) return NoneHeldOut(*whole, share, digests);
  if (training->samples.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("a share of ", share, " holds out all ", held_out->samples.size(),
                                                   " images of ", ShortName(whole->root()),
                                                   " that can be read, and none is left to train on"));
  }
  training->contents = whole->contents();
  for (Part* const part : {training.get(), held_out.get()}) {
    part->contents.set_num_samples(static_cast<int64_t>(part->samples.size()));
    part->digest = DigestOf(part->samples, *whole, digests);
  }
  const auto neither = std::count(digests.begin(), digests.end(), std::nullopt);
  const std::string note =
      neither == 0 ? ""
                   : absl::StrCat(neither, " images that this user may not read are neither trained on nor held out");
  if (neither > 0) training->contents.add_notes(note);
  spdlog::info("data {}: {} of {} images are held out{}{}", ShortName(whole->root()), held_out->samples.size(),
               whole->size(), neither > 0 ? "; " : "", note);
  DividedDataset divided(std::move(whole));
  divided.training_ = std::move(training);
  divided.held_out_ = std::move(held_out);
  return divided;
}

std::unique_ptr<Dataset> DividedDataset::Open(const std::shared_ptr<const Part>& part) const {
  return std::make_unique<PartDataset>(whole_, part);
}

std::unique_ptr<Dataset> DividedDataset::Training() const { return Open(training_); }
std::unique_ptr<Dataset> DividedDataset::HeldOut() const { return Open(held_out_); }

}  // namespace mimeo
