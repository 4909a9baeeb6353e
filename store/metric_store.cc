#include "store/metric_store.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
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
    if (record.step() < 0) return absl::InvalidArgumentError(absl::StrCat("step: ", record.step(), "; must not be negative"));
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
                                                const std::string& prefix, const std::string& start, size_t limit) {
  std::vector<Record> records;
  absl::Status status;
  if (limit == 0) return records;
  RETURN_IF_ERROR(store.Scan(Family::kMetrics, prefix, start, [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<Record> record = ParseRecord<Record>(job_id, key, value);
    status = record.status();
    if (!status.ok()) return false;
    records.push_back(*std::move(record));
    return records.size() < limit;
  }));
  RETURN_IF_ERROR(status);
  return records;
}

}  // namespace

absl::Status MetricStore::PutSteps(absl::string_view job_id, const std::vector<StepMetrics>& steps) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const WriteBatch batch, NewerRecords(*store_, job_id, StepPrefix(job_id), steps));
  return store_->Write(batch, Durability::kBuffered);
}

absl::Status MetricStore::PutEvaluations(absl::string_view job_id, const std::vector<EvaluationResult>& evaluations) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const WriteBatch batch, NewerRecords(*store_, job_id, EvaluationPrefix(job_id), evaluations));
  return store_->Write(batch, Durability::kBuffered);
}

absl::StatusOr<std::vector<StepMetrics>> MetricStore::Steps(absl::string_view job_id, int64_t after_step, int limit) const {
  const std::string prefix = StepPrefix(job_id);
  const std::string start = absl::StrCat(prefix, OrderedKey(after_step < 0 ? 0 : after_step + 1));
  return ReadRecords<StepMetrics>(*store_, job_id, prefix, start, limit < 0 ? 0 : limit);
}

absl::StatusOr<std::vector<EvaluationResult>> MetricStore::Evaluations(absl::string_view job_id) const {
  return ReadRecords<EvaluationResult>(*store_, job_id, EvaluationPrefix(job_id), "", limits::kEvaluationsPerJob);
}

}  // namespace mimeo
