// The jobs that wait for slots, in the order in which they get them. The scheduler owns it. Thread-compatible.
//
// Jobs that need the same devices, ranks and teachers have one shape. Whether a shape could run at all is computed once
// for all of its jobs, and only when the capacity or a teacher changes. So fifty thousand jobs that are too large for
// the cluster cost a decision nothing.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "coordinator/cluster_state.h"

namespace mimeo {

// Where a job stands in the queue: the smaller position is served first. A higher priority comes first, and within one
// priority the job that was submitted first.
struct QueuePosition {
  int64_t minus_priority = 0;
  int64_t sequence = 0;
  std::string job_id;
};
inline bool operator<(const QueuePosition& a, const QueuePosition& b) {
  return std::tie(a.minus_priority, a.sequence) < std::tie(b.minus_priority, b.sequence);
}
inline bool operator==(const QueuePosition& a, const QueuePosition& b) { return a.sequence == b.sequence; }
QueuePosition PositionOf(const JobInfo& job);

class JobQueue {
 public:
  // Does nothing when the job is in the queue already.
  void Add(const JobInfo& job);
  // Does nothing when the job is not in the queue.
  void Remove(const std::string& job_id);
  bool Holds(const std::string& job_id) const { return shapes_of_.count(job_id) > 0; }
  size_t size() const { return shapes_of_.size(); }

  // A gang of up to `ranks` ranks with this device and precision could run if nothing else ran. Before the first call
  // no gang fits.
  void SetCapacity(Device device, Precision precision, int ranks);
  void SetTeacher(const std::string& name, bool available);
  bool HasTeacher(const std::string& name) const { return teachers_.count(name) > 0; }

  // The first job that needs nothing but free slots. It is the next one to be placed, and nobody behind it is placed
  // before. Null when there is none. A job that waits for a teacher, or for workers that are not there, holds nobody
  // up. Valid until the next call that changes something.
  const QueuePosition* First() const { return heads_.empty() ? nullptr : &heads_.begin()->first; }

 private:
  struct Shape {
    Device device = DEVICE_AUTO;
    Precision precision = PRECISION_FP32;
    int num_ranks = 1;
    std::vector<std::string> teachers;
  };
  struct ShapeOrder {
    bool operator()(const Shape& a, const Shape& b) const {
      return std::tie(a.device, a.precision, a.num_ranks, a.teachers) <
             std::tie(b.device, b.precision, b.num_ranks, b.teachers);
    }
  };
  using Line = std::set<QueuePosition>;  // of one shape
  using Lines = std::map<Shape, Line, ShapeOrder>;

  bool CouldRun(const Shape& shape) const;
  // Puts the first job of the line among the heads, or takes it away from there. To be called after the line has
  // changed, or the answer to CouldRun.
  void SetHead(const Shape& shape, const Line& line, const QueuePosition* head_before);

  Lines lines_;
  std::map<std::string, std::pair<Lines::iterator, QueuePosition>> shapes_of_;  // by job
  std::map<QueuePosition, const Shape*> heads_;                            // the first job of each shape that could run
  std::map<std::string, std::set<const Lines::value_type*>> shapes_with_;  // by teacher
  std::map<std::pair<Device, Precision>, int> capacity_;
  std::set<std::string> teachers_;  // available
};

}  // namespace mimeo
