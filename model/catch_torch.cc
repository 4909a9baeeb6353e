#include "model/catch_torch.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/text.h"

namespace mimeo {
namespace {

std::string FirstLine(absl::string_view what) { return ToText(what.substr(0, what.find('\n'))); }

}  // namespace

absl::Status ThrownStatus() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const c10::OutOfMemoryError& error) {
    return absl::ResourceExhaustedError(FirstLine(error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    const std::string line = FirstLine(error.what_without_backtrace());
    // The allocator of the host throws no type of its own.
    if (absl::StrContains(line, "can't allocate memory")) return absl::ResourceExhaustedError(line);
    return absl::AbortedError(line);
  } catch (const std::exception& error) {
    return absl::AbortedError(FirstLine(error.what()));
  } catch (...) {
    return absl::AbortedError("something was thrown that is no std::exception");
  }
}

}  // namespace mimeo
