#include "model/weights/torch_archive.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "model/weights/pickle.h"

namespace mimeo {
namespace {

std::string Archive(const std::string& name) { return "tests/golden/torch_archives/" + name; }

class TorchArchiveTest : public ::testing::Test {
 protected:
  TorchArchiveTest() {
    EXPECT_TRUE(WriteFileAtomic(JoinPath(dir_.path(), "config.json"), R"({"model_args": {"num_heads": 2}})").ok());
  }

  // `bytes` as the file of a folder that has a config.json.
  absl::StatusOr<LoadedEncoder> Load(const std::string& bytes) const {
    EXPECT_TRUE(WriteFileAtomic(JoinPath(dir_.path(), "pytorch_model.bin"), bytes).ok());
    return LoadEncoder(dir_.path());
  }

  TempDir dir_;
};

TEST_F(TorchArchiveTest, StateDictsGiveTheTensorsOfASafetensorsFile) {
  ASSERT_TRUE(WriteFileAtomic(JoinPath(dir_.path(), "state"), ReadFile(Archive("state.safetensors")).value()).ok());
  const absl::StatusOr<LoadedEncoder> want = LoadEncoder(JoinPath(dir_.path(), "state"));
  ASSERT_TRUE(want.ok()) << want.status();
  for (const char* name : {"plain.pth", "model_entry.pth", "teacher_entry.pth"}) {
    const absl::StatusOr<LoadedEncoder> loaded = Load(ReadFile(Archive(name)).value());
    ASSERT_TRUE(loaded.ok()) << name << ": " << loaded.status();
    EXPECT_EQ(loaded->family, "timm");
    EXPECT_EQ(loaded->spec.vit().heads(), 2);
    ASSERT_EQ(loaded->parameters->all().size(), want->parameters->all().size());
    for (const auto& [key, tensor] : loaded->parameters->all()) {
      EXPECT_TRUE(at::equal(tensor, want->parameters->Find(key))) << name << ": " << key;
    }
  }
}

TEST_F(TorchArchiveTest, OtherFilesSayHowToConvertThem) {
  struct Refusal {
    const char* name;
    const char* what;
    const char* convert;
  };
  for (const Refusal& refusal :
       {Refusal{"legacy.pth", "before torch 1.6", "torch.save(torch.load("},
        Refusal{"script.pt", "TorchScript archive", "torch.jit.load("},
        Refusal{"whole_module.pth", "torch.nn.modules.linear.Linear", "weights_only=False).state_dict()"}}) {
    const absl::Status refused = LoadEncoder(Archive(refusal.name)).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
    EXPECT_TRUE(absl::StrContains(refused.message(), Archive(refusal.name) + ": ")) << refused;
    EXPECT_TRUE(absl::StrContains(refused.message(), refusal.what)) << refused;
    EXPECT_TRUE(absl::StrContains(refused.message(), refusal.convert)) << refused;
  }
}

// The file of model_entry.pth with another key in place of "model".
std::string WithEntry(const std::string& key) {
  std::string bytes = ReadFile(Archive("model_entry.pth")).value();
  const std::string text("X\x05\0\0\0model", 10);
  const size_t at = bytes.find(text);
  EXPECT_NE(at, std::string::npos);
  return bytes.replace(at + 5, 5, key);
}

TEST_F(TorchArchiveTest, AnotherEntrysKeysAreNamed) {
  const absl::Status refused = Load(WithEntry("vit_b")).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
  for (const char* part : {"it is a dict whose keys are \"vit_b\" (a dict), \"epoch\" (a number)",
                           "tensors stand at ['vit_b']; convert it first", "weights_only=True)['vit_b'], '"}) {
    EXPECT_TRUE(absl::StrContains(refused.message(), part)) << part << "\nin\n" << refused;
  }
  // No key becomes a part of a line for the shell that it could end.
  const absl::Status hostile = Load(WithEntry("`rm`\"")).status();
  EXPECT_TRUE(absl::StrContains(hostile.message(), "tensors stand at")) << hostile;
  EXPECT_FALSE(absl::StrContains(hostile.message(), "python3")) << hostile;
}

TEST_F(TorchArchiveTest, WhatAPickleWouldCallIsNamedAndNotRun) {
  const absl::Status refused = LoadEncoder(Archive("hostile.pth")).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(refused.message(), "key norm.bias is a call of posix.system, which is not run"))
      << refused;
  EXPECT_FALSE(FileExists("/tmp/mimeo_hostile_pickle_ran"));
}

TEST_F(TorchArchiveTest, TruncatedFilesAreDataLoss) {
  const std::string whole = ReadFile(Archive("model_entry.pth")).value();
  for (const size_t size : {size_t{100}, whole.size() / 2, whole.size() - 1}) {
    const absl::Status refused = Load(whole.substr(0, size)).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << size << " bytes: " << refused;
  }
}

// Any byte of the directory, the pickle or the headers may be wrong; none may crash the reader (run under --config=asan
// too).
TEST_F(TorchArchiveTest, NoWrongByteCrashesTheReader) {
  const std::string whole = ReadFile(Archive("plain.pth")).value();
  for (size_t i = 0; i < whole.size(); i += 7) {
    std::string wrong = whole;
    wrong[i] = static_cast<char>(wrong[i] ^ (1 << i % 8));
    if (LooksLikeTorchFile(wrong)) (void)ReadTorchArchive("wrong", wrong);
  }
}

TEST(PickleTest, WrongProgramsAreRefused) {
  for (const std::string& program :
       {std::string("."), std::string("a."), std::string("e."), std::string("h\x05."), std::string("X\xff\xff\xff\xff"),
        std::string("\x8a\x09"), std::string("(0."), std::string("cposix\n"), std::string("I1\n.")}) {
    EXPECT_EQ(ReadPickle(program).status().code(), absl::StatusCode::kInvalidArgument) << program;
  }
}

TEST(PickleTest, ALongPickleIsBounded) {
  const std::string many(kPickleValues + 10, 'N');
  EXPECT_TRUE(absl::StrContains(ReadPickle(many).status().message(), "more than 1000000 values"));
}

TEST(PickleTest, ListsThatHoldThemselvesAreFine) {
  const absl::StatusOr<Pickle> pickle =
      ReadPickle(std::string("]q\x00h\x00"
                             "a.",
                             7));
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  EXPECT_EQ(pickle->root->items.at(0), pickle->root);
}

}  // namespace
}  // namespace mimeo
