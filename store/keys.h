// The keys of all families of the store. A job's id has its length before it, so that the keys of job j1 are never a
// prefix of those of j12. Pure functions.
//
//   journal    number                                 events from 0
//   snapshots  entries . index                        of the journal's first `entries` events; index 0 is the head
//   manifests  job . 'c' . step                       checkpoint manifests
//              '\0' . job                             a deleted job whose bytes are not all removed yet
//   chunks     job . step . content id . index        (the content id is length-prefixed too)
//   metrics    job . 's' . step, job . 'e' . step     step metrics, evaluations
//              job . 'n' . name                       each name of a metric that the job ever reported
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "store/key_value_store.h"

namespace mimeo {

// One byte of length, then the text. REQUIRES: text.size() <= limits::kNameBytes, which is below 256.
inline std::string NameKey(absl::string_view text) {
  return absl::StrCat(std::string(1, static_cast<char>(text.size())), text);
}

inline std::string ManifestPrefix(absl::string_view job_id) { return absl::StrCat(NameKey(job_id), "c"); }
inline std::string ManifestKey(absl::string_view job_id, int64_t step) {
  return absl::StrCat(ManifestPrefix(job_id), OrderedKey(step));
}

inline std::string StepPrefix(absl::string_view job_id) { return absl::StrCat(NameKey(job_id), "s"); }
inline std::string EvaluationPrefix(absl::string_view job_id) { return absl::StrCat(NameKey(job_id), "e"); }
inline std::string MetricNamePrefix(absl::string_view job_id) { return absl::StrCat(NameKey(job_id), "n"); }

}  // namespace mimeo
