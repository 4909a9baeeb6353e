#include "worker/tools/left_out_json.h"

namespace mimeo {
namespace {

nlohmann::ordered_json Names(const PassedOver& row) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const std::string& name : row.names()) names.push_back(name);
  return names;
}

}  // namespace

void AddLeftOut(const DataContents& contents, const PassedOver& undecodable, nlohmann::ordered_json* result) {
  nlohmann::ordered_json& rows = (*result)["passed_over"] = nlohmann::ordered_json::array();
  for (const PassedOver& row : contents.passed_over()) {
    rows.push_back({{"reason", row.reason()}, {"count", row.count()}, {"names", Names(row)}});
  }
  (*result)["undecodable"] = {{"count", undecodable.count()}, {"names", Names(undecodable)}};
}

}  // namespace mimeo
