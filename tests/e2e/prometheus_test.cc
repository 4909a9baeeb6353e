// A real Prometheus scrapes every process of a training cluster: every target is up, every name of the catalogue has a
// sample.
#include <gtest/gtest.h>
#include <httplib.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/metric_catalog.h"
#include "base/rpc/rpc.h"
#include "base/subprocess.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

// Prometheus does not say which port it bound, so it gets one that was free a moment ago.
int FreePort() {
  const auto server = RpcServer::Start(ChannelOptions(), "127.0.0.1:0", {});
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? (*server)->port() : 0;
}

// Prometheus with one scrape a second; asks it until it has what is wanted.
class Prometheus {
 public:
  Prometheus(const std::string& dir, const std::vector<std::string>& targets) {
    EXPECT_TRUE(
        WriteFileAtomic(
            dir + "/prometheus.yml",
            absl::StrCat("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: mimeo\n  honor_labels: true\n",
                         "  static_configs: [{targets: ['", absl::StrJoin(targets, "','"), "']}]\n"))
            .ok());
    Subprocess::Options options;
    port_ = FreePort();
    options.argv = {"/usr/bin/prometheus", "--config.file=" + dir + "/prometheus.yml",
                    "--storage.tsdb.path=" + dir + "/prometheus",
                    absl::StrCat("--web.listen-address=127.0.0.1:", port_)};
    options.output_path = dir + "/prometheus.log";
    auto child = Subprocess::Start(options);
    EXPECT_TRUE(child.ok()) << child.status();
    if (child.ok()) child_ = *std::move(child);
  }

  // The instant query's result, or an empty list while it does not answer.
  nlohmann::json Query(const std::string& promql) {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(2);
    const auto reply = client.Get("/api/v1/query", httplib::Params{{"query", promql}}, httplib::Headers());
    if (!reply || reply->status != 200) return nlohmann::json::array();
    return nlohmann::json::parse(reply->body)["data"]["result"];
  }

  // Asks again after each scrape interval, until `enough` says yes or a minute is over.
  bool Until(const std::function<bool()>& enough) {
    const absl::Time deadline = Clock::Real()->Now() + absl::Minutes(1);
    while (Clock::Real()->Now() < deadline) {
      if (enough()) return true;
      // Waits for a second, or for Prometheus's untimely end.
      if (child_->Wait(Clock::Real()->Now() + absl::Seconds(1)).ok()) return false;
    }
    return false;
  }

 private:
  int port_ = 0;
  std::unique_ptr<Subprocess> child_;
};

TEST(PrometheusTest, EveryTargetIsUpAndEveryNameOfTheCatalogueHasASample) {
  LocalCluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("w0");
  const std::string first = cluster.Submit(TinyJob(1, 2));
  cluster.AwaitSuccess(first);
  const std::string weights = cluster.dir() + "/weights";
  cluster.Mimeo({"export", first, "--to", "hf", "--out", weights});
  cluster.StartTeacher("frozen", weights);
  JobSpec spec = TinyJob(1, 2000);
  AddMimic("frozen", &spec);
  AddContrast(&spec);
  const std::string job = cluster.Submit(spec);
  cluster.Await(job, "a checkpoint", [](const Job& now) { return now.checkpoint_step() >= 10; });

  Prometheus prometheus(cluster.dir(), {cluster.metrics_address("coordinator"), cluster.metrics_address("w0"),
                                        cluster.metrics_address("frozen")});
  EXPECT_TRUE(prometheus.Until([&] { return prometheus.Query("up == 1").size() == 3; }))
      << prometheus.Query("up").dump();
  std::set<std::string> missing;
  const bool complete = prometheus.Until([&] {
    missing.clear();
    for (const MetricDefinition& metric : MetricCatalog()) {
      const std::string name =
          metric.kind == MetricKind::kHistogram ? absl::StrCat(metric.name, "_count") : metric.name;
      if (prometheus.Query(name).empty()) missing.insert(name);
    }
    return missing.empty();
  });
  EXPECT_TRUE(complete) << "no sample of: " << absl::StrJoin(missing, ", ");
  const nlohmann::json step = prometheus.Query(absl::StrCat("mimeo_worker_step{job=\"", job, "\"}"));
  ASSERT_EQ(step.size(), 1u);
  EXPECT_GT(std::stod(step[0]["value"][1].get<std::string>()), 0);
  cluster.Mimeo({"cancel", job});
}

}  // namespace
}  // namespace mimeo
