#include "coordinator/request_checks.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "base/text.h"

namespace mimeo {
namespace {

using testing::StatusIs;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

// What is legal at its bound, what is one more, and what the refusal says.
template <typename Message>
struct Bound {
  std::function<void(Message*)> at, over;
  const char* says;
};

std::string Text(int bytes) { return std::string(static_cast<size_t>(bytes), 't'); }

template <typename Message>
void ExpectBounds(const Message& good, absl::Status (*check)(const Message&),
                  const std::vector<Bound<Message>>& bounds) {
  EXPECT_OK(check(good));
  for (const Bound<Message>& bound : bounds) {
    Message message = good;
    bound.at(&message);
    EXPECT_OK(check(message)) << bound.says;
    message = good;
    bound.over(&message);
    const absl::Status refused = check(message);
    EXPECT_THAT(refused, StatusIs(kInvalid, bound.says));
    EXPECT_EQ(refused.message(), ToText(refused.message(), 300));
  }
}

TEST(RequestChecksTest, AWorkerAtItsBounds) {
  using B = Bound<WorkerIdentity>;
  const auto devices = [](int count) {
    return [count](WorkerIdentity* worker) {
      while (worker->devices_size() < count) worker->add_devices();
    };
  };
  ExpectBounds<WorkerIdentity>({}, CheckWorker,
                               {B{[](auto* w) { w->set_host(Text(256)); }, [](auto* w) { w->set_host(Text(257)); },
                                  "worker.host: 257 bytes; from 0 to 256 are legal"},
                                B{[](auto* w) { w->set_host("h\xc3\xb6st"); }, [](auto* w) { w->set_host("\x1b[2J"); },
                                  "worker.host: \"\\x1b[2J\" is no text"},
                                B{devices(64), devices(65), "worker.devices: 65 is not in [0, 64]"},
                                B{[](auto* w) { w->add_devices()->set_name(Text(128)); },
                                  [](auto* w) { w->add_devices()->set_name(Text(129)); }, "devices.name: 129 bytes"},
                                B{[](auto* w) { w->add_devices()->set_uuid(Text(128)); },
                                  [](auto* w) { w->add_devices()->set_uuid(Text(129)); }, "devices.uuid: 129 bytes"}});
}

TEST(RequestChecksTest, ATeacherAtItsBounds) {
  using B = Bound<TeacherHeartbeatRequest>;
  TeacherHeartbeatRequest good;
  good.set_name("clip");
  good.set_address("h:1");
  ExpectBounds<TeacherHeartbeatRequest>(
      good, CheckTeacher,
      {B{[](auto* t) { t->set_name(Text(64)); }, [](auto* t) { t->set_name(Text(65)); }, "teacher.name: 65 bytes"},
       B{[](auto* t) { t->set_address(Text(256)); }, [](auto* t) { t->set_address(Text(257)); },
         "teacher.address: 257 bytes"},
       B{[](auto* t) { t->set_address("h"); }, [](auto* t) { t->clear_address(); }, "teacher.address: 0 bytes"}});
}

TEST(RequestChecksTest, AReportAtItsBounds) {
  using B = Bound<ReportStepsRequest>;
  const auto names = [](int terms, int stats) {
    return [terms, stats](ReportStepsRequest* report) {
      StepMetrics* step = report->add_steps();
      step->set_step(7);
      for (int i = 0; i < terms; ++i) {
        (*step->mutable_terms())[absl::StrCat("t", i)] = std::numeric_limits<double>::quiet_NaN();
      }
      for (int i = 0; i < stats; ++i) (*step->mutable_stats())[absl::StrCat("s", i)] = 1;
    };
  };
  const auto values = [](int count) {
    return [count](ReportStepsRequest* report) {
      EvaluationResult* evaluation = report->add_evaluations();
      for (int i = 0; i < count; ++i) (*evaluation->mutable_values())[absl::StrCat("v", i)] = 1;
    };
  };
  const auto named = [](const std::string& name) {
    return [name](ReportStepsRequest* report) { (*report->add_steps()->mutable_terms())[name] = 1; };
  };
  ExpectBounds<ReportStepsRequest>(
      {}, CheckReport,
      {B{names(56, 200), names(57, 200), "step 7: 257 metrics; at most 256"},
       B{values(256), values(257), "evaluation of step 0: 257 metrics"},
       B{named(Text(128)), named(Text(129)), "name of a metric: 129 bytes; from 1 to 128"},
       B{named("loss/\xe7\x8c\xab"), named("a\nb"), "\"a\\x0ab\" is no text"}, B{named("x"), named(""), "0 bytes"}});
}

TEST(RequestChecksTest, AManifestAtItsBounds) {
  using B = Bound<CheckpointManifest>;
  CheckpointManifest good;
  good.set_content_id("u");
  const auto chunks = [](int count) {
    return [count](CheckpointManifest* manifest) {
      for (int i = 0; i < count; ++i) manifest->add_chunk_sha256();
    };
  };
  ExpectBounds<CheckpointManifest>(
      good, CheckManifest,
      {B{[](auto* m) { m->set_content_id(Text(64)); }, [](auto* m) { m->set_content_id(Text(65)); },
         "content_id: 65 bytes"},
       B{[](auto* m) { m->set_dataset_digest(std::string(64, 'a')); },
         [](auto* m) { m->set_dataset_digest(std::string(63, 'a')); }, "(63 bytes) is not 64"},
       B{[](auto* m) { m->set_dataset_digest(std::string(64, '0')); },
         [](auto* m) { m->set_dataset_digest(std::string(64, 'A')); }, "dataset_digest: \"AAA"},
       B{chunks(65536), chunks(65537), "manifest.chunk_sha256: 65537 is not in [0, 65536]"}});
}

RankStatus Status(int rank) {
  RankStatus status;
  status.set_job_id("j1");
  status.set_generation(1);
  status.set_rank(rank);
  return status;
}

// Beside two good ones.
RefusedStatuses Take(const RankStatus& status, std::vector<RankStatus>* taken) {
  HeartbeatRequest request;
  *request.add_ranks() = Status(1);
  *request.add_ranks() = status;
  *request.add_ranks() = Status(2);
  const RefusedStatuses refused = TakeStatuses(request.mutable_ranks());
  taken->assign(request.ranks().begin(), request.ranks().end());
  EXPECT_EQ(taken->front().rank(), 1);
  EXPECT_EQ(taken->back().rank(), 2) << "a refused one hides no other";
  EXPECT_EQ(static_cast<int>(taken->size()) + refused.count, 3);
  return refused;
}

TEST(RequestChecksTest, AStatusAtItsBounds) {
  using Change = std::function<void(RankStatus*)>;
  const auto teachers = [](int count) {
    return [count](RankStatus* s) {
      for (int i = 0; i < count; ++i) s->add_teachers()->set_name("clip");
    };
  };
  const auto channels = [](int count) {
    return [count](RankStatus* s) {
      s->add_teachers()->set_name("clip");
      for (int i = 0; i < count; ++i) s->mutable_teachers(0)->add_mean(0.5f);
    };
  };
  const auto deviations = [](int count) {
    return [count](RankStatus* s) {
      s->add_teachers()->set_name("clip");
      for (int i = 0; i < count; ++i) s->mutable_teachers(0)->add_std(0.5f);
    };
  };
  struct Case {
    Change at, over;
    const char* says;
  };
  const std::vector<Case> cases = {
      {[](auto* s) { s->set_store_address(Text(256)); }, [](auto* s) { s->set_store_address(Text(257)); },
       "rank 0 of j1: store_address: 257 bytes"},
      {[](auto* s) { s->set_dataset_digest(std::string(64, 'f')); },
       [](auto* s) { s->set_dataset_digest(std::string(64, 'g')); }, "dataset_digest: \"ggg"},
      {[](auto* s) { s->set_rank(4095); }, [](auto* s) { s->set_rank(4096); }, "rank: 4096 is not in [0, 4095]"},
      {[](auto* s) { s->set_step(0); }, [](auto* s) { s->set_step(-1); }, "step: -1"},
      {[](auto* s) { s->set_phase(RANK_PHASE_FAILED); }, [](auto* s) { s->set_phase(static_cast<RankPhase>(99)); },
       "phase: 99 is unknown"},
      {[](auto* s) { s->mutable_quiet()->set_seconds(315576000000); },
       [](auto* s) { s->mutable_quiet()->set_seconds(315576000001); }, "quiet.seconds"},
      {[](auto* s) { s->mutable_patience()->set_nanos(999999999); },
       [](auto* s) { s->mutable_patience()->set_nanos(-1); }, "patience.nanos: -1"},
      {[](auto* s) { s->set_job_id(Text(64)); }, [](auto* s) { s->set_job_id(Text(65)); }, "job_id: 65 bytes"},
      {teachers(17), teachers(18), "teachers: 18 is not in [0, 17]"},
      {channels(16), channels(17), "teachers.mean: 17 is not in [0, 16]"},
      {[](auto* s) { s->add_teachers()->set_name(Text(64)); }, [](auto* s) { s->add_teachers()->set_name(Text(65)); },
       "teachers.name: 65 bytes"},
      {[](auto* s) {
         s->add_teachers()->set_name("c");
         s->mutable_teachers(0)->set_weights_digest(std::string(64, '0'));
       },
       [](auto* s) {
         s->add_teachers()->set_name("c");
         s->mutable_teachers(0)->set_weights_digest("\x1b");
       },
       "teachers.weights_digest: \"\\x1b\""},
      {[](auto* s) {
         s->add_teachers()->set_name("c");
         s->mutable_teachers(0)->set_family(Text(64));
       },
       [](auto* s) {
         s->add_teachers()->set_name("c");
         s->mutable_teachers(0)->set_family(Text(65));
       },
       "teachers.family: 65 bytes"},
      {deviations(16), deviations(17), "teachers.std: 17 is not in [0, 16]"},
      {[](auto* s) { s->set_generation(0); }, [](auto* s) { s->set_generation(-1); }, "generation: -1"},
      {[](auto* s) { s->set_num_samples(0); }, [](auto* s) { s->set_num_samples(-2); }, "num_samples: -2"},
      {[](auto* s) { s->set_total_steps(0); }, [](auto* s) { s->set_total_steps(-3); }, "total_steps: -3"},
      {[](auto* s) { s->set_progress(0); }, [](auto* s) { s->set_progress(-4); }, "progress: -4"},
      {[](auto* s) { s->set_bad_samples(5); }, [](auto* s) { s->set_bad_samples(-5); }, "bad_samples: -5"}};
  std::vector<RankStatus> taken;
  for (const Case& c : cases) {
    RankStatus status = Status(0);
    c.at(&status);
    EXPECT_EQ(Take(status, &taken).count, 0) << c.says;
    status = Status(0);
    c.over(&status);
    const RefusedStatuses refused = Take(status, &taken);
    EXPECT_EQ(refused.count, 1);
    EXPECT_THAT(refused.first, StatusIs(kInvalid, c.says));
  }
}

TEST(RequestChecksTest, MessagesAreMadeTextAndCut) {
  RankStatus status = Status(0);
  status.set_message("line\n\x1b[2J\xff");
  status.set_doing("caf\xc3");
  status.set_waiting_for(std::string(10 << 20, 'w'));
  std::vector<RankStatus> taken;
  EXPECT_EQ(Take(status, &taken).count, 0);
  EXPECT_EQ(taken[1].message(), "line\n\\x1b[2J\\xff");
  EXPECT_EQ(taken[1].doing(), "caf\\xc3");
  EXPECT_EQ(taken[1].waiting_for().size(), static_cast<size_t>(limits::kReasonBytes));
}

TEST(RequestChecksTest, OnlyRankZeroNamesTheGangsStore) {
  HeartbeatRequest request;
  for (const int rank : {0, 1}) {
    *request.add_ranks() = Status(rank);
    request.mutable_ranks(rank)->set_store_address("h:1");
  }
  EXPECT_EQ(TakeStatuses(request.mutable_ranks()).count, 0);
  EXPECT_EQ(request.ranks(0).store_address(), "h:1");
  EXPECT_EQ(request.ranks(1).store_address(), "");
}

TEST(RequestChecksTest, OfManyRefusedTheFirstIsNamed) {
  HeartbeatRequest request;
  for (const int rank : {5000, 2, 6000}) *request.add_ranks() = Status(rank);
  const RefusedStatuses refused = TakeStatuses(request.mutable_ranks());
  EXPECT_EQ(refused.count, 2);
  EXPECT_THAT(refused.first, StatusIs(kInvalid, "rank 5000 of j1"));
  ASSERT_EQ(request.ranks_size(), 1);
  EXPECT_EQ(request.ranks(0).rank(), 2);
}

TEST(RequestChecksTest, OneStatusOfARankAndNoMoreThanThereAreRanks) {
  HeartbeatRequest request;
  for (int rank = 0; rank < limits::kRanksPerJob; ++rank) *request.add_ranks() = Status(rank);
  EXPECT_EQ(TakeStatuses(request.mutable_ranks()).count, 0);
  *request.add_ranks() = Status(7);
  request.mutable_ranks(limits::kRanksPerJob)->set_generation(2);
  RefusedStatuses refused = TakeStatuses(request.mutable_ranks());
  EXPECT_EQ(refused.count, 1);
  EXPECT_THAT(refused.first, StatusIs(kInvalid, "ranks: 4097 is not in [0, 4096]"));

  request.clear_ranks();
  for (const int64_t generation : {1, 2, 2}) {
    *request.add_ranks() = Status(3);
    request.mutable_ranks(request.ranks_size() - 1)->set_generation(generation);
  }
  refused = TakeStatuses(request.mutable_ranks());
  EXPECT_EQ(request.ranks_size(), 2) << "the generation that ended is repeated beside the next one";
  EXPECT_THAT(refused.first, StatusIs(kInvalid, "a second status of this rank"));
}

}  // namespace
}  // namespace mimeo
