#include "teacher/teacher_pins.h"

#include <utility>

#include "teacher/teacher_contract.h"

namespace mimeo {

TeacherPins::TeacherPins(std::function<std::vector<TeacherContract>()> pinned,
                         std::function<void(const TeacherContract&)> on_first)
    : pinned_(std::move(pinned)), on_first_(std::move(on_first)) {}

const TeacherContract* TeacherPins::Known(const std::string& name) {
  if (by_job_.count(name) == 0) {
    for (TeacherContract& contract : pinned_()) {
      if (contract.name() == name) by_job_[name] = std::move(contract);
    }
  }
  for (const auto* contracts : {&by_job_, &taken_}) {
    const auto found = contracts->find(name);
    if (found != contracts->end()) return &found->second;
  }
  return nullptr;
}

absl::Status TeacherPins::Check(const TeacherContract& now) {
  absl::MutexLock lock(&mu_);
  const TeacherContract* const known = Known(now.name());
  return known == nullptr ? absl::OkStatus() : SameTeacher(*known, now);
}

absl::Status TeacherPins::Take(const TeacherContract& now) {
  absl::MutexLock lock(&mu_);
  const TeacherContract* const known = Known(now.name());
  const absl::Status same = known == nullptr ? absl::OkStatus() : SameTeacher(*known, now);
  if (same.ok() && taken_.emplace(now.name(), now).second) on_first_(now);
  return same;
}

std::vector<TeacherContract> TeacherPins::taken() const {
  absl::MutexLock lock(&mu_);
  std::vector<TeacherContract> taken;
  for (const auto& [name, contract] : taken_) taken.push_back(contract);
  return taken;
}

}  // namespace mimeo
