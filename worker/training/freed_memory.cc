#include "worker/training/freed_memory.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace mimeo {
namespace {

constexpr int kSettling = 3;
constexpr double kGrowth = 0.1;
constexpr int64_t kGrowthLeast = int64_t{32} << 20;

// jemalloc's own door (jemalloc(3), mallctl), where it is what this process allocates by.
using Mallctl = int (*)(const char*, void*, size_t*, void*, size_t);
constexpr int kAllArenas = 4096;  // MALLCTL_ARENAS_ALL

Mallctl FindMallctl() {
  static const auto found = reinterpret_cast<Mallctl>(dlsym(RTLD_DEFAULT, "mallctl"));
  return found;
}

// 0: not known.
int64_t ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  int64_t all = 0, resident = 0;
  if (!(in >> all >> resident)) return 0;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

bool GrowthWatch::HasGrown(int64_t resident_bytes) {
  if (++steps_ <= kSettling) {
    settled_ = std::max(settled_, resident_bytes);
    return false;
  }
  const auto most = settled_ + std::max(kGrowthLeast, static_cast<int64_t>(kGrowth * static_cast<double>(settled_)));
  if (resident_bytes <= most) return false;
  *this = GrowthWatch();
  return true;
}

void FreedMemory::AfterStep() {
  if (FindMallctl() == nullptr || !watch_.HasGrown(ResidentBytes())) return;
  FindMallctl()(absl::StrCat("arena.", kAllArenas, ".purge").c_str(), nullptr, nullptr, nullptr, 0);
}

}  // namespace mimeo
