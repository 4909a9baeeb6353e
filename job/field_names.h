// The names that a person could have meant: for messages about fields and values that do not exist. Pure.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// "known: patch_px, width, depth"
std::string KnownFields(const google::protobuf::Descriptor& message);

// "one of DEVICE_AUTO, DEVICE_CPU"; not the unspecified value, number 0.
std::string AllowedValues(const google::protobuf::EnumDescriptor& type);

// TextFormat's words about an unknown field or enum value, with what is known there; other messages stay as they are.
std::string NameWhatIsKnown(absl::string_view text_format_message);

}  // namespace mimeo
