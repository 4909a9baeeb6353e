#include "teacher/feature_wish.h"

#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/hash/hash_testing.h"

namespace mimeo {
namespace {

FeatureWish Wish() {
  FeatureWish wish;
  wish.set_rows(3), wish.set_cols(5), wish.set_layer(2), wish.set_class_token(true);
  wish.mutable_focused()->set_most_attended(true), wish.mutable_focused()->set_num_visible(4);
  return wish;
}

// One for each field, so that a field that is added later is missed here.
std::vector<FeatureWish> EachChanged() {
  std::vector<FeatureWish> wishes;
  for (void (*change)(FeatureWish*) :
       {+[](FeatureWish* w) { w->set_rows(2); }, +[](FeatureWish* w) { w->set_cols(2); },
        +[](FeatureWish* w) { w->set_layer(0); }, +[](FeatureWish* w) { w->set_projected(true); },
        +[](FeatureWish* w) { w->set_class_token(false); }, +[](FeatureWish* w) { w->clear_focused(); },
        +[](FeatureWish* w) { w->set_no_features(true); }}) {
    wishes.push_back(Wish());
    change(&wishes.back());
  }
  EXPECT_EQ(static_cast<int>(wishes.size()), FeatureWish::descriptor()->field_count());
  for (void (*change)(FocusedDraw*) :
       {+[](FocusedDraw* d) { d->set_most_attended(false); }, +[](FocusedDraw* d) { d->set_num_visible(5); },
        +[](FocusedDraw* d) { d->Clear(); }}) {
    wishes.push_back(Wish());
    change(wishes.back().mutable_focused());
  }
  return wishes;
}

TEST(WishKeyTest, WhateverDiffersTellsTwoWishesApart) {
  const WishKey key(Wish());
  EXPECT_EQ(key, WishKey(Wish()));
  std::vector<WishKey> keys = {key};
  for (const FeatureWish& other : EachChanged()) {
    EXPECT_NE(WishKey(other), key) << other.ShortDebugString();
    keys.emplace_back(other);
  }
  keys.emplace_back(FeatureWish());
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(keys));
}

TEST(WishKeyTest, AFieldThatIsWrittenAsItsDefaultIsNoOtherWish) {
  FeatureWish wish = Wish();
  wish.set_projected(false), wish.set_no_features(false);
  EXPECT_EQ(WishKey(wish), WishKey(Wish()));
}

// A peer cannot split batches, or fill a cache, by what nobody reads.
TEST(WishKeyTest, WhatThisVersionDoesNotKnowIsNoPartOfIt) {
  FeatureWish wish = Wish();
  wish.GetReflection()->MutableUnknownFields(&wish)->AddVarint(1000, 7);
  FocusedDraw* const draw = wish.mutable_focused();
  draw->GetReflection()->MutableUnknownFields(draw)->AddVarint(1000, 7);
  ASSERT_NE(wish.SerializeAsString(), Wish().SerializeAsString());
  EXPECT_EQ(WishKey(wish), WishKey(Wish()));
}

TEST(WishKeyTest, ItsBytesAreTheWishItself) {
  FeatureWish read;
  ASSERT_TRUE(read.ParseFromString(WishKey(Wish()).bytes()));
  EXPECT_EQ(read.ShortDebugString(), Wish().ShortDebugString());
  EXPECT_EQ(NumPatches(read), 15);
}

}  // namespace
}  // namespace mimeo
