#include "teacher/teacher_request.h"

#include <algorithm>

#include "job/job_shape.h"
#include "teacher/feature_wish.h"

namespace mimeo {
namespace {

TeacherRequest RequestTo(const std::string& teacher, const FeatureWish& wish, const JobSpec& spec) {
  TeacherRequest request;
  request.teacher = teacher;
  request.wish = wish;
  request.image = {spec.data().channels(), spec.data().image_px(), spec.data().image_width_px()};
  request.same_in_all_views = spec.mask().same_in_all_views();
  return request;
}

FeatureWish AtPatchesOf(const JobSpec& spec) {
  FeatureWish wish;
  wish.set_rows(PatchRows(spec));
  wish.set_cols(PatchCols(spec));
  return wish;
}

// Masks come back with the features of what they leave visible, where somebody wants those of the same teacher.
void DrawMasks(const JobSpec& spec, std::vector<TeacherRequest>* requests) {
  const FocusedMask& focused = spec.mask().focused();
  auto first = std::find_if(requests->begin(), requests->end(), [&](const TeacherRequest& request) {
    return request.teacher == focused.teacher() && request.tokens == MIMIC_TOKENS_VISIBLE;
  });
  if (first == requests->end()) {
    first = requests->insert(requests->begin(), RequestTo(focused.teacher(), AtPatchesOf(spec), spec));
    first->wish.set_no_features(true);
  }
  first->wish.mutable_focused()->set_most_attended(focused.most_attended());
  first->wish.mutable_focused()->set_num_visible(NumVisible(spec));
  std::rotate(requests->begin(), first, first + 1);
}

}  // namespace

FeatureWish WishOf(const MimicSpec& mimic, const JobSpec& spec) {
  FeatureWish wish = AtPatchesOf(spec);
  wish.set_layer(mimic.teacher_layer());
  wish.set_projected(mimic.projected());
  wish.set_class_token(mimic.class_token());
  return wish;
}

std::vector<TeacherRequest> TeacherRequests(const JobSpec& spec) {
  std::vector<TeacherRequest> requests;
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (!objective.has_mimic()) continue;
    const MimicSpec& mimic = objective.mimic();
    const FeatureWish wish = WishOf(mimic, spec);
    auto same = std::find_if(requests.begin(), requests.end(), [&](const TeacherRequest& request) {
      return request.teacher == mimic.teacher() && request.tokens == mimic.tokens() &&
             WishKey(request.wish) == WishKey(wish);
    });
    if (same == requests.end()) {
      same = requests.insert(same, RequestTo(mimic.teacher(), wish, spec));
      same->tokens = mimic.tokens();
    }
    same->objectives.push_back(objective.name());
  }
  if (spec.mask().has_focused()) DrawMasks(spec, &requests);
  return requests;
}

int NumTokens(const TeacherRequest& request, const JobSpec& spec) {
  const int visible = NumVisible(spec), all = NumPatches(spec);
  const int patches = request.tokens == MIMIC_TOKENS_ALL      ? all
                      : request.tokens == MIMIC_TOKENS_HIDDEN ? all - visible
                                                              : visible;
  return patches + (request.wish.class_token() ? 1 : 0);
}

}  // namespace mimeo
