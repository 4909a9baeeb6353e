#include "base/metrics_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

// The value of the line that begins with `series`, or "" without such a line.
std::string Value(const std::string& text, const std::string& series) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StartsWith(line, absl::StrCat(series, " "))) return std::string(line.substr(series.size() + 1));
  }
  return "";
}

int Connected(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

// The body of GET /metrics from a plain socket.
std::string Scrape(int port) {
  const int fd = Connected(port);
  const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string reply;
  char piece[4096];
  for (ssize_t got = read(fd, piece, sizeof(piece)); got > 0; got = read(fd, piece, sizeof(piece))) {
    reply.append(piece, got);
  }
  close(fd);
  return reply;
}

TEST(MetricsTest, EveryUnlabelledMetricIsThereFromTheStart) {
  for (const MetricOwner owner : {MetricOwner::kCoordinator, MetricOwner::kWorker, MetricOwner::kTeacher}) {
    const Metrics metrics(owner);
    const std::string text = metrics.Text();
    for (const MetricDefinition& metric : MetricCatalog()) {
      const bool wanted = metric.owner == owner && metric.labels.empty();
      const std::string series = absl::StrCat(metric.name, metric.kind == MetricKind::kHistogram ? "_count" : "");
      EXPECT_EQ(Value(text, series), wanted ? "0" : "") << metric.name;
    }
  }
}

TEST(MetricsTest, CountersGaugesAndHistograms) {
  Metrics metrics(MetricOwner::kTeacher);
  metrics.Add("mimeo_teacher_requests_total");
  metrics.Add("mimeo_teacher_requests_total", 2);
  metrics.Set("mimeo_teacher_streams", 5);
  metrics.Set("mimeo_teacher_streams", 4);
  for (const double images : {1, 3, 3000}) metrics.Observe("mimeo_teacher_batch_images", images);
  const std::string text = metrics.Text();
  EXPECT_EQ(Value(text, "mimeo_teacher_requests_total"), "3");
  EXPECT_EQ(Value(text, "mimeo_teacher_streams"), "4");
  EXPECT_EQ(Value(text, "mimeo_teacher_batch_images_bucket{le=\"1\"}"), "1");
  EXPECT_EQ(Value(text, "mimeo_teacher_batch_images_bucket{le=\"4\"}"), "2");
  EXPECT_EQ(Value(text, "mimeo_teacher_batch_images_bucket{le=\"+Inf\"}"), "3");
  EXPECT_EQ(Value(text, "mimeo_teacher_batch_images_sum"), "3004");
  EXPECT_TRUE(absl::StrContains(text, "# TYPE mimeo_teacher_requests_total counter"));
  EXPECT_TRUE(absl::StrContains(text, "# HELP mimeo_teacher_streams Open feature streams."));
}

TEST(MetricsTest, LabelledSeriesAreForgottenByLabel) {
  Metrics metrics(MetricOwner::kWorker);
  for (const char* job : {"j1", "j2"}) {
    for (const char* rank : {"0", "1"}) metrics.Set("mimeo_worker_step", 7, {{"job", job}, {"rank", rank}});
    metrics.Add("mimeo_worker_images_total", 10, {{"job", job}, {"rank", "0"}});
  }
  EXPECT_EQ(Value(metrics.Text(), "mimeo_worker_step{job=\"j1\",rank=\"1\"}"), "7");
  metrics.Forget("job", "j1");
  EXPECT_FALSE(absl::StrContains(metrics.Text(), "j1"));
  EXPECT_EQ(Value(metrics.Text(), "mimeo_worker_step{job=\"j2\",rank=\"1\"}"), "7");
  metrics.Forget("rank", "1");
  EXPECT_EQ(Value(metrics.Text(), "mimeo_worker_step{job=\"j2\",rank=\"1\"}"), "");
  EXPECT_EQ(Value(metrics.Text(), "mimeo_worker_step{job=\"j2\",rank=\"0\"}"), "7");
  metrics.Set("mimeo_worker_step", 1, {{"job", "j1"}, {"rank", "0"}});
  EXPECT_EQ(Value(metrics.Text(), "mimeo_worker_step{job=\"j1\",rank=\"0\"}"), "1") << "it may come back";
}

TEST(MetricsTest, ATotalOfAnotherProcessGrowsThroughItsRestart) {
  Metrics metrics(MetricOwner::kWorker);
  const Metrics::Labels rank = {{"job", "j1"}, {"rank", "0"}};
  const std::string series = "mimeo_worker_images_total{job=\"j1\",rank=\"0\"}";
  const auto set = [&](double total) {
    metrics.SetTotal("mimeo_worker_images_total", total, rank);
    return Value(metrics.Text(), series);
  };
  EXPECT_EQ(set(0), "0");
  EXPECT_EQ(set(10), "10");
  EXPECT_EQ(set(10), "10");
  EXPECT_EQ(set(25), "25");
  EXPECT_EQ(set(5), "30") << "restarted";
  EXPECT_EQ(set(8), "33");
  metrics.Forget("job", "j1");
  EXPECT_EQ(set(4), "4");
}

// A page with one byte that is not UTF-8 is refused as a whole by who reads it.
TEST(MetricsTest, LabelsAreMadeText) {
  Metrics metrics(MetricOwner::kCoordinator);
  const std::string odd = "caf\xe9\n\x1b[2J";
  metrics.Set("mimeo_coordinator_jobs", 3, {{"state", odd}});
  EXPECT_EQ(Value(metrics.Text(), R"(mimeo_coordinator_jobs{state="caf\\xe9\\x0a\\x1b[2J"})"), "3");
  metrics.Forget("state", odd);
  EXPECT_FALSE(absl::StrContains(metrics.Text(), "caf"));
}

TEST(MetricsTest, ServesTheTextOverHttp) {
  Metrics metrics(MetricOwner::kCoordinator);
  ASSERT_OK_AND_ASSIGN(const Address bound, metrics.Serve({"127.0.0.1", 0, ""}));
  EXPECT_GT(bound.port, 0);
  metrics.Set("mimeo_coordinator_jobs", 3, {{"state", "running"}});
  const std::string reply = Scrape(bound.port);
  EXPECT_TRUE(absl::StrContains(reply, " 200 OK")) << reply;
  EXPECT_EQ(Value(reply, "mimeo_coordinator_jobs{state=\"running\"}"), "3");
}

// Whether the server has not closed the connection.
bool IsOpen(int fd) {
  char byte;
  return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

TEST(MetricsTest, ConnectionsThatAskNothingHoldUpNoAnswer) {
  Metrics metrics(MetricOwner::kCoordinator);
  ASSERT_OK_AND_ASSIGN(const Address bound, metrics.Serve({"127.0.0.1", 0, ""}));
  std::vector<int> idle(8);
  for (int& fd : idle) fd = Connected(bound.port);
  EXPECT_TRUE(absl::StrContains(Scrape(bound.port), " 200 OK"));
  for (const int fd : idle) {
    EXPECT_TRUE(IsOpen(fd)) << "the answer waited until this one was given up";
    close(fd);
  }
}

TEST(MetricsTest, ATakenPortIsUnavailableByName) {
  Metrics first(MetricOwner::kWorker), second(MetricOwner::kWorker);
  ASSERT_OK_AND_ASSIGN(const Address taken, first.Serve({"127.0.0.1", 0, ""}));
  EXPECT_THAT(second.Serve(taken), StatusIs(absl::StatusCode::kUnavailable, taken.ToString()));
}

TEST(MetricsDeathTest, MisuseDiesByName) {
  Metrics metrics(MetricOwner::kWorker);
  EXPECT_DEATH(metrics.Set("mimeo_worker_typo", 1), "mimeo_worker_typo");
  EXPECT_DEATH(metrics.Set("mimeo_worker_heartbeat_failures_total", 1), "another kind");
  EXPECT_DEATH(metrics.Set("mimeo_teacher_streams", 1), "another process");
  EXPECT_DEATH(metrics.Set("mimeo_worker_step", 1), "other labels");
  EXPECT_DEATH(metrics.Set("mimeo_worker_slots", 1, {{"job", "j1"}}), "other labels");
}

}  // namespace
}  // namespace mimeo
