// The jobs that wait for slots, in the order in which they get them. Thread-compatible.
//
// Jobs that want the same are one shape. Whether a shape could run at all is asked once for all of its jobs, and only
// when the capacity or a teacher changes: fifty thousand jobs that are too large cost a tick nothing.
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

// Where a job stands: the smaller is served first. Higher priority first; first come, first served within one.
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
  void Add(const JobInfo& job);
  void Remove(const std::string& job_id);  // or does nothing
  bool Holds(const std::string& job_id) const { return shapes_of_.count(job_id) > 0; }
  size_t size() const { return shapes_of_.size(); }

  // Up to so many ranks could run if nothing else did, for jobs of such device and precision. Nothing fits before the
  // first call.
  void SetCapacity(Device device, Precision precision, int ranks);
  void SetTeacher(const std::string& name, bool available);
  bool HasTeacher(const std::string& name) const { return teachers_.count(name) > 0; }

  // The first job that only slots are missing to. Null when there is none: what waits for a teacher, or for workers
  // that are not there, holds nobody up.
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
  // Puts the foremost job of the line among the heads, or takes it from there, after the line or the shape's chances
  // have changed.
  void SetHead(const Shape& shape, const Line& line, const QueuePosition* head_before);

  Lines lines_;
  std::map<std::string, std::pair<Lines::iterator, QueuePosition>> shapes_of_;  // by job
  std::map<QueuePosition, const Shape*> heads_;                            // the foremost of each shape that could run
  std::map<std::string, std::set<const Lines::value_type*>> shapes_with_;  // by teacher
  std::map<std::pair<Device, Precision>, int> capacity_;
  std::set<std::string> teachers_;  // available
};

}  // namespace mimeo
