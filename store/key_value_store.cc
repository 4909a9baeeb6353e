#include "store/key_value_store.h"

#include "absl/base/internal/endian.h"

namespace mimeo {

std::string OrderedKey(uint64_t number) {
  std::string key(sizeof(number), '\0');
  absl::big_endian::Store64(&key[0], number);
  return key;
}

uint64_t ParseOrderedKey(absl::string_view key) {
  return key.size() == sizeof(uint64_t) ? absl::big_endian::Load64(key.data()) : 0;
}

}  // namespace mimeo
