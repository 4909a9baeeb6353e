#include "coordinator/teachers_to_pin.h"

#include <set>
#include <string>

#include "job/job_shape.h"

namespace mimeo {

std::vector<Event> TeachersToPin(const JobInfo& job, const GangReport& gang) {
  if (job.placement.empty() || gang.generation != job.generation) return {};
  std::vector<Event> pins;
  std::set<std::string> open;
  for (const std::string& name : TeacherNames(job.spec)) {
    if (job.teachers.count(name) == 0) open.insert(name);
  }
  for (const auto& [rank, status] : gang.ranks) {
    if (open.empty()) break;
    for (const TeacherContract& contract : status.teachers()) {
      if (open.erase(contract.name()) == 0) continue;
      TeacherPinned* pinned = pins.emplace_back().mutable_teacher_pinned();
      pinned->set_job_id(job.id);
      *pinned->mutable_contract() = contract;
    }
  }
  return pins;
}

}  // namespace mimeo
