// The names that a person could have meant: for messages about fields that do not exist. Pure.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// "known: patch_px, width, depth"
std::string KnownFields(const google::protobuf::Descriptor& message);

// TextFormat's words about an unknown field, with the names that are known there; other messages stay as they are.
std::string NameKnownFields(absl::string_view text_format_message);

}  // namespace mimeo
