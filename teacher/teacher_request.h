// What a resolved job wants of its teachers: MimicSpec and FocusedMask, a person's words, become FeatureWishes here and
// nowhere else. Pure; no torch.
#pragma once

#include <string>
#include <vector>

#include "model/shapes.h"
#include "proto/job.pb.h"
#include "proto/teacher.pb.h"

namespace mimeo {

// One wish of a job at one teacher, and the objectives (by name) that mimic what comes of it.
struct TeacherRequest {
  std::string teacher = {};
  FeatureWish wish = {};
  MimicTokens tokens = MIMIC_TOKENS_VISIBLE;  // of which patches
  std::vector<std::string> objectives = {};   // none: only masks are wanted, and the wish says so
  ImageShape image = {};                      // of the crops
  bool same_in_all_views = false;             // as MaskSpec; where masks are drawn: all views have the first one's plan
  bool draws_masks() const { return wish.has_focused(); }
  bool wants_features() const { return !wish.no_features(); }
};

// Of what an objective mimics, on the grid of the student's patches.
FeatureWish WishOf(const MimicSpec& mimic, const JobSpec& spec);

// Equal ones are one. At most one draws masks, and is the first: the others' features are of the patches that it draws.
// REQUIRES: a resolved spec.
std::vector<TeacherRequest> TeacherRequests(const JobSpec& spec);

// Tokens that come back for each view and mask, the class token's among them.
int NumTokens(const TeacherRequest& request, const JobSpec& spec);

}  // namespace mimeo
