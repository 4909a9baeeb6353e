// How large a spec may be, and that no number in one makes the checks themselves fail: the coordinator asks them of
// whatever somebody sent.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/text.h"
#include "job/job_shape.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using Field = google::protobuf::FieldDescriptor;
using ::testing::AllOf;
using ::testing::HasSubstr;

JobSpec Good() {
  const auto spec = ParseRecipe(R"(
      data { path: "photos" global_batch: 64 image_px: 32 }
      encoder { vit { patch_px: 8 width: 64 depth: 2 heads: 2 } }
      objective { name: "pixels" reconstruction { decoder_width: 32 decoder_depth: 1 decoder_heads: 2 } }
      objective { name: "mimic" mimic { teacher: "clip" } }
      schedule { epochs: 10 })",
                                "test");
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *spec;
}

std::string ProblemsOf(const JobSpec& spec) { return std::string(ResolveJobSpec(spec).status().message()); }

// Makes `spec` of `bytes` bytes, with what only a newer version would know: that counts as all else does.
void Fill(int64_t bytes, JobSpec* spec) {
  google::protobuf::UnknownFieldSet* const unknown = spec->GetReflection()->MutableUnknownFields(spec);
  unknown->Clear();
  const int64_t missing = bytes - static_cast<int64_t>(spec->ByteSizeLong());
  for (int64_t length = missing; static_cast<int64_t>(spec->ByteSizeLong()) != bytes; --length) {
    ASSERT_GE(length, 0);
    unknown->Clear();
    unknown->AddLengthDelimited(1000, std::string(static_cast<size_t>(length), 'x'));
  }
}

TEST(SpecBoundsTest, AResolvedSpecHasABound) {
  const auto resolved = ResolveJobSpec(Good());
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  JobSpec spec = *resolved;
  Fill(limits::kSpecBytes, &spec);
  EXPECT_EQ(ProblemsOf(spec), "");
  Fill(limits::kSpecBytes + 1, &spec);
  EXPECT_EQ(ProblemsOf(spec), "spec: 32769 bytes; at most 32768; shorten its paths, or leave out what is repeated");
  // What fits as it was given may be too large with its defaults.
  spec = Good();
  Fill(limits::kSpecBytes, &spec);
  EXPECT_THAT(ProblemsOf(spec), HasSubstr("spec: 3"));
}

TEST(SpecBoundsTest, APathHasABoundAndIsText) {
  const std::vector<std::string> fields = {"data.path", "evaluation.path", "evaluation.bank_path", "init_weights"};
  const auto problems = [](int which, const std::string& path) {
    JobSpec spec = Good();
    if (which == 0) spec.mutable_data()->set_path(path);
    if (which == 1 || which == 2) spec.mutable_evaluation()->set_path(which == 1 ? path : "held_out");
    if (which == 2) spec.mutable_evaluation()->set_bank_path(path);
    if (which == 3) spec.set_init_weights(path);
    return ProblemsOf(spec);
  };
  for (int which = 0; which < 4; ++which) {
    const std::string& field = fields[which];
    const std::string longest(limits::kPathBytes, 'p');
    EXPECT_EQ(problems(which, longest), "");
    EXPECT_EQ(problems(which, longest + "p"), field + ": 4097 bytes; at most 4096");
    EXPECT_THAT(problems(which, std::string(10 << 20, 'p')),
                AllOf(HasSubstr("spec: 104"), HasSubstr(field + ": 10485760 bytes; at most 4096")));
    for (const absl::string_view odd : {absl::string_view("a\0b", 3), absl::string_view("\x1b[2J"),
                                        absl::string_view("a\nb"), absl::string_view("\xe2\x80\xae")}) {
      EXPECT_EQ(problems(which, std::string(odd)),
                absl::StrCat(field, ": \"", ToText(odd), "\" has a control character; rename what has this name"));
    }
    const std::string characters = "caf\xc3\xa9 \xe7\x8c\xab \xf0\x9f\x90\x88";
    for (size_t cut = 1; cut <= characters.size(); ++cut) {
      const std::string path = characters.substr(0, cut);
      EXPECT_EQ(
          problems(which, path),
          IsUtf8(path) ? "" : absl::StrCat(field, ": \"", ToText(path), "\" is not UTF-8; rename what has this name"));
    }
  }
}

TEST(SpecBoundsTest, WhatIsRepeatedHasABound) {
  JobSpec spec = Good();
  const ObjectiveSpec mimic = spec.objective(1);
  while (spec.objective_size() < limits::kObjectives) {
    spec.add_objective()->CopyFrom(mimic);
    spec.mutable_objective(spec.objective_size() - 1)->set_name(absl::StrCat("mimic", spec.objective_size()));
  }
  EXPECT_EQ(ProblemsOf(spec), "");
  spec.add_objective()->CopyFrom(mimic);
  EXPECT_EQ(ProblemsOf(spec), "objective: given 17 times; at most 16");

  spec = Good();
  for (int i = 0; i < limits::kViews; ++i) spec.add_views();
  EXPECT_EQ(ProblemsOf(spec), "");
  spec.add_views();
  EXPECT_EQ(ProblemsOf(spec), "views: 17 groups; at most 16");
}

// A problem quotes what was given: as text, and short enough that the other problems are seen.
TEST(SpecBoundsTest, ProblemsAreText) {
  JobSpec spec = Good();
  spec.set_name(std::string("\x1b[2J\0\n", 6) + std::string(8000, 'n'));
  spec.mutable_objective(0)->set_name("\xff" + std::string(8000, 'o'));
  spec.mutable_objective(1)->mutable_mimic()->set_teacher("\xe7\x8c");
  spec.mutable_schedule()->set_epochs(-1);
  const std::string problems = ProblemsOf(spec);
  EXPECT_EQ(problems, ToLines(problems));
  EXPECT_LT(problems.size(), 4u * limits::kShortReasonBytes);
  EXPECT_THAT(problems, AllOf(HasSubstr("name: \"\\x1b[2J\\x00\\x0an"), HasSubstr("objective[\\xffooo"),
                              HasSubstr("\"\\xe7\\x8c\" is not a teacher's name"), HasSubstr("schedule.epochs: -1")));
}

// Every field of `message` that is given and holds no message, with the message that it is of.
void ForEachValue(google::protobuf::Message* message,
                  const std::function<void(google::protobuf::Message*, const Field*)>& visit) {
  const google::protobuf::Reflection* const reflection = message->GetReflection();
  std::vector<const Field*> fields;
  reflection->ListFields(*message, &fields);
  for (const Field* field : fields) {
    if (field->cpp_type() != Field::CPPTYPE_MESSAGE) {
      if (!field->is_repeated()) visit(message, field);
    } else if (!field->is_repeated()) {
      ForEachValue(reflection->MutableMessage(message, field), visit);
    } else {
      for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
        ForEachValue(reflection->MutableRepeatedMessage(message, field, i), visit);
      }
    }
  }
}

// False: the field holds no number, or not this one.
bool Set(double value, google::protobuf::Message* message, const Field* field) {
  const google::protobuf::Reflection* const reflection = message->GetReflection();
  switch (field->cpp_type()) {
    case Field::CPPTYPE_DOUBLE:
      reflection->SetDouble(message, field, value);
      return true;
    case Field::CPPTYPE_INT32:
    case Field::CPPTYPE_ENUM:
      if (!(std::abs(value) < 3e9)) return false;
      if (field->cpp_type() == Field::CPPTYPE_INT32)
        reflection->SetInt32(message, field, static_cast<int32_t>(value));
      else
        reflection->SetEnumValue(message, field, static_cast<int>(value));
      return true;
    case Field::CPPTYPE_INT64:
      if (!(std::abs(value) <= 1e18)) return false;
      reflection->SetInt64(message, field, static_cast<int64_t>(value));
      return true;
    default:
      return false;
  }
}

TEST(SpecBoundsTest, EveryNumberIsAnswered) {
  const auto recipes = {
      R"(data { path: "p" global_batch: 8 image_px: 32 } views { count: 2 color {} } views { count: 1 image_px: 16 } mask { none {} } ema {}
         encoder { vit { patch_px: 8 width: 64 depth: 2 heads: 2 } } objective { self_distillation {} } schedule { epochs: 3 } evaluation { path: "e" })",
      R"(data { path: "p" global_batch: 8 image_px: 32 } mask { grid {} } encoder { vit { patch_px: 8 width: 64 depth: 2 heads: 2 } }
         objective { reconstruction {} weight_schedule { final_weight: 1 } } objective { mimic { teacher: "t" student_layer: 1 } } schedule { steps: 3 })",
      R"(data { path: "p" global_batch: 8 image_px: 64 contrast_group: 4 } views { count: 2 } mask { random {} unit_patches: 2 }
         encoder { conv_vit { stage_width: [16, 32] stage_depth: [1, 1] width: 64 depth: 2 heads: 2 } }
         objective { contrastive { info_nce {} } } schedule { steps: 3 })"};
  int answered = 0;
  for (const char* recipe : recipes) {
    const auto parsed = ParseRecipe(recipe, "test");
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    const auto good = ResolveJobSpec(*parsed);
    ASSERT_TRUE(good.ok()) << good.status();
    JobSpec spec = *good;
    ForEachValue(&spec, [&](google::protobuf::Message* message, const Field* field) {
      const std::unique_ptr<google::protobuf::Message> before(message->New());
      before->CopyFrom(*message);
      for (const double value : {0.0, -1.0, 1.0, 2147483647.0, -2147483648.0, 1e18, 1e308, HUGE_VAL, std::nan("")}) {
        if (!Set(value, message, field)) continue;
        const auto resolved = ResolveJobSpec(spec);
        EXPECT_TRUE(resolved.ok() || absl::IsInvalidArgument(resolved.status()))
            << field->full_name() << " " << value << " " << resolved.status();
        ++answered;
      }
      message->CopyFrom(*before);
    });
  }
  EXPECT_GT(answered, 1000);
}

TEST(SpecBoundsTest, ACountOfViewsCostsNoMemory) {
  JobSpec spec = *ResolveJobSpec(Good());
  for (const int count : {std::numeric_limits<int>::max(), std::numeric_limits<int>::min(), -1}) {
    spec.mutable_views(0)->set_count(count);
    EXPECT_LE(EachView(spec).size(), static_cast<size_t>(limits::kViews));
    EXPECT_THAT(ProblemsOf(spec), HasSubstr(absl::StrCat("views.count: ", count, " is not between 1 and 16")));
  }
}

}  // namespace
}  // namespace mimeo
