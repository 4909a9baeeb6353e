// A set of encoded images: a flat folder, a tree of class folders, one .tar, or a folder of .tar shards (WebDataset).
// Its samples are its members in the byte order of their names, whatever order the file system lists them in, so a
// sample's number means the same image on every host.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/progress.h"
#include "proto/data.pb.h"

namespace mimeo {

// It belongs to whoever opened it, who keeps it alive for longer than every loader or reader that uses it. Once opened,
// it never changes, and any thread may call it. REQUIRES, everywhere: 0 <= sample < size().
class Dataset {
 public:
  // Lists every member, which takes minutes for a large folder on a slow mount, and blocks until then. Only regular
  // files are samples (folder_listing.h), nothing else is opened, and nothing is ever written: a member's name is only
  // text. `progress`, where it is not null, counts what is listed.
  //
  // `members` chooses among several images of one sample of a tar: those are taken whose name behind the key
  // (class_labels.h) it is, in any case: "left.jpg" takes "7.left.jpg" and leaves out "7.right.jpg". Empty takes all. A
  // folder of images has no such names: there all are taken, and contents() says so.
  //
  // NotFound: there is no such path, a link leads nowhere, or there is no image in it, as in a folder on which nothing
  // is mounted. PermissionDenied: this user may not look into it. Unavailable: the disk, the mount or this host fails
  // now, and a later call may succeed. InvalidArgument: the path holds something else, such as another kind of file, a
  // pipe or a device, shards and images together, or a damaged tar.
  static absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& path, Progress* progress = nullptr,
                                                       const std::string& members = "");
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;
  // The path below the root, or "shard:member". It is bytes and not text: a message takes ShortName of it
  // (sample_name.h).
  virtual const std::string& name(int64_t sample) const = 0;
  // Reads the encoded bytes of a sample, which are as many as were listed. Blocks while the disk does.
  //
  // Unavailable: they cannot be read now, because the file is gone, has another size, or the disk fails; it may be
  // there again later, so the caller may ask again (patient_dataset.h does). DataLoss: this is a bad sample: it is
  // larger than limits::kImageFileBytes, or its mode forbade this user to read it when it was listed and it still
  // cannot be opened.
  virtual absl::StatusOr<std::string> Read(int64_t sample) const = 0;
  // An index into class_names(), or -1 for a sample without a label. The label is the first folder of the sample's
  // path, or, in a tar, what its .cls or .json member says (class_labels.h).
  virtual int label(int64_t sample) const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  // What was found beside the samples and is left out, by reason; `field` is empty. Opening it logged that too.
  virtual const DataContents& contents() const = 0;
  // The hexadecimal SHA-256 of all names and sizes in order. It does not cover the images' contents, which would all
  // have to be read: a file that was replaced by another of the same size is not noticed.
  virtual const std::string& digest() const = 0;
};

}  // namespace mimeo
