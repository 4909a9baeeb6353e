// The metrics of a process, and the HTTP endpoint /metrics from which Prometheus reads them (by prometheus-cpp). Nobody
// waits for Prometheus: a call sets a number in memory under a short lock. Thread-safe; Serve is called once.
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
  // Every metric of `owner` that has no labels exists from the start with value 0. So where one is missing, the process
  // is broken. A series with labels exists from its first value on.
  explicit Metrics(MetricOwner owner);
  ~Metrics();

  // The values of labels, by the labels' names. A value may be any bytes: it is made text (base/text.h) of at most
  // limits::kShortReasonBytes, because one value that is not UTF-8 makes Prometheus refuse the whole page.
  using Labels = std::map<std::string, std::string>;
  // For all four of these: `name` must be in the catalogue with this kind, owner and names of labels. Anything else is
  // a fault of this program and ends it. Add is for counters, and `by` must not be negative.
  void Add(const std::string& name, double by = 1, const Labels& labels = {});
  // For a counter whose running total another process keeps, such as a rank: the counter grows by as much as `total`
  // grew since the last call. A `total` that is smaller than the last one means that the other process began anew, and
  // is added whole.
  void SetTotal(const std::string& name, double total, const Labels& labels = {});
  void Set(const std::string& name, double value, const Labels& labels = {});      // gauges
  void Observe(const std::string& name, double value, const Labels& labels = {});  // histograms
  // Deletes every series that has this value of this label, such as all of a job that has ended. Otherwise a process
  // that lives for months would serve every job that it ever saw.
  void Forget(const std::string& label, const std::string& value);

  // The page that /metrics serves, in Prometheus' text format.
  std::string Text() const;

  // Serves http://ADDRESS/metrics on threads of its own until this object is destroyed. Returns `address` with the port
  // that was bound. Unavailable: it cannot listen there, in most cases because the port is taken.
  absl::StatusOr<Address> Serve(const Address& address);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mimeo
