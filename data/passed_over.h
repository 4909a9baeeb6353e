// Counts what a data set leaves out, by reason, so that a person can be told once. Value; thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/data.pb.h"

namespace mimeo {

// The names that are kept are the first ones in byte order, so they do not depend on the order of the file system.
class PassedOverTally {
 public:
  // `within` stands before each name that is added: "shard.tar:".
  explicit PassedOverTally(std::string within = "") : within_(std::move(within)) {}

  // `reason` is in the plural: "hidden folders". `name` is bytes.
  void Add(absl::string_view reason, absl::string_view name);
  // A file of a kind that is not read, such as "a/b.tif". It is counted by its extension.
  void AddOtherKind(absl::string_view name);
  void Merge(const PassedOverTally& other);

  // By reason in byte order; all of them are text (base/text.h).
  std::vector<PassedOver> Rows() const;
  // For a message: the rows as in job/data_text.h, with ", " between them. Empty where nothing was passed over.
  std::string Text() const;

 private:
  struct Reason {
    int64_t count = 0;
    std::vector<std::string> names;  // ascending
  };
  static void AddName(std::string name, Reason* reason);

  const std::string within_;
  std::map<std::string, Reason, std::less<>> reasons_;
  std::map<std::string, int64_t> kinds_;  // by extension, in lower case
};

// Whether this name of a file or folder is of the kind that people do not see: it begins with ".", such as .DS_Store,
// .ipynb_checkpoints or the ._x.jpg that macOS puts beside x.jpg; or it is @eaDir, in which Synology keeps thumbnails.
bool IsHiddenName(absl::string_view base);
// The same for a path, any part of which may be such a name. "." and ".." are none.
bool IsHiddenPath(absl::string_view path);

}  // namespace mimeo
