#include "worker/training/side_stream.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace mimeo {
namespace {

// What a GPU adds to these is scripts/gpu_check's to try.
TEST(SideStreamTest, OnACpuWorkIsDoneWhenTheCallReturns) {
  SideStream stream(at::kCPU);
  at::Tensor made;
  const DeviceMark mark = stream.Run(DeviceMark::Here(at::kCPU), [&] { made = at::full({2}, 3.0); });
  EXPECT_EQ(made.sum().item<double>(), 6);
  mark.AwaitOnHost();
  mark.AwaitOnStream();
  HandOver(made);
  HandOver(at::Tensor());
}

TEST(SideStreamTest, ACopyToTheHostDoesNotFollowItsSource) {
  const at::Tensor source = at::zeros({4}).requires_grad_();
  const at::Tensor copy = CopyToHost(source);
  source.detach().fill_(1);
  EXPECT_EQ(copy.sum().item<double>(), 0);
  EXPECT_FALSE(copy.requires_grad());
}

TEST(SideStreamTest, ATensorThatIsThereAlreadyIsNotCopied) {
  const at::Tensor tensor = at::zeros({4});
  EXPECT_TRUE(CopyToDevice(tensor, at::kCPU).is_same(tensor));
}

}  // namespace
}  // namespace mimeo
