#include "client/evaluation_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace mimeo {
namespace {

using testing::HasSubstr;

class EvaluationFlagsTest : public testing::Test {
 protected:
  EvaluationFlagsTest() {
    spec_.mutable_data()->set_path("examples/train");
    spec_.mutable_evaluation()->set_path("examples/validation");
    spec_.mutable_evaluation()->set_bank_path("examples/bank");
    spec_.mutable_evaluation()->set_knn_k(7);
  }
  std::string Apply(const std::string& data, const std::vector<std::string>& sets = {}) {
    return ApplyEvaluationFlags(flags_, data, sets, &spec_);
  }
  bool IsAsTheRecipeSays() const {
    const EvaluationSpec& evaluation = spec_.evaluation();
    return evaluation.path() == "examples/validation" && evaluation.bank_path() == "examples/bank" &&
           !evaluation.has_hold_out();
  }

  JobSpec spec_;
  EvaluationFlags flags_;
};

TEST_F(EvaluationFlagsTest, APartOfOtherPhotosIsHeldOutInPlaceOfTheRecipesImages) {
  EXPECT_EQ(
      Apply("mine"),
      "the recipe's evaluation.path examples/validation is of other photos and is left out; this job holds out 10 % "
      "of mine by a digest of their bytes, never trained on (--evaluate and --hold_out say something else)");
  EXPECT_FALSE(spec_.evaluation().has_path());
  EXPECT_FALSE(spec_.evaluation().has_bank_path());
  EXPECT_EQ(spec_.evaluation().hold_out(), 0.1);
  EXPECT_EQ(spec_.evaluation().knn_k(), 7);
}

TEST_F(EvaluationFlagsTest, TheRecipesImagesStandWithItsOwnPhotos) {
  EXPECT_EQ(Apply(""), "");
  EXPECT_TRUE(IsAsTheRecipeSays());
  EXPECT_EQ(Apply("./examples/../examples/train"), "");
  EXPECT_TRUE(IsAsTheRecipeSays());
}

TEST_F(EvaluationFlagsTest, WhatSetSaysStands) {
  for (const char* set : {"evaluation.path=x", "evaluation.bank_path=", "evaluation.hold_out=0"}) {
    EXPECT_EQ(Apply("mine", {"seed=3", set}), "") << set;
    EXPECT_TRUE(IsAsTheRecipeSays()) << set;
  }
  EXPECT_NE(Apply("mine", {"evaluation.knn_k=3"}), "") << "it says how, and not by what";
}

TEST_F(EvaluationFlagsTest, ARecipeThatEvaluatesNothingGoesOnSo) {
  spec_.clear_evaluation();
  EXPECT_EQ(Apply("mine"), "");
  EXPECT_FALSE(spec_.evaluation().has_hold_out());
  spec_.mutable_evaluation()->set_hold_out(0.3);
  EXPECT_EQ(Apply("mine"), "");
  EXPECT_EQ(spec_.evaluation().hold_out(), 0.3) << "a share goes with any photos";
}

TEST_F(EvaluationFlagsTest, EvaluateNamesOtherImagesAndTheBankIsTheJobsPhotos) {
  flags_.evaluate = "others";
  spec_.mutable_evaluation()->set_hold_out(0.3);
  EXPECT_EQ(Apply("mine"), "");
  EXPECT_EQ(spec_.evaluation().path(), "others");
  EXPECT_FALSE(spec_.evaluation().has_bank_path());
  EXPECT_FALSE(spec_.evaluation().has_hold_out());
  spec_.mutable_evaluation()->set_bank_path("examples/bank");
  EXPECT_EQ(Apply(""), "");
  EXPECT_EQ(spec_.evaluation().bank_path(), "examples/bank");
}

TEST_F(EvaluationFlagsTest, HoldOutIsInPlaceOfTheRecipesImages) {
  flags_.hold_out = 0.2;
  EXPECT_EQ(Apply(""), "");
  EXPECT_FALSE(spec_.evaluation().has_path());
  EXPECT_EQ(spec_.evaluation().hold_out(), 0.2);
  flags_.hold_out = 0;
  EXPECT_EQ(Apply("mine"), "") << "a person wants nothing measured";
  EXPECT_EQ(spec_.evaluation().hold_out(), 0);
}

TEST_F(EvaluationFlagsTest, TheFlagsHaveBoundsAndExcludeEachOther) {
  const auto parse = [this](std::string line) -> std::string {
    CLI::App app;
    flags_ = {};
    AddEvaluationFlags(&app, &flags_);
    try {
      app.parse(std::move(line));
    } catch (const CLI::ParseError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(parse("--hold_out 0.25"), "");
  EXPECT_EQ(flags_.hold_out, 0.25);
  EXPECT_EQ(parse(""), "");
  EXPECT_FALSE(flags_.hold_out.has_value());
  EXPECT_THAT(parse("--hold_out 0.6"), HasSubstr("0.6 not in range"));
  EXPECT_THAT(parse("--hold_out 0.1 --evaluate x"), HasSubstr("excludes"));
}

}  // namespace
}  // namespace mimeo
