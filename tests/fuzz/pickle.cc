// The pickle of a torch.save file from anywhere. Values point only at values of the same pickle, their number is
// bounded, and the texts of what the pickle would import are bounded too: they are put together, so a short pickle
// could name a long one.
#include "model/weights/pickle.h"

#include <unordered_set>

#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(pickle) {
  const absl::StatusOr<Pickle> pickle = ReadPickle(bytes);
  if (!pickle.ok()) return CheckRefusal(pickle.status(), {absl::StatusCode::kInvalidArgument}, 512);
  MIMEO_CHECK(pickle->values.size() <= kPickleValues, pickle->values.size(), " values");
  std::unordered_set<const PickleValue*> values;
  size_t global_bytes = 0, text_bytes = 0;
  for (const PickleValue& value : pickle->values) {
    values.insert(&value);
    (value.kind == PickleValue::Kind::kGlobal ? global_bytes : text_bytes) += value.text.size();
  }
  MIMEO_CHECK(global_bytes <= kPickleGlobalBytes, global_bytes, " bytes of names");
  MIMEO_CHECK(text_bytes <= bytes.size(), text_bytes, " bytes of text");
  MIMEO_CHECK(values.count(pickle->root) > 0, "its root is none of its values");
  for (const PickleValue& value : pickle->values) {
    for (const PickleValue* const item : value.items)
      MIMEO_CHECK(values.count(item) > 0, "an item is none of its values");
    MIMEO_CHECK(value.kind != PickleValue::Kind::kCall || value.items.size() == 2);
    MIMEO_CHECK(value.kind != PickleValue::Kind::kPersistent || value.items.size() == 1);
    value.Find("model");
  }
}

}  // namespace mimeo::fuzz
