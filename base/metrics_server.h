// The /metrics endpoint of a process (prometheus-cpp) and its values. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/metric_catalog.h"

namespace mimeo {

class Metrics {
 public:
  // Every unlabelled metric of `owner` exists from the start with value 0, so that its absence means a broken process.
  // A labelled series exists once it was set.
  explicit Metrics(MetricOwner owner);
  ~Metrics();

  // Values are made text (base/text.h, at most limits::kShortReasonBytes): the exposition format is UTF-8, and one
  // value that is not spoils the whole page for its reader.
  using Labels = std::map<std::string, std::string>;
  // CHECK: the name is in the catalogue, with this kind, owner and label names.
  void Add(const std::string& name, double by = 1, const Labels& labels = {});
  // A counter whose running total another process keeps (a rank): it grows by what `total` grew since the last call. A
  // smaller `total` means that the other process began anew, and is added whole.
  void SetTotal(const std::string& name, double total, const Labels& labels = {});
  void Set(const std::string& name, double value, const Labels& labels = {});      // gauges
  void Observe(const std::string& name, double value, const Labels& labels = {});  // histograms
  // Forgets every series that carries `label` = `value` (a job that ended).
  void Forget(const std::string& label, const std::string& value);

  // The text exposition format, as /metrics serves it.
  std::string Text() const;

  // Serves http://ADDRESS/metrics until destroyed. Returns the address with the port that was bound. Unavailable: the
  // port is taken.
  absl::StatusOr<Address> Serve(const Address& address);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mimeo
