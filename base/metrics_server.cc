#include "base/metrics_server.h"

#include <netdb.h>
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
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/check.h"
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
  MIMEO_CHECK(equal, "metric ", metric.name, " is given other labels than the catalogue's");
}

std::string LabelText(const std::string& value) { return ToText(value, limits::kShortReasonBytes); }

Labels LabelTexts(Labels labels) {
  for (auto& [label, value] : labels) value = LabelText(value);
  return labels;
}

// Opens and closes a connection to a server of this process.
void Connect(const Address& address) {
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &found) != 0) return;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0) {
    const int result = connect(fd, found->ai_addr, found->ai_addrlen);
    (void)result;  // the attempt alone wakes the server
    close(fd);
  }
  freeaddrinfo(found);
}

// civetweb looks whether it should stop only every 2 s, or when a connection comes.
void Stop(std::unique_ptr<prometheus::Exposer> exposer, const Address& address) {
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
    while (!clock->Await(&mu, absl::Condition(&stopped), clock->Now() + absl::Milliseconds(5))) Connect(address);
  }
  stopper.join();
}

}  // namespace

struct Metrics::Impl {
  explicit Impl(MetricOwner owner_in) : owner(owner_in) {}

  // The definition of a metric that this process may set, as a metric of `kind`.
  const MetricDefinition& Checked(const std::string& name, MetricKind kind, const Labels& labels) const {
    const MetricDefinition& metric = FindMetric(name);
    MIMEO_CHECK(metric.kind == kind, "metric ", name, " is used as another kind than the catalogue's");
    MIMEO_CHECK(metric.owner == owner, "metric ", name, " belongs to another process");
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
  Address address;
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
  if (impl_->exposer != nullptr) Stop(std::move(impl_->exposer), impl_->address);
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

absl::StatusOr<Address> Metrics::Serve(const Address& address) {
  try {  // civetweb's wrapper throws
    // A connection holds a thread for as long as it lives, also one that asks nothing. So there are more threads than
    // anybody needs, one that is silent is soon closed, and an answer ends its connection.
    impl_->exposer = std::make_unique<prometheus::Exposer>(
        std::vector<std::string>{"listening_ports", address.ToString(), "num_threads", "32", "request_timeout_ms",
                                 "2000", "enable_keep_alive", "no"});
    impl_->exposer->RegisterCollectable(impl_->registry);
    impl_->address = address.WithPort(impl_->exposer->GetListeningPorts().at(0));
    return impl_->address;
  } catch (const std::exception& error) {
    impl_->exposer.reset();
    return absl::UnavailableError(absl::StrCat("cannot serve metrics at ", address.ToString(), ": ", error.what()));
  }
}

}  // namespace mimeo
