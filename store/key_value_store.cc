#include "store/key_value_store.h"

#include "base/endian.h"

namespace mimeo {

std::string OrderedKey(uint64_t number) {
  std::string key(sizeof(number), '\0');
  StoreBig64(&key[0], number);
  return key;
}

uint64_t ParseOrderedKey(absl::string_view key) { return key.size() == sizeof(uint64_t) ? LoadBig64(key.data()) : 0; }

}  // namespace mimeo
