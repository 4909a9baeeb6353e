#include "client/worker_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "base/print.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kNoteWidth = 160;  // of each of the two; `-o json` has all of them

// TimeUtil's own conversions overflow where a peer says more than they hold; these saturate.
absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::string State(const Worker& worker) {
  if (worker.lease_expired()) return "gone";
  if (FromProto(worker.silent_for()) > limits::kHeartbeatsMissed * limits::kHeartbeatPeriod) return "silent";
  if (worker.leaving()) return "leaving";
  if (worker.drained()) return worker.slots_busy() > 0 ? "draining" : "drained";
  // A coordinator of an earlier version offers everything and says nothing of it.
  return worker.offered() || worker.note().empty() ? "ready" : "avoided";
}

std::string Devices(const WorkerIdentity& worker) {
  if (worker.devices().empty()) return "";
  const DeviceInfo& first = worker.devices(0);
  return absl::StrCat(worker.devices_size(), "x ", first.name(), first.bfloat16() ? ", bfloat16" : "",
                      first.nvlink() ? ", NVLink" : "");
}

std::string Note(const Worker& worker) {
  std::vector<std::string> parts;
  if (!worker.note().empty()) parts.push_back(OneLine(worker.note(), kNoteWidth));
  if (!worker.last_failure().empty()) parts.push_back("last failure: " + OneLine(worker.last_failure(), kNoteWidth));
  return absl::StrJoin(parts, "; ");
}

}  // namespace

std::string SilenceText(const google::protobuf::Duration& silent) {
  return absl::StrFormat("%.1fs", absl::ToDoubleSeconds(FromProto(silent)));
}

std::vector<std::string> WorkerHeader() {
  return {"WORKER", "STATE", "SLOTS", "BUSY", "SILENT", "HOST", "DEVICES", "NOTE"};
}

std::vector<std::string> WorkerRow(const Worker& worker) {
  return {worker.identity().id(),
          State(worker),
          absl::StrCat(worker.identity().slots()),
          absl::StrCat(worker.slots_busy()),
          SilenceText(worker.silent_for()),
          worker.identity().host(),
          Devices(worker.identity()),
          Note(worker)};
}

std::string DrainText(const Worker& worker) {
  const std::string id = ToText(worker.identity().id(), limits::kShortReasonBytes);
  const int slots = worker.identity().slots();
  if (!worker.drained()) {
    return absl::StrCat(id, " is not drained: it is offered gangs again",
                        worker.note().empty() ? "" : "; " + OneLine(worker.note(), kNoteWidth));
  }
  if (worker.slots_busy() == 0) {
    return absl::StrCat(id, " is drained: its ", Counted(slots, "slot"), slots == 1 ? " is" : " are",
                        " empty, and nothing new is placed there");
  }
  return absl::StrCat(id, " is drained: nothing new is placed there; the gangs on ", worker.slots_busy(), " of its ",
                      Counted(slots, "slot"), " move after a checkpoint");
}

}  // namespace mimeo
