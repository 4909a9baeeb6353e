#include "coordinator/event_job.h"

namespace mimeo {

std::string JobOf(const Event& event) {
  switch (event.kind_case()) {
    case Event::kJobSubmitted:
      return event.job_submitted().job_id();
    case Event::kJobControlled:
      return event.job_controlled().job_id();
    case Event::kJobExtended:
      return event.job_extended().job_id();
    case Event::kGangPlaced:
      return event.gang_placed().job_id();
    case Event::kGangEnded:
      return event.gang_ended().job_id();
    case Event::kDatasetPinned:
      return event.dataset_pinned().job_id();
    case Event::kCheckpointCommitted:
      return event.checkpoint_committed().manifest().job_id();
    case Event::kCheckpointDeleted:
      return event.checkpoint_deleted().job_id();
    case Event::kJobFinished:
      return event.job_finished().job_id();
    case Event::kJobPaused:
      return event.job_paused().job_id();
    case Event::kJobDeleted:
      return event.job_deleted().job_id();
    case Event::kDataDescribed:
      return event.data_described().job_id();
    case Event::kTeacherPinned:
      return event.teacher_pinned().job_id();
    default:
      return "";
  }
}

}  // namespace mimeo
