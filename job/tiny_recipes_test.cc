// A tiny recipe is its parent's method in small: what the method's authors say of it is the same in both, and only
// sizes, rates and colours are its own.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

std::string TextOf(const std::string& path) {
  const auto text = ReadFile(path);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.ok() ? *text : "";
}

JobSpec Resolved(const std::string& path) {
  auto spec = ParseRecipe(TextOf(path), path);
  EXPECT_TRUE(spec.ok()) << spec.status();
  spec->mutable_data()->set_path("photos");
  const auto resolved = ResolveJobSpec(*spec);
  EXPECT_TRUE(resolved.ok()) << path << ": " << resolved.status();
  return *resolved;
}

// The first recipe that the text names: "... Method as recipes/mae_b.textproto, where each number has its source ..."
std::string ParentOf(const std::string& path) {
  const std::string text = TextOf(path);
  const size_t begin = text.find("recipes/"), end = text.find(".textproto", begin);
  return begin == std::string::npos || end == std::string::npos
             ? ""
             : absl::StrCat(text.substr(begin, end - begin), ".textproto");
}

// What a method's authors say of it, as text.
std::string Method(const JobSpec& spec) {
  const AdamWSpec& adamw = spec.optimizer().adamw();
  const VitSpec& vit = spec.encoder().vit();
  std::string text = absl::StrCat("init ", spec.init(), ", betas ", adamw.beta1(), " ", adamw.beta2(), ", decay ",
                                  adamw.weight_decay(), " to ", adamw.final_weight_decay(), " of ", adamw.decayed());
  absl::StrAppend(&text, ", clip ", spec.optimizer().max_grad_norm(), " ", spec.optimizer().clipping());
  absl::StrAppend(&text, ", schedule ", spec.schedule().end_after_last_step(), spec.schedule().peak_in_warmup());
  absl::StrAppend(&text, ", positions ", vit.positions(), " ", vit.position_offset(), ", scale ", vit.layer_scale());
  for (const ViewSpec& views : spec.views()) absl::StrAppend(&text, ", crop ", views.interpolation());
  return text;
}

TEST(TinyRecipesTest, TheirMethodIsTheirParents) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("recipes")) {
    const std::string path = absl::StrCat("recipes/", entry.path().filename().string());
    if (!absl::StartsWith(path, "recipes/tiny_") || !absl::EndsWith(path, ".textproto")) continue;
    const std::string parent = ParentOf(path);
    ASSERT_NE(parent, "") << path << " does not say whose method it has";
    EXPECT_EQ(Method(Resolved(path)), Method(Resolved(parent))) << path << " and " << parent;
    ++count;
  }
  EXPECT_GE(count, 16);
}

}  // namespace
}  // namespace mimeo
