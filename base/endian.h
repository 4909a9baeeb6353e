// Whole numbers as bytes of a stated order, whatever order the machine has. Load* reads and Store* writes as many bytes
// as the name has bits / 8, at any alignment; the caller sees to it that so many are there. Keys of the store are
// big-endian, so that their order as bytes is their order as numbers. RocksDB's own files are little-endian. Pure
// functions; thread-safe.
#pragma once

#include <endian.h>

#include <cstdint>
#include <cstring>

namespace mimeo {

inline uint16_t LoadLittle16(const char* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return le16toh(value);
}

inline uint32_t LoadLittle32(const char* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return le32toh(value);
}

inline uint64_t LoadLittle64(const char* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return le64toh(value);
}

inline uint64_t LoadBig64(const char* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return be64toh(value);
}

inline void StoreLittle16(char* bytes, uint16_t value) {
  value = htole16(value);
  std::memcpy(bytes, &value, sizeof(value));
}

inline void StoreLittle32(char* bytes, uint32_t value) {
  value = htole32(value);
  std::memcpy(bytes, &value, sizeof(value));
}

inline void StoreBig64(char* bytes, uint64_t value) {
  value = htobe64(value);
  std::memcpy(bytes, &value, sizeof(value));
}

}  // namespace mimeo
