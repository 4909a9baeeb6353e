// What a shell needs to complete the words of `mimeo`. Pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace CLI {
class App;
}

namespace mimeo {

// A script for `shell`, which is bash, zsh or fish. Its verbs, options and allowed values are those of `app`, so it
// knows what this version knows. An argument called JOB is completed by `mimeo list -o name`, at the server that the
// command line names so far, for two seconds at most: when nobody answers, nothing is offered. What takes any other
// value is completed by names of files.
std::string CompletionScript(absl::string_view shell, const CLI::App& app);

}  // namespace mimeo
