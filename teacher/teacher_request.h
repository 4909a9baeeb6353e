// What a resolved job wants from its teachers. MimicSpec and FocusedMask, a person's words, become FeatureWishes here
// and nowhere else. Pure; no torch.
#pragma once

#include <string>
#include <vector>

#include "model/shapes.h"
#include "proto/job.pb.h"
#include "proto/teacher.pb.h"

namespace mimeo {

// One wish of a job at one teacher, and the objectives (by name) that mimic what comes of it. The student's side of it,
// such as the distance and the weight, stays with the objective.
struct TeacherRequest {
  std::string teacher = {};
  FeatureWish wish = {};
  MimicTokens tokens = MIMIC_TOKENS_VISIBLE;  // whose features are wanted
  std::vector<std::string> objectives = {};   // none: only masks are wanted, and the wish says so
  ImageShape image = {};                      // the crops' shape
  bool same_in_all_views = false;  // as in MaskSpec; where masks are drawn: all views have the first one's plan
  bool draws_masks() const { return wish.has_focused(); }
  bool wants_features() const { return !wish.no_features(); }
};

// The wish for what an objective mimics, on the grid of the student's patches.
FeatureWish WishOf(const MimicSpec& mimic, const JobSpec& spec);

// All requests of a job; equal ones are merged. At most one draws masks, and it comes first, because the others'
// features belong to the patches that it draws. REQUIRES: a resolved spec.
std::vector<TeacherRequest> TeacherRequests(const JobSpec& spec);

// How many tokens come back for each view and mask, the class token included.
int NumTokens(const TeacherRequest& request, const JobSpec& spec);

}  // namespace mimeo
