#include "client/worker_verbs/weights_description.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

constexpr char kTeacher[] = R"({"path": "/w", "family": "hf-vit", "digest": "00", "parameters": 2700000, "channels": 3,
  "height_px": 48, "width_px": 48, "pixel_mean": [0.485, 0.456, 0.406],
  "pixel_std": [0.229, 0.224, 0.225],
  "encoder": "encoder { vit { patch_px: 8 width: 192 depth: 6 heads: 3 positions: POSITIONS_LEARNED } }",
  "notes": []})";

TEST(WeightsDescriptionTest, TheEncoderIsReadAsABlockOfARecipe) {
  const auto weights = ParseWeightsDescription(nlohmann::json::parse(kTeacher));
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->encoder.vit().width(), 192);
  EXPECT_EQ(weights->encoder.vit().positions(), POSITIONS_LEARNED);
  EXPECT_EQ(weights->height_px, 48);
  EXPECT_EQ(weights->parameters, 2700000);
  EXPECT_EQ(weights->pixel_std, (std::vector<double>{0.229, 0.224, 0.225}));
}

TEST(WeightsDescriptionTest, WhatCannotBeTrustedIsAnError) {
  for (const char* field : {"encoder", "height_px", "width_px", "channels"}) {
    nlohmann::json json = nlohmann::json::parse(kTeacher);
    json.erase(field);
    EXPECT_FALSE(ParseWeightsDescription(json).ok()) << field;
    json[field] = "encoder { vit { width: } }";
    EXPECT_FALSE(ParseWeightsDescription(json).ok()) << field;
  }
}

}  // namespace
}  // namespace mimeo
