// A rank process for tests of the agent: it speaks to the agent by the real link and trains nothing. The job's name
// says how it behaves: "trains" until it is told to stop, "saves" likewise but needs half a second for its checkpoint,
// "completes" after three steps, "fails" with an error of its own, "dies" without a word, "dies oddly" after bytes that
// are no text, "hangs" before its first step in a file that nobody writes, "stubborn" trains on when told to stop.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/wait.h"
#include "google/protobuf/text_format.h"
#include "worker/rank/rank_link.h"

namespace mimeo {
namespace {

std::string FlagValue(int argc, char** argv, const std::string& name) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view value = argv[i];
    if (absl::ConsumePrefix(&value, absl::StrCat("--", name, "="))) return std::string(value);
  }
  return "";
}

// Steps until told to stop and the checkpoint is there, or until `last`.
void Train(RankLink* link, int64_t last, absl::Duration checkpoint) {
  for (int64_t step = 1; step <= last; ++step) {
    link->Update([step](RankStatus* status) {
      status->set_phase(RANK_PHASE_TRAINING);
      status->set_step(step);
      status->set_store_address("127.0.0.1:4242");
    });
    link->SetMetric("mimeo_worker_step", static_cast<double>(step));
    link->SetMetric("mimeo_worker_images_total", 10.0 * static_cast<double>(step));
    link->SetMetric("mimeo_no_such_metric", 1);
    const auto stop =
        link->Await([](const GangAssignment&) { return false; }, Clock::Real()->Now() + absl::Milliseconds(5));
    if (absl::IsCancelled(stop.status()) && checkpoint < absl::InfiniteDuration()) {
      WaitFor(checkpoint);
      return link->Finish(RANK_PHASE_STOPPED, absl::OkStatus());
    }
  }
  link->Finish(RANK_PHASE_COMPLETED, absl::OkStatus());
}

int Run(int argc, char** argv) {
  const auto text = ReadFile(FlagValue(argc, argv, "assignment"));
  GangAssignment assignment;
  if (!text.ok() || !google::protobuf::TextFormat::ParseFromString(*text, &assignment)) return 64;
  std::printf("omp=%s cuda=[%s] preload=%s\n", getenv("OMP_NUM_THREADS"), getenv("CUDA_VISIBLE_DEVICES"),
              getenv("LD_PRELOAD") == nullptr ? "" : getenv("LD_PRELOAD"));
  std::fflush(stdout);
  const std::string& how = assignment.spec().name();
  if (how == "dies") {
    std::fprintf(stderr, "out of luck\n");
    return 3;
  }
  if (how == "dies oddly") {
    std::fprintf(stderr, "bad sample caf\xe9.jpg");
    std::fflush(stderr);
    raise(SIGKILL);
  }
  Progress progress;
  auto link = RankLink::Connect(ChannelOptions(), FlagValue(argc, argv, "agent"), assignment, &progress);
  if (!link.ok()) {
    std::fprintf(stderr, "%s\n", link.status().ToString().c_str());
    return 65;
  }
  if (how == "fails") {
    (*link)->Finish(RANK_PHASE_FAILED, absl::DataLossError("101 bad samples"));
    return 1;
  }
  if (how == "hangs") {
    const std::string fifo = FlagValue(argc, argv, "assignment") + ".fifo";
    progress.Do("lists the images of " + fifo);
    if (mkfifo(fifo.c_str(), 0600) != 0 || open(fifo.c_str(), O_RDONLY | O_CLOEXEC) < 0) return 66;
  }
  const absl::Duration checkpoint = how == "saves"      ? absl::Milliseconds(500)
                                    : how == "stubborn" ? absl::InfiniteDuration()
                                                        : absl::ZeroDuration();
  Train(link->get(), how == "completes" ? 3 : 1000000, checkpoint);
  return 0;
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) { return mimeo::Run(argc, argv); }
