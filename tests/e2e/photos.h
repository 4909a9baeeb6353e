// Example photos as files of their own, for tests that look at what a folder holds.
#pragma once

#include <string>

namespace mimeo {

// Makes `folder` anew with so many photos of examples/clothing/train, 1000.jpg, 1001.jpg, ..., and no others. A failure
// is one of the test that calls it.
void WritePhotos(const std::string& folder, int count);

}  // namespace mimeo
