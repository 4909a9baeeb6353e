#include "coordinator/job_queue.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "job/job_shape.h"

namespace mimeo {

QueuePosition PositionOf(const JobInfo& job) {
  return {-int64_t{job.spec.resources().priority()}, job.sequence, job.id};
}

bool JobQueue::CouldRun(const Shape& shape) const {
  const auto capacity = capacity_.find({shape.device, shape.precision});
  if (capacity == capacity_.end() || shape.num_ranks > capacity->second) return false;
  return absl::c_all_of(shape.teachers, [&](const std::string& name) { return HasTeacher(name); });
}

void JobQueue::SetHead(const Shape& shape, const Line& line, const QueuePosition* head_before) {
  if (head_before != nullptr) heads_.erase(*head_before);
  if (!line.empty() && CouldRun(shape)) heads_.emplace(*line.begin(), &shape);
}

void JobQueue::Add(const JobInfo& job) {
  if (Holds(job.id)) return;
  const ResourceSpec& resources = job.spec.resources();
  Shape shape;
  if (resources.device() == DEVICE_CPU || resources.device() == DEVICE_CUDA) shape.device = resources.device();
  if (resources.precision() == PRECISION_BF16) shape.precision = PRECISION_BF16;
  shape.num_ranks = resources.num_ranks();
  shape.teachers = TeacherNames(job.spec);
  const auto [line, is_new] = lines_.try_emplace(std::move(shape));
  if (is_new) {
    for (const std::string& name : line->first.teachers) shapes_with_[name].insert(&*line);
  }
  const QueuePosition position = PositionOf(job);
  shapes_of_.try_emplace(job.id, line, position);
  const QueuePosition before = line->second.empty() ? position : *line->second.begin();
  line->second.insert(position);
  SetHead(line->first, line->second, &before);
}

void JobQueue::Remove(const std::string& job_id) {
  const auto found = shapes_of_.find(job_id);
  if (found == shapes_of_.end()) return;
  const auto [line, position] = found->second;
  shapes_of_.erase(found);
  const QueuePosition before = *line->second.begin();
  line->second.erase(position);
  SetHead(line->first, line->second, &before);
  if (!line->second.empty()) return;
  for (const std::string& name : line->first.teachers) {
    std::set<const Lines::value_type*>& with = shapes_with_[name];
    with.erase(&*line);
    if (with.empty()) shapes_with_.erase(name);
  }
  lines_.erase(line);
}

void JobQueue::SetCapacity(Device device, Precision precision, int ranks) {
  int& capacity = capacity_[{device, precision}];
  const int before = capacity;
  if (before == ranks) return;
  capacity = ranks;
  // Only for these does the answer change.
  Shape from;
  from.device = device;
  from.precision = precision;
  from.num_ranks = std::min(before, ranks) + 1;
  for (auto line = lines_.lower_bound(from); line != lines_.end(); ++line) {
    const Shape& shape = line->first;
    if (shape.device != device || shape.precision != precision || shape.num_ranks > std::max(before, ranks)) break;
    SetHead(shape, line->second, &*line->second.begin());
  }
}

void JobQueue::SetTeacher(const std::string& name, bool available) {
  if (HasTeacher(name) == available) return;
  if (available) teachers_.insert(name);
  if (!available) teachers_.erase(name);
  const auto with = shapes_with_.find(name);
  if (with == shapes_with_.end()) return;
  for (const Lines::value_type* line : with->second) SetHead(line->first, line->second, &*line->second.begin());
}

}  // namespace mimeo
