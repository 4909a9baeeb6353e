#include "data/spread_sample.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "base/digest.h"

namespace mimeo {
namespace {

struct Item {
  std::string hash;  // of its name; the digest alone, so that many names cost little
  int64_t index = 0;
  friend bool operator<(const Item& a, const Item& b) { return std::tie(a.hash, a.index) < std::tie(b.hash, b.index); }
};

struct Share {
  std::vector<Item> items;  // of one class, ascending
  size_t taken = 0;
  int64_t remainder = 0;  // of its share; the largest are rounded up
};

// Of equal remainders the class whose next item has the smallest hash: not the one that is first by name. Each has a
// next item: a part of them all is taken.
bool RoundsUpFirst(const Share* a, const Share* b) {
  if (a->remainder != b->remainder) return a->remainder > b->remainder;
  return a->items[a->taken] < b->items[b->taken];
}

}  // namespace

std::vector<int64_t> SpreadOver(const std::vector<int>& labels, const std::vector<std::string>& names, int64_t most) {
  const auto all = static_cast<int64_t>(labels.size());
  std::vector<int64_t> taken(labels.size());
  std::iota(taken.begin(), taken.end(), 0);
  if (all <= most) return taken;
  std::map<int, Share> classes;
  for (const int64_t i : taken) classes[labels[i]].items.push_back({Sha256(names[i]), i});
  std::vector<Share*> shares;
  int64_t left = most;
  for (auto& [label, share] : classes) {
    std::sort(share.items.begin(), share.items.end());
    const auto size = static_cast<int64_t>(share.items.size());
    share.taken = static_cast<size_t>(size * most / all);
    share.remainder = size * most % all;
    left -= static_cast<int64_t>(share.taken);
    shares.push_back(&share);
  }
  std::sort(shares.begin(), shares.end(), RoundsUpFirst);
  for (int64_t i = 0; i < left; ++i) ++shares[i]->taken;
  taken.clear();
  for (const Share* share : shares) {
    for (size_t i = 0; i < share->taken; ++i) taken.push_back(share->items[i].index);
  }
  std::sort(taken.begin(), taken.end());
  return taken;
}

std::vector<int64_t> SpreadSample(const Dataset& dataset, const std::vector<int64_t>& samples, int64_t most) {
  if (most == 0 || static_cast<int64_t>(samples.size()) <= most) return samples;
  std::vector<int> labels;
  std::vector<std::string> names;
  for (const int64_t sample : samples) {
    labels.push_back(dataset.label(sample));
    names.push_back(dataset.name(sample));
  }
  std::vector<int64_t> chosen = SpreadOver(labels, names, most);
  for (int64_t& sample : chosen) sample = samples[sample];
  return chosen;
}

std::vector<int64_t> AllSamples(const Dataset& dataset) {
  std::vector<int64_t> samples(dataset.size());
  std::iota(samples.begin(), samples.end(), 0);
  return samples;
}

std::vector<int64_t> LabelledAmong(const Dataset& dataset, const std::vector<int64_t>& samples) {
  std::vector<int64_t> labelled;
  for (const int64_t sample : samples) {
    if (dataset.label(sample) >= 0) labelled.push_back(sample);
  }
  return labelled;
}

}  // namespace mimeo
