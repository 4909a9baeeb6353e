#include "worker/training/operator_progress.h"

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <thread>

#include "worker/training/testing/tiny_model.h"

namespace mimeo {
namespace {

TEST(OperatorProgressTest, AForwardAndABackwardPassMoveInEveryThread) {
  testing::TinyModel model(testing::TinySpec());
  Progress progress;
  {
    const OperatorProgress operators(&progress);
    const auto forward = [&] {
      ForwardPass pass = testing::TinyViews(0, 0, 2);
      EncodeViews(*model.encoder, nullptr, *model.objectives, &pass);
      return model.objectives->Compute(pass).total;
    };
    const at::Tensor loss = forward();
    const int64_t forward_moves = progress.count();
    EXPECT_GT(forward_moves, 5);
    loss.backward();
    const int64_t moves = progress.count();
    EXPECT_GT(moves, forward_moves + 5);
    std::thread([&] { forward(); }).join();
    EXPECT_GT(progress.count(), moves + 5);
  }
  const int64_t moves = progress.count();
  for (int i = 0; i < 1000; ++i) at::ones({2}).add(1);
  EXPECT_EQ(progress.count(), moves) << "it ended";
}

}  // namespace
}  // namespace mimeo
