#include "base/endian.h"

#include <string>

#include "gtest/gtest.h"

namespace mimeo {
namespace {

// One byte off the alignment that a number has.
const std::string kBytes = "x\x81\x02\x03\x04\x05\x06\x07\xf8";

TEST(EndianTest, LoadsTheFirstByteAsLowestOrAsHighest) {
  EXPECT_EQ(LoadLittle16(&kBytes[1]), 0x0281u);
  EXPECT_EQ(LoadLittle32(&kBytes[1]), 0x04030281u);
  EXPECT_EQ(LoadLittle64(&kBytes[1]), 0xf807060504030281u);
  EXPECT_EQ(LoadBig64(&kBytes[1]), 0x81020304050607f8u);
}

TEST(EndianTest, StoresWhatItLoads) {
  std::string bytes(9, 'x');
  StoreLittle16(&bytes[1], 0x0281);
  EXPECT_EQ(bytes, "x\x81\x02xxxxxx");
  StoreLittle32(&bytes[1], 0x04030281);
  EXPECT_EQ(bytes, "x\x81\x02\x03\x04xxxx");
  StoreBig64(&bytes[1], 0x81020304050607f8);
  EXPECT_EQ(bytes, kBytes);
}

}  // namespace
}  // namespace mimeo
