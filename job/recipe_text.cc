// Recipes as text: TextFormat with every problem collected, and the stable text of a spec.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/limits.h"
#include "job/field_names.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using google::protobuf::TextFormat;

constexpr int kDepth = 100;  // of nested messages; the deepest field of a job lies 4 below it

// Keeps what TextFormat says, as "source:line:column: text". Unknown fields come as warnings; they are errors to us.
class Problems : public google::protobuf::io::ErrorCollector {
 public:
  explicit Problems(std::string source) : source_(std::move(source)) {}
  void AddError(int line, int column, const std::string& message) override { Add(line, column, message); }
  void AddWarning(int line, int column, const std::string& message) override { Add(line, column, message); }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  void Add(int line, int column, const std::string& message) {
    const std::string place = line < 0 ? source_ : absl::StrCat(source_, ":", line + 1, ":", column + 1);
    lines_.push_back(absl::StrCat(place, ": ", NameWhatIsKnown(message)));
  }
  const std::string source_;
  std::vector<std::string> lines_;
};

}  // namespace

absl::StatusOr<JobSpec> ParseRecipe(absl::string_view text, absl::string_view source_name) {
  if (static_cast<int64_t>(text.size()) > limits::kRecipeBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(source_name, ": ", text.size(), " bytes; a recipe has at most ", limits::kRecipeBytes));
  }
  Problems problems{std::string(source_name)};
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&problems);
  parser.AllowUnknownField(true);  // so that all of them are listed, not only the first
  parser.SetRecursionLimit(kDepth);
  JobSpec spec;
  const bool parsed = parser.ParseFromString(std::string(text), &spec);
  if (!problems.lines().empty()) return absl::InvalidArgumentError(absl::StrJoin(problems.lines(), "\n"));
  if (!parsed) return absl::InvalidArgumentError(absl::StrCat(source_name, ": not a text proto of a job"));
  return spec;
}

std::string JobSpecText(const JobSpec& spec) {
  TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);  // paths stay readable
  std::string text;
  printer.PrintToString(spec, &text);
  return text;
}

}  // namespace mimeo
