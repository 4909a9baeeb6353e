// Looks through a data set before anything is trained on it: what is in it, how large the images are, which cannot be
// decoded, which are there twice. Free function; it keeps nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/data.pb.h"

namespace mimeo {

struct SurveyOptions {
  std::string members;      // Dataset::Open's
  double hold_out = 0;      // a share, or 0: then the survey says nothing of it
  int64_t looked_at = 512;  // so many images are decoded at most
  // No more pixels are decoded than about these, so that a survey of large photos takes seconds too.
  int64_t decoded_pixels = 400000000;
  // So many bytes are read at most to find out whether images of one content digest are equal.
  int64_t compared_bytes = 256 << 20;
};

// Names are text (base/text.h). Where nothing was decoded, sizes and shares are 0.
struct DatasetSurvey {
  struct Spread {
    int smallest = 0;
    int median = 0;
    int largest = 0;
  };
  struct HeldOut {  // what evaluation.hold_out would hold out
    int64_t images = 0;
    int64_t labelled = 0;
    int64_t classes = 0;
    double least_share = 0;  // LeastShare of an image; 0 where no image can be read
  };
  std::string kind;  // "class folders", "folder", "tar", "tar shards"
  int64_t images = 0;
  int64_t labelled = 0;
  std::vector<std::pair<std::string, int64_t>> classes;  // with how many images; the largest first, then by name
  DataContents contents;                                 // what is left out, and notes
  // Of a part that is spread over the classes, the same one each time.
  int64_t looked_at = 0;
  PassedOver undecodable;  // with the first names, each with its reason
  Spread width, height;
  double grey = 0;  // the share of those decoded in which no pixel has a colour to speak of
  // Of equal bytes: groups, and the images beyond the first one of each.
  int64_t duplicate_groups = 0;
  int64_t duplicate_images = 0;
  std::optional<HeldOut> held_out;
};

// Lists the data set, digests every image (data/content_digest.h) and decodes some. Blocks until that is done. Errors
// are those of Dataset::Open and ContentDigests.
absl::StatusOr<DatasetSurvey> TakeSurvey(const std::string& path, const SurveyOptions& options);

}  // namespace mimeo
