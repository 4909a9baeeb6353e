#include "worker/training/operator_progress.h"

#include <ATen/record_function.h>

#include <atomic>
#include <memory>

namespace mimeo {
namespace {

constexpr double kSampled = 0.1;

// The hook takes a plain function.
std::atomic<Progress*> counting{nullptr};

std::unique_ptr<at::ObserverContext> Count(const at::RecordFunction&) {
  Progress* const progress = counting.load(std::memory_order_relaxed);
  if (progress != nullptr) progress->Move();
  return nullptr;
}

uint64_t StartCounting(Progress* progress) {
  counting = progress;
  return at::addGlobalCallback(
      at::RecordFunctionCallback(Count).samplingProb(kSampled).scopes({at::RecordScope::FUNCTION}));
}

}  // namespace

OperatorProgress::OperatorProgress(Progress* progress) : callback_(StartCounting(progress)) {}

OperatorProgress::~OperatorProgress() {
  at::removeCallback(callback_);
  counting = nullptr;
}

}  // namespace mimeo
