// A shard of a data set from anywhere. Each member that is listed lies inside the file, and what is kept of label
// members is what lies there.
#include "data/tar_index.h"

#include <sys/mman.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(tar) {
  const int memory = memfd_create("tar", MFD_CLOEXEC);
  MIMEO_CHECK(write(memory, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  const absl::StatusOr<SampleFile> file = SampleFile::Open(absl::StrCat("/proc/self/fd/", memory));
  close(memory);
  MIMEO_CHECK(file.ok(), file.status().ToString());
  PassedOverTally passed_over;
  const absl::StatusOr<std::vector<TarMember>> members = IndexTar(*file, &passed_over, nullptr);
  if (!members.ok()) return CheckRefusal(members.status(), {absl::StatusCode::kInvalidArgument}, 8192);
  for (const TarMember& member : *members) {
    MIMEO_CHECK(member.offset >= 0 && member.size >= 0 && member.offset <= file->size(), member.offset);
    MIMEO_CHECK(member.size <= file->size() - member.offset, member.size, " bytes from ", member.offset);
    if (member.contents.empty()) continue;
    MIMEO_CHECK(member.contents == bytes.substr(member.offset, member.size), "another label than lies there");
  }
}

}  // namespace mimeo::fuzz
