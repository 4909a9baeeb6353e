#include "base/metrics_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>
#include <set>
#include <thread>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"

namespace mimeo {
namespace {

using Labels = Metrics::Labels;

// The series of one metric. prometheus-cpp hands out references that live until Remove: the map is what Remove needs.
template <typename Metric>
struct Series {
  prometheus::Family<Metric>* family = nullptr;
  std::map<Labels, Metric*> by_labels;

  template <typename... Args>
  Metric& At(const Labels& labels, Args&&... args) {
    Metric*& metric = by_labels[labels];
    if (metric == nullptr) metric = &family->Add(labels, std::forward<Args>(args)...);
    return *metric;
  }

  void Forget(const std::string& label, const std::string& value) {
    for (auto it = by_labels.begin(); it != by_labels.end();) {
      const auto found = it->first.find(label);
      if (found == it->first.end() || found->second != value) {
        ++it;
        continue;
      }
      family->Remove(it->second);
      it = by_labels.erase(it);
    }
  }
};

void CheckLabels(const MetricDefinition& metric, const Labels& labels) {
  const std::set<std::string> wanted(metric.labels.begin(), metric.labels.end());
  bool equal = wanted.size() == labels.size();
  for (const auto& [label, value] : labels) equal = equal && wanted.count(label) == 1;
  if (!equal) ABSL_RAW_LOG(FATAL, "metric %s is given other labels than the catalogue's", metric.name);
}

std::string LabelText(const std::string& value) { return ToText(value, limits::kShortReasonBytes); }

Labels LabelTexts(Labels labels) {
  for (auto& [label, value] : labels) value = LabelText(value);
  return labels;
}

// Opens and closes a connection to a server of this process.
void Connect(const std::string& host, int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  (void)result;  // the attempt alone wakes the server
  close(fd);
}

// civetweb looks whether it should stop only every 2 s, or when a connection comes.
void Stop(std::unique_ptr<prometheus::Exposer> exposer, const std::string& host, int port) {
  absl::Mutex mu;
  bool stopped = false;
  std::thread stopper([&] {
    exposer.reset();
    absl::MutexLock lock(&mu);
    stopped = true;
  });
  {
    absl::MutexLock lock(&mu);
    Clock* const clock = Clock::Real();
    while (!clock->Await(&mu, absl::Condition(&stopped), clock->Now() + absl::Milliseconds(5))) Connect(host, port);
  }
  stopper.join();
}

}  // namespace

struct Metrics::Impl {
  explicit Impl(MetricOwner owner_in) : owner(owner_in) {}

  // The definition of a metric that this process may set, as a metric of `kind`.
  const MetricDefinition& Checked(const std::string& name, MetricKind kind, const Labels& labels) const {
    const MetricDefinition& metric = FindMetric(name);
    if (metric.kind != kind) ABSL_RAW_LOG(FATAL, "metric %s is used as another kind than the catalogue's", metric.name);
    if (metric.owner != owner) ABSL_RAW_LOG(FATAL, "metric %s belongs to another process", metric.name);
    CheckLabels(metric, labels);
    return metric;
  }

  const MetricOwner owner;
  const std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  absl::Mutex mu;
  std::map<std::string, Series<prometheus::Counter>> counters ABSL_GUARDED_BY(mu);
  std::map<std::string, Series<prometheus::Gauge>> gauges ABSL_GUARDED_BY(mu);
  std::map<std::string, Series<prometheus::Histogram>> histograms ABSL_GUARDED_BY(mu);
  std::map<std::pair<std::string, Labels>, double> totals ABSL_GUARDED_BY(mu);  // newest given to SetTotal
  std::unique_ptr<prometheus::Exposer> exposer;
  std::string host;
  int port = 0;
};

Metrics::Metrics(MetricOwner owner) : impl_(new Impl(owner)) {
  absl::MutexLock lock(&impl_->mu);
  for (const MetricDefinition& metric : MetricCatalog()) {
    if (metric.owner != owner) continue;
    prometheus::Registry& registry = *impl_->registry;
    if (metric.kind == MetricKind::kCounter) {
      Series<prometheus::Counter>& series = impl_->counters[metric.name];
      series.family = &prometheus::BuildCounter().Name(metric.name).Help(metric.help).Register(registry);
      if (metric.labels.empty()) series.At({});
    } else if (metric.kind == MetricKind::kGauge) {
      Series<prometheus::Gauge>& series = impl_->gauges[metric.name];
      series.family = &prometheus::BuildGauge().Name(metric.name).Help(metric.help).Register(registry);
      if (metric.labels.empty()) series.At({});
    } else {
      Series<prometheus::Histogram>& series = impl_->histograms[metric.name];
      series.family = &prometheus::BuildHistogram().Name(metric.name).Help(metric.help).Register(registry);
      if (metric.labels.empty()) series.At({}, metric.buckets);
    }
  }
}

Metrics::~Metrics() {
  if (impl_->exposer != nullptr) Stop(std::move(impl_->exposer), impl_->host, impl_->port);
}

void Metrics::Add(const std::string& name, double by, const Labels& labels) {
  impl_->Checked(name, MetricKind::kCounter, labels);
  absl::MutexLock lock(&impl_->mu);
  impl_->counters[name].At(LabelTexts(labels)).Increment(by);
}

void Metrics::SetTotal(const std::string& name, double total, const Labels& labels) {
  impl_->Checked(name, MetricKind::kCounter, labels);
  absl::MutexLock lock(&impl_->mu);
  const Labels texts = LabelTexts(labels);
  double& before = impl_->totals[{name, texts}];
  impl_->counters[name].At(texts).Increment(total >= before ? total - before : total);
  before = total;
}

void Metrics::Set(const std::string& name, double value, const Labels& labels) {
  impl_->Checked(name, MetricKind::kGauge, labels);
  absl::MutexLock lock(&impl_->mu);
  impl_->gauges[name].At(LabelTexts(labels)).Set(value);
}

void Metrics::Observe(const std::string& name, double value, const Labels& labels) {
  const MetricDefinition& metric = impl_->Checked(name, MetricKind::kHistogram, labels);
  absl::MutexLock lock(&impl_->mu);
  impl_->histograms[name].At(LabelTexts(labels), metric.buckets).Observe(value);
}

void Metrics::Forget(const std::string& label, const std::string& value) {
  const std::string text = LabelText(value);
  absl::MutexLock lock(&impl_->mu);
  for (auto& entry : impl_->counters) entry.second.Forget(label, text);
  for (auto& entry : impl_->gauges) entry.second.Forget(label, text);
  for (auto& entry : impl_->histograms) entry.second.Forget(label, text);
  for (auto it = impl_->totals.begin(); it != impl_->totals.end();) {
    const auto found = it->first.second.find(label);
    const bool gone = found != it->first.second.end() && found->second == text;
    it = gone ? impl_->totals.erase(it) : std::next(it);
  }
}

std::string Metrics::Text() const { return prometheus::TextSerializer().Serialize(impl_->registry->Collect()); }

absl::StatusOr<int> Metrics::Serve(const std::string& host, int port) {
  const std::string address = absl::StrCat(host, ":", port);
  try {  // civetweb's wrapper throws
    impl_->exposer = std::make_unique<prometheus::Exposer>(address, /*num_threads=*/2);
    impl_->exposer->RegisterCollectable(impl_->registry);
    impl_->host = host;
    impl_->port = impl_->exposer->GetListeningPorts().at(0);
    return impl_->port;
  } catch (const std::exception& error) {
    impl_->exposer.reset();
    return absl::UnavailableError(absl::StrCat("cannot serve metrics at ", address, ": ", error.what()));
  }
}

}  // namespace mimeo
