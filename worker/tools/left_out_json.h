// What a data set leaves out, as the tools print it in JSON. Pure.
#pragma once

#include <nlohmann/json.hpp>

#include "proto/data.pb.h"

namespace mimeo {

// Adds `passed_over`: a list with the reason, the count and some names of what was found beside the images; and
// `undecodable`: the count and some names of images that cannot be decoded.
void AddLeftOut(const DataContents& contents, const PassedOver& undecodable, nlohmann::ordered_json* result);

}  // namespace mimeo
