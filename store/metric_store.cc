#include "store/metric_store.h"

#include <limits>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "store/keys.h"

namespace mimeo {
namespace {

template <typename Record>
absl::StatusOr<Record> ParseRecord(absl::string_view job_id, absl::string_view key, absl::string_view value) {
  Record record;
  if (record.ParseFromArray(value.data(), static_cast<int>(value.size()))) return record;
  const uint64_t step = ParseOrderedKey(key.substr(key.size() - sizeof(uint64_t)));
  return absl::DataLossError(absl::StrCat("metrics of job ", job_id, " step ", step, " cannot be read"));
}

// Adds the puts of the records that are not older than what is stored.
template <typename Record>
absl::StatusOr<WriteBatch> NewerRecords(const KeyValueStore& store, absl::string_view job_id, const std::string& prefix,
                                        const std::vector<Record>& records) {
  WriteBatch batch;
  std::map<std::string, int64_t> generations;  // of this batch: a step may come twice in it
  for (const Record& record : records) {
    if (record.step() < 0) {
      return absl::InvalidArgumentError(absl::StrCat("step: ", record.step(), "; must not be negative"));
    }
    const std::string key = absl::StrCat(prefix, OrderedKey(record.step()));
    auto it = generations.find(key);
    if (it == generations.end()) {
      int64_t stored = -1;
      const absl::StatusOr<std::string> bytes = store.Get(Family::kMetrics, key);
      if (bytes.ok()) {
        ASSIGN_OR_RETURN(const Record before, ParseRecord<Record>(job_id, key, *bytes));
        stored = before.generation();
      } else if (!absl::IsNotFound(bytes.status())) {
        return bytes.status();
      }
      it = generations.emplace(key, stored).first;
    }
    if (record.generation() < it->second) continue;
    it->second = record.generation();
    batch.puts.push_back({Family::kMetrics, key, record.SerializeAsString()});
  }
  return batch;
}

template <typename Record>
absl::StatusOr<std::vector<Record>> ReadRecords(const KeyValueStore& store, absl::string_view job_id,
                                                const std::string& prefix, int64_t after_step, int limit) {
  std::vector<Record> records;
  absl::Status status;
  if (limit <= 0 || after_step == std::numeric_limits<int64_t>::max()) return records;
  const std::string start = absl::StrCat(prefix, OrderedKey(after_step < 0 ? 0 : after_step + 1));
  RETURN_IF_ERROR(store.Scan(Family::kMetrics, prefix, start, [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<Record> record = ParseRecord<Record>(job_id, key, value);
    status = record.status();
    if (!status.ok()) return false;
    records.push_back(*std::move(record));
    return records.size() < static_cast<size_t>(limit);
  }));
  RETURN_IF_ERROR(status);
  return records;
}

std::set<std::string> NamesOf(const std::vector<StepMetrics>& steps) {
  std::set<std::string> names;
  for (const StepMetrics& step : steps) {
    for (const auto& [name, value] : step.terms()) names.insert(name);
    for (const auto& [name, value] : step.stats()) names.insert(name);
  }
  return names;
}

std::set<std::string> NamesOf(const std::vector<EvaluationResult>& evaluations) {
  std::set<std::string> names;
  for (const EvaluationResult& evaluation : evaluations) {
    for (const auto& [name, value] : evaluation.values()) names.insert(name);
  }
  return names;
}

// Adds the puts of those that the job has not reported before. They are kept, so that the bound holds over restarts.
absl::Status AddNewNames(const KeyValueStore& store, absl::string_view job_id, const std::set<std::string>& names,
                         WriteBatch* batch) {
  const std::string prefix = MetricNamePrefix(job_id);
  std::vector<std::string> added;
  for (const std::string& name : names) {
    const absl::Status found = store.Get(Family::kMetrics, absl::StrCat(prefix, name)).status();
    if (found.ok()) continue;
    if (!absl::IsNotFound(found)) return found;
    added.push_back(name);
  }
  if (added.empty()) return absl::OkStatus();
  size_t known = 0;
  RETURN_IF_ERROR(store.Scan(Family::kMetrics, prefix, "", [&](absl::string_view, absl::string_view) {
    return ++known < limits::kMetricNamesPerJob;
  }));
  if (known + added.size() > limits::kMetricNamesPerJob) {
    return absl::InvalidArgumentError(absl::StrCat(
        "job ", job_id, " has ", known, " names of metrics and reports ", added.size(), " new ones, \"",
        ToText(added.front(), limits::kMetricNameBytes), "\" first; at most ", limits::kMetricNamesPerJob));
  }
  for (const std::string& name : added) batch->puts.push_back({Family::kMetrics, absl::StrCat(prefix, name), ""});
  return absl::OkStatus();
}

}  // namespace

absl::Status MetricStore::PutSteps(absl::string_view job_id, const std::vector<StepMetrics>& steps) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(WriteBatch batch, NewerRecords(*store_, job_id, StepPrefix(job_id), steps));
  RETURN_IF_ERROR(AddNewNames(*store_, job_id, NamesOf(steps), &batch));
  return store_->Write(batch, Durability::kBuffered);
}

absl::Status MetricStore::PutEvaluations(absl::string_view job_id, const std::vector<EvaluationResult>& evaluations) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(WriteBatch batch, NewerRecords(*store_, job_id, EvaluationPrefix(job_id), evaluations));
  RETURN_IF_ERROR(AddNewNames(*store_, job_id, NamesOf(evaluations), &batch));
  return store_->Write(batch, Durability::kBuffered);
}

absl::StatusOr<std::vector<StepMetrics>> MetricStore::Steps(absl::string_view job_id, int64_t after_step,
                                                            int limit) const {
  return ReadRecords<StepMetrics>(*store_, job_id, StepPrefix(job_id), after_step, limit);
}

absl::StatusOr<std::vector<EvaluationResult>> MetricStore::Evaluations(absl::string_view job_id, int64_t after_step,
                                                                       int limit) const {
  return ReadRecords<EvaluationResult>(*store_, job_id, EvaluationPrefix(job_id), after_step, limit);
}

}  // namespace mimeo
