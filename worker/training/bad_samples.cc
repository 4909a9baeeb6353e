#include "worker/training/bad_samples.h"

#include <ATen/ops/zeros.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "data/decode.h"
#include "data/sample_name.h"

namespace mimeo {
namespace {

constexpr int kNamed = 10;
constexpr int kNamedInRow = 3;
constexpr size_t kReasonBytes = 160;  // of one sample: ten, with their names, fit into a reason

std::string WhyBad(const Dataset& dataset, int64_t sample, int64_t max_pixels) {
  const absl::StatusOr<std::string> bytes = dataset.Read(sample);
  const absl::Status read = bytes.ok() ? DecodeImage(*bytes, max_pixels).status() : bytes.status();
  return read.ok() ? "can be decoded by now" : ToText(read.message(), kReasonBytes);
}

}  // namespace

BadSamples::BadSamples(const Dataset* dataset, const DataSpec& data, std::set<int64_t> known)
    : dataset_(dataset), data_(data), all_(std::move(known)) {}

std::vector<int64_t> BadSamples::NewAmong(const std::vector<int64_t>& met) const {
  std::set<int64_t> fresh;
  for (const int64_t sample : met) {
    if (all_.count(sample) == 0) fresh.insert(sample);
  }
  return {fresh.begin(), fresh.end()};
}

absl::Status BadSamples::Share(const std::vector<int64_t>& own, Gang* gang) {
  // Of each rank: how many it met; then a vector in which each rank has its own place, and adds nothing to those of the
  // others.
  at::Tensor counts = at::zeros({gang->size()}, at::kDouble);
  counts.mutable_data_ptr<double>()[gang->rank()] = static_cast<double>(own.size());
  RETURN_IF_ERROR(gang->Sum(counts));
  int64_t before = 0, total = 0;
  for (int rank = 0; rank < gang->size(); ++rank) {
    if (rank == gang->rank()) before = total;
    total += static_cast<int64_t>(counts.const_data_ptr<double>()[rank]);
  }
  at::Tensor samples = at::zeros({total}, at::kDouble);  // exact far above any number of samples
  for (size_t i = 0; i < own.size(); ++i) samples.mutable_data_ptr<double>()[before + i] = static_cast<double>(own[i]);
  RETURN_IF_ERROR(gang->Sum(samples));
  for (int64_t i = 0; i < total; ++i) all_.insert(static_cast<int64_t>(samples.const_data_ptr<double>()[i]));
  return absl::OkStatus();
}

PassedOver BadSamples::Row() {
  PassedOver row;
  row.set_reason("images that cannot be decoded");
  row.set_count(static_cast<int64_t>(all_.size()));
  for (auto sample = all_.begin(); sample != all_.end() && row.names_size() < kNamedInRow; ++sample) {
    std::string& text = named_[*sample];
    if (text.empty()) {
      text = absl::StrCat(ShortName(dataset_->name(*sample)), ": ", WhyBad(*dataset_, *sample, data_.max_pixels()));
    }
    row.add_names(text);
  }
  return row;
}

absl::Status BadSamples::Check(bool enough_good) const {
  const auto count = static_cast<int64_t>(all_.size());
  if (count <= data_.max_bad_samples() && enough_good) return absl::OkStatus();
  std::string message =
      absl::StrCat(count, " of ", dataset_->size(), " samples cannot be decoded",
                   enough_good || count > data_.max_bad_samples() ? "" : ", and a row has no other in its place",
                   "; data.max_bad_samples is ", data_.max_bad_samples(), ". The first:");
  int named = 0;
  for (auto sample = all_.begin(); sample != all_.end() && named < kNamed; ++sample, ++named) {
    absl::StrAppend(&message, "\n  ", ShortName(dataset_->name(*sample)), ": ",
                    WhyBad(*dataset_, *sample, data_.max_pixels()));
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace mimeo
