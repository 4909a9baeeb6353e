// Recipes as text: TextFormat with every problem collected, and the stable text of a spec.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/limits.h"
#include "base/text.h"
#include "job/field_names.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using google::protobuf::TextFormat;

constexpr size_t kProblemsNamed = 100;
constexpr int kNestedMost = 100;  // of nested messages; the deepest field of a job lies 4 below it

// Keeps what TextFormat says, as "source:line:column: text". Unknown fields come as warnings; they are errors to us.
class RecipeProblems : public google::protobuf::io::ErrorCollector {
 public:
  explicit RecipeProblems(std::string source) : source_(std::move(source)) {}  // source: text
  void AddError(int line, int column, const std::string& message) override { Add(line, column, message); }
  void AddWarning(int line, int column, const std::string& message) override { Add(line, column, message); }
  bool empty() const { return lines_.empty(); }
  // One a line; of very many the first ones and how many there are.
  std::string Text() const {
    const std::string more =
        count_ > lines_.size() ? absl::StrCat("\n", source_, ": and ", count_ - lines_.size(), " problems more") : "";
    return absl::StrCat(absl::StrJoin(lines_, "\n"), more);
  }

 private:
  void Add(int line, int column, const std::string& message) {
    if (++count_ > kProblemsNamed) return;
    const std::string place = line < 0 ? source_ : absl::StrCat(source_, ":", line + 1, ":", column + 1);
    lines_.push_back(absl::StrCat(place, ": ", ToText(NameWhatIsKnown(message), limits::kShortReasonBytes)));
  }
  const std::string source_;
  std::vector<std::string> lines_;
  size_t count_ = 0;
};

// "", or what the first character is that no recipe has: a byte that is not UTF-8 text, or a NUL.
std::string NoText(absl::string_view text, const std::string& source) {
  int64_t number = 0;
  while (!text.empty()) {
    ++number;
    const absl::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find('\0') != absl::string_view::npos) {
      return absl::StrCat(source, ":", number, ": holds a NUL; is this a recipe, a text proto of a job?");
    }
    if (IsUtf8(line)) continue;
    return absl::StrCat(source, ":", number, ": not UTF-8: \"", ToText(line, limits::kShortReasonBytes),
                        "\"; a recipe is UTF-8 text");
  }
  return "";
}

}  // namespace

absl::StatusOr<JobSpec> ParseRecipe(absl::string_view text, absl::string_view source_name) {
  const std::string source = ToText(source_name);
  if (static_cast<int64_t>(text.size()) > limits::kRecipeBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": ", text.size(), " bytes; a recipe has at most ", limits::kRecipeBytes));
  }
  if (const std::string problem = NoText(text, source); !problem.empty()) return absl::InvalidArgumentError(problem);
  RecipeProblems problems(source);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&problems);
  parser.AllowUnknownField(true);  // so that all of them are listed, not only the first
  parser.SetRecursionLimit(kNestedMost);
  JobSpec spec;
  const bool parsed = parser.ParseFromString(std::string(text), &spec);
  if (!problems.empty()) return absl::InvalidArgumentError(problems.Text());
  if (!parsed) return absl::InvalidArgumentError(absl::StrCat(source, ": not a text proto of a job"));
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
