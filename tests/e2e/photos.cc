#include "tests/e2e/photos.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "data/dataset.h"
#include "tests/e2e/cluster.h"

namespace mimeo {

void WritePhotos(const std::string& folder, int count) {
  ASSERT_TRUE(RemoveTree(folder).ok());
  ASSERT_TRUE(MakeDirs(folder).ok());
  const auto shards = Dataset::Open(ExamplePhotos("train"));
  ASSERT_TRUE(shards.ok()) << shards.status();
  ASSERT_GE((*shards)->size(), count);
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(WriteFileAtomic(absl::StrCat(folder, "/", 1000 + i, ".jpg"), (*shards)->Read(i).value_or("")).ok());
  }
}

}  // namespace mimeo
