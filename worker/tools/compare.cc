#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "evaluation/comparison.h"
#include "evaluation/labelled_features.h"
#include "evaluation/linear_probe.h"
#include "job/job_spec.h"
#include "model/patches.h"
#include "spdlog/spdlog.h"
#include "worker/tools/encoder_file.h"
#include "worker/tools/labelled_flags.h"
#include "worker/tools/left_out_json.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"
#include "worker/training/starting_encoder.h"

namespace mimeo {
namespace {

constexpr char kEncoder[] = "encoder";
constexpr char kStart[] = "start";
constexpr char kRawPixels[] = "raw_pixels";
constexpr char kMajority[] = "majority";
constexpr size_t kMostAgainst = 16;  // each is held in memory while the images are looked at

struct Flags {
  LabelledFlags labelled;
  std::string job;
  std::vector<std::string> against;  // NAME=PATH
};

// An encoder of the comparison, with what keeps it alive.
struct Contestant {
  std::string name;
  std::shared_ptr<void> owner;
  MeasuredEncoder measured;
};

struct NamedPath {
  std::string name, path;
};

absl::StatusOr<std::vector<NamedPath>> ParseAgainst(const std::vector<std::string>& values) {
  std::vector<NamedPath> parsed;
  std::set<std::string> names = {kEncoder, kStart, kRawPixels, kMajority};
  if (values.size() > kMostAgainst) {
    return absl::InvalidArgumentError(
        absl::StrCat("--against: ", values.size(), " encoders; at most ", kMostAgainst, " at a time"));
  }
  for (const std::string& value : values) {
    const size_t equals = value.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == value.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--against=", ToText(value), ": should be NAME=PATH, such as dinov2=weights/dinov2"));
    }
    NamedPath named = {value.substr(0, equals), value.substr(equals + 1)};
    if (!names.insert(named.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("--against=", ToText(value), ": there is a row \"", ToText(named.name), "\" already"));
    }
    parsed.push_back(std::move(named));
  }
  return parsed;
}

absl::StatusOr<Contestant> Loaded(const std::string& name, const std::string& path, int image_px) {
  ASSIGN_OR_RETURN(LoadedEncoder loaded, OpenEncoder(path, image_px));
  auto kept = std::make_shared<LoadedEncoder>(std::move(loaded));
  return Contestant{name, kept, {kept->encoder.get(), kept->statistics}};
}

absl::StatusOr<JobSpec> ReadJob(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ASSIGN_OR_RETURN(const JobSpec recipe, ParseRecipe(text, path));
  absl::StatusOr<JobSpec> resolved = ResolveJobSpec(recipe);
  if (resolved.ok()) return resolved;
  return absl::Status(resolved.status().code(), absl::StrCat("--job=", path, ": ", resolved.status().message()));
}

// In float32, as all the others are, whatever the job's precision: what is compared is weights.
absl::StatusOr<Contestant> StartOf(JobSpec spec) {
  spec.mutable_resources()->set_precision(PRECISION_FP32);
  ASSIGN_OR_RETURN(StartingEncoder start, MakeStartingEncoder(spec));
  for (const std::string& note : start.notes) spdlog::info("start: {}", note);
  auto kept = std::make_shared<StartingEncoder>(std::move(start));
  return Contestant{kStart, kept, {kept->encoder.get(), StatisticsOf(spec.data())}};
}

absl::StatusOr<std::vector<Contestant>> OpenContestants(const Flags& flags, const std::optional<JobSpec>& job) {
  ASSIGN_OR_RETURN(const std::vector<NamedPath> against, ParseAgainst(flags.against));
  std::vector<Contestant> contestants;
  ASSIGN_OR_RETURN(Contestant encoder, Loaded(kEncoder, flags.labelled.weights, flags.labelled.image_px));
  contestants.push_back(std::move(encoder));
  if (job.has_value()) {
    ASSIGN_OR_RETURN(Contestant start, StartOf(*job));
    contestants.push_back(std::move(start));
  }
  for (const NamedPath& other : against) {
    ASSIGN_OR_RETURN(Contestant loaded, Loaded(other.name, other.path, flags.labelled.image_px));
    contestants.push_back(std::move(loaded));
  }
  return contestants;
}

absl::StatusOr<std::vector<ComparedRow>> MeasureRows(const std::vector<Contestant>& contestants,
                                                     const LabelledFeatures& features) {
  const KnnOptions options;
  std::vector<ComparedRow> rows;
  for (size_t i = 0; i < contestants.size(); ++i) {
    spdlog::info("k-NN and linear probe of {}", ToText(contestants[i].name));
    ASSIGN_OR_RETURN(ComparedRow row, MeasureRow(contestants[i].name, features.encoders[i], options));
    rows.push_back(std::move(row));
  }
  spdlog::info("k-NN and linear probe of {}", kRawPixels);
  ASSIGN_OR_RETURN(ComparedRow pixels, MeasureRow(kRawPixels, features.raw_pixels, options));
  rows.push_back(std::move(pixels));
  ComparedRow majority = {kMajority, AlwaysMostFrequent(rows.front().knn.truth), std::nullopt};
  if (rows.front().probe.has_value()) majority.probe = majority.knn;
  rows.push_back(std::move(majority));
  return rows;
}

nlohmann::ordered_json MeasuredJson(const MeasuredImages& measured) {
  nlohmann::ordered_json json = {{"images", measured.images}, {"unlabelled", measured.unlabelled}};
  AddLeftOut(measured.contents, measured.undecodable, &json);
  return json;
}

nlohmann::ordered_json RowJson(const ComparedRow& row) {
  nlohmann::ordered_json json = {
      {"name", row.name}, {"knn", Accuracy(row.knn)}, {"knn_balanced", BalancedAccuracy(row.knn)}};
  json["probe"] = json["probe_balanced"] = nullptr;
  if (!row.probe.has_value()) return json;
  json["probe"] = Accuracy(*row.probe);
  json["probe_balanced"] = BalancedAccuracy(*row.probe);
  return json;
}

nlohmann::ordered_json DifferenceJson(const RowDifference& difference) {
  return {{"of", difference.of},
          {"against", difference.against},
          {"measure", difference.measure},
          {"points", 100 * difference.found.difference},
          {"low", 100 * difference.found.low},
          {"high", 100 * difference.found.high}};
}

void AddNotes(const LabelledFeatures& features, const std::vector<ComparedRow>& rows, nlohmann::ordered_json* result) {
  nlohmann::ordered_json& notes = (*result)["notes"] = features.notes;
  if (!rows.front().probe.has_value()) {
    notes.push_back(absl::StrCat("the bank has ", features.bank.images, " images, and a linear probe needs ",
                                 kFewestBankRows, ": there is none"));
  }
}

// Where nothing else says what is judged, it is what the job did not train on.
void TakeDivision(const JobSpec& job, LabelledFlags* flags) {
  if (flags->members.empty()) flags->members = job.data().members();
  if (flags->bank.empty() && flags->hold_out == 0) flags->hold_out = job.evaluation().hold_out();
}

absl::Status Compare(Flags flags) {
  std::optional<JobSpec> job;
  if (!flags.job.empty()) {
    ASSIGN_OR_RETURN(job, ReadJob(flags.job));
    TakeDivision(*job, &flags.labelled);
  }
  ASSIGN_OR_RETURN(const std::vector<Contestant> contestants, OpenContestants(flags, job));
  ASSIGN_OR_RETURN(const LabelledSets sets, OpenSets(flags.labelled));
  std::vector<MeasuredEncoder> encoders;
  for (const Contestant& contestant : contestants) encoders.push_back(contestant.measured);
  ASSIGN_OR_RETURN(const LabelledFeatures features, EmbedByFlags(flags.labelled, sets, encoders, "compare"));
  ASSIGN_OR_RETURN(const std::vector<ComparedRow> rows, MeasureRows(contestants, features));
  const ComparedRow& first = rows.front();
  nlohmann::ordered_json result;
  result["judged"] = MeasuredJson(features.query);
  result["judged"]["classes"] = ByClass(first.knn).size();
  result["bank"] = MeasuredJson(features.bank);
  if (flags.labelled.hold_out > 0) result["hold_out"] = flags.labelled.hold_out;
  result["k"] = VotersOf(KnnOptions(), features.bank.images);
  result["temperature"] = KnnOptions().temperature;
  if (job.has_value()) {
    result["start"] = {{"kind", job->has_init_weights() ? "weights" : "untrained"}, {"weights", job->init_weights()}};
  }
  nlohmann::ordered_json& row_list = result["rows"] = nlohmann::ordered_json::array();
  for (const ComparedRow& row : rows) row_list.push_back(RowJson(row));
  nlohmann::ordered_json& differences = result["differences"] = nlohmann::ordered_json::array();
  for (const RowDifference& difference : DifferencesOfFirst(rows)) differences.push_back(DifferenceJson(difference));
  std::vector<std::pair<std::string, const Answers*>> answers = {{"knn", &first.knn}};
  if (first.probe.has_value()) answers.emplace_back("probe", &*first.probe);
  AddClasses(features, answers, &result);
  AddNotes(features, rows, &result);
  PrintResult(result);
  return absl::OkStatus();
}

}  // namespace

int RunCompare(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "An encoder beside others on the same labelled images: one JSON object on stdout. rows: k-NN (k 20, temperature "
      "0.07) and a linear probe of the encoder, of what its job started from, of raw pixels, of the most frequent "
      "class "
      "and of others. differences: by how many percentage points the encoder is better, with a 95 % interval.",
      "compare");
  AddLabelledFlags(&app, &flags.labelled);
  app.add_option("--job", flags.job,
                 "The job's recipe: its starting weights, or the untrained encoder of its seed, are a row");
  app.add_option("--against", flags.against, "NAME=FILE or NAME=FOLDER of another encoder; may be repeated")
      ->allow_extra_args(false);
  app.footer("Example:\n  worker compare --weights=out/encoder --data=photos --job=out/recipe.textproto");
  return RunVerb(&app, argc, argv, &flags.labelled.threads, [&flags] { return Compare(flags); });
}

}  // namespace mimeo
