// Another teacher under the name and address of the job's: refused at a connection, a reconnection, a resumed job and
// in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/rpc/rpc.h"
#include "proto/teacher.grpc.pb.h"
#include "teacher/teacher_client.h"
#include "tests/teacher/labelling_teacher.h"

namespace mimeo::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TeacherSwapTest : public TeacherClientFixture {
 protected:
  // At the address that the first one got.
  void Serve(const TeacherContract& contract) {
    teacher_.reset();
    teacher_ =
        std::make_unique<TinyTeacher>(contract, nullptr, address_given_.empty() ? "127.0.0.1:0" : address_given_);
    address_given_ = teacher_->address();
    SetAddress(address_given_);
  }
  // One try as a rank makes it, that waits no longer than its poll.
  absl::Status Poll(FeatureSource* source, absl::Duration patience = absl::Milliseconds(100)) {
    sent_ = MakeBatch(2, 2, 1);
    return source->Attach(sent_.batch, Clock::Real()->Now() + patience, &sent_.views);
  }
  absl::Status PollUntilAnswered(FeatureSource* source) {
    absl::Status status;
    do {
      status = Poll(source);
    } while (absl::IsDeadlineExceeded(status));
    return status;
  }
  void ExpectRefused(const absl::Status& status, const std::string& was, const std::string& is) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("teacher tiny is not the one that the job began with"),
                      HasSubstr(absl::StrCat("weights_digest is \"", is, "\" and was \"", was, "\"")),
                      HasSubstr(absl::StrCat("at ", address_given_))));
    for (const ViewInput& view : sent_.views) EXPECT_TRUE(view.teacher_BNT.empty()) << "features of another teacher";
  }

  std::string address_given_;
  std::unique_ptr<TinyTeacher> teacher_;
  Sent sent_;
};

TEST_F(TeacherSwapTest, AtAReconnectionItIsRefusedAndTheRightOneIsTakenAgain) {
  Serve(Contract("a1"));
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  ASSERT_TRUE(PollUntilAnswered(source.get()).ok());
  Serve(Contract("b2"));
  for (int attempt = 0; attempt < 3; ++attempt) {
    ExpectRefused(PollUntilAnswered(source.get()), "a1", "b2");  // and it stays refused
  }
  TeacherContract same = Contract("a1", /*max_images=*/2);  // other limits are no other teacher
  Serve(same);
  ASSERT_TRUE(PollUntilAnswered(source.get()).ok());
  ExpectFeatures(sent_);
  EXPECT_THAT(digests_taken(), ElementsAre("a1"));
}

// The same weights, served with another --precision, give other features. A job of an earlier version pinned none and
// takes any.
TEST_F(TeacherSwapTest, AnotherPrecisionIsRefusedUnlessNoneWasPinned) {
  TeacherContract bfloat16 = Contract("a1"), earlier = Contract("a1");
  bfloat16.set_precision(PRECISION_BF16);
  earlier.clear_precision();
  Serve(Contract("a1"));
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  ASSERT_TRUE(PollUntilAnswered(source.get()).ok());
  Serve(bfloat16);
  const absl::Status refused = PollUntilAnswered(source.get());
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("precision is PRECISION_BF16 and was PRECISION_FP32"));

  TeacherPins of_an_earlier_job([&] { return std::vector<TeacherContract>{earlier}; }, [](const TeacherContract&) {});
  TeacherClientOptions options = Options();
  options.pins = &of_an_earlier_job;
  const auto resumed = Connect(options);
  ASSERT_NE(resumed, nullptr);
  EXPECT_TRUE(PollUntilAnswered(resumed.get()).ok());
}

TEST_F(TeacherSwapTest, AfterPollsThatFoundNobodyItIsRefused) {
  Serve(Contract("a1"));
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  ASSERT_TRUE(PollUntilAnswered(source.get()).ok());
  for (int polls = 1; polls <= 3; ++polls) {
    teacher_.reset();
    for (int i = 0; i < polls; ++i) ASSERT_EQ(Poll(source.get()).code(), absl::StatusCode::kDeadlineExceeded);
    Serve(Contract("b2"));
    ExpectRefused(PollUntilAnswered(source.get()), "a1", "b2");
  }
}

// The channel that Describe went over reconnects by itself when the stream is opened.
TEST_F(TeacherSwapTest, BetweenDescribeAndTheFirstRequestItIsRefused) {
  Serve(Contract("a1"));
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  Serve(Contract("b2"));
  ExpectRefused(PollUntilAnswered(source.get()), "a1", "b2");
}

// A batch that is given up ends its stream; the next one goes over the same channel.
TEST_F(TeacherSwapTest, AfterABatchThatWasGivenUpItIsRefused) {
  absl::Mutex mu;
  bool open = false;
  auto stuck = std::make_unique<TinyTeacher>(Contract("a1"), [&](absl::Span<const FeatureTask> tasks) {
    absl::MutexLock lock(&mu);
    mu.Await(absl::Condition(&open));
    return absl::StatusOr<std::vector<std::string>>(Label(tasks));
  });
  address_given_ = stuck->address();
  SetAddress(address_given_);
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(Poll(source.get()).code(), absl::StatusCode::kDeadlineExceeded);
  {
    absl::MutexLock lock(&mu);
    open = true;
  }
  stuck.reset();
  Serve(Contract("b2"));
  ExpectRefused(PollUntilAnswered(source.get()), "a1", "b2");
}

TEST_F(TeacherSwapTest, AResumedJobTakesOnlyTheOneThatItHasPinned) {
  Pin(Contract("a1"));
  Serve(Contract("b2"));
  sent_ = MakeBatch(1, 1, 1);
  ExpectRefused(ConnectTeacher(Options(), Soon()).status(), "a1", "b2");
  EXPECT_TRUE(digests_taken().empty()) << "what is refused is not offered to be pinned";
  Serve(Contract("a1"));
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  ASSERT_TRUE(PollUntilAnswered(source.get()).ok());
  EXPECT_THAT(digests_taken(), ElementsAre("a1"));
}

// Two ranks that saw two servers behind one name: the first that is reported counts.
TEST_F(TeacherSwapTest, APinThatArrivesLaterIsObeyedBeforeTheNextBatch) {
  Serve(Contract("b2"));
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  ASSERT_TRUE(PollUntilAnswered(source.get()).ok());
  Pin(Contract("a1"));
  ExpectRefused(PollUntilAnswered(source.get()), "a1", "b2");
}

TEST_F(TeacherSwapTest, TwoClientsOfOneRankShareThePin) {
  Serve(Contract("a1"));
  const auto training = Connect();
  ASSERT_NE(training, nullptr);
  Serve(Contract("b2"));
  sent_ = MakeBatch(1, 1, 1);
  ExpectRefused(ConnectTeacher(Options(), Soon()).status(), "a1", "b2");
}

TEST_F(TeacherSwapTest, EveryFieldThatChangesNumbersCounts) {
  TeacherContract first = Contract("a1");
  for (const float mean : {0.5f, 0.5f, 0.5f}) first.add_mean(mean);
  Serve(first);
  const auto source = Connect();
  ASSERT_NE(source, nullptr);
  TeacherContract other = first;
  other.set_mean(1, 0.25f);
  Serve(other);
  const absl::Status refused = PollUntilAnswered(source.get());
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("mean is [0.5, 0.25, 0.5] and was [0.5, 0.5, 0.5]"));
}

TEST_F(TeacherSwapTest, OneThatDoesNotFitIsNotOfferedToBePinned) {
  TeacherContract blind = Contract("a1");
  blind.set_channels(1);
  Serve(blind);
  EXPECT_EQ(ConnectTeacher(Options(), Soon()).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(digests_taken().empty());
  Serve(Contract("a1"));
  EXPECT_NE(Connect(), nullptr);
}

// Describes itself when it is asked the second time; answers zeros whoever asks.
class HesitantTeacher : public Teacher::Service {
 public:
  explicit HesitantTeacher(const TeacherContract& contract) : contract_(contract) {}
  int num_described() const { return described_; }

  grpc::Status Describe(grpc::ServerContext*, const DescribeRequest*, TeacherContract* reply) override {
    if (described_++ == 0) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not yet");
    *reply = contract_;
    return grpc::Status::OK;
  }
  grpc::Status StreamFeatures(grpc::ServerContext*,
                              grpc::ServerReaderWriter<FeatureReply, FeatureRequest>* stream) override {
    FeatureRequestAssembler assembler(*GeometryOf(contract_));
    FeatureRequest frame;
    while (stream->Read(&frame)) {
      const auto whole = assembler.Add(frame);
      if (!whole.ok()) return ToGrpc(whole.status());
      if (!*whole) continue;
      const FeatureTask task = assembler.Take();
      const std::string answer(size_t(task.num_images) * task.num_chosen * kWidth * sizeof(float), '\0');
      FeatureReplyFrames frames(task.request_id, TENSOR_TYPE_FLOAT32, answer);
      for (FeatureReply reply; frames.Next(&reply);) stream->Write(reply);
    }
    return grpc::Status::OK;
  }

 private:
  const TeacherContract contract_;
  std::atomic<int> described_{0};
};

TEST_F(TeacherSwapTest, ADescribeThatFailsOnceIsAskedAgainBeforeAnythingIsTaken) {
  for (const std::string digest : {"a1", "b2"}) {
    Serve(Contract("a1"));
    auto source = Connect();
    ASSERT_NE(source, nullptr);
    ASSERT_TRUE(PollUntilAnswered(source.get()).ok());
    teacher_.reset();
    HesitantTeacher hesitant(Contract(digest));
    auto server = RpcServer::Start(ChannelOptions(), address_given_, {&hesitant});
    ASSERT_TRUE(server.ok()) << server.status();
    const absl::Status answered = PollUntilAnswered(source.get());
    EXPECT_EQ(hesitant.num_described(), 2);
    if (digest == "a1") {
      EXPECT_TRUE(answered.ok()) << answered;
    } else {
      ExpectRefused(answered, "a1", "b2");
    }
    source.reset();  // the server waits for the end of its stream
  }
}

TEST_F(TeacherSwapTest, AContractThatIsNoTextOrTooLongIsRefusedAndNotPassedOn) {
  TeacherContract odd = Contract("a1");
  odd.set_family("mimeo\x1b[2J");
  TeacherContract endless = Contract("a1");
  endless.set_family(std::string(100000, 'x'));
  for (const TeacherContract& contract : {odd, endless}) {
    Serve(contract);
    const absl::Status refused = ConnectTeacher(Options(), Soon()).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("its contract has"));
    EXPECT_LT(refused.message().size(), 4096u);
    EXPECT_EQ(refused.message().find('\x1b'), absl::string_view::npos);
    EXPECT_TRUE(digests_taken().empty());
  }
}

}  // namespace
}  // namespace mimeo::testing
