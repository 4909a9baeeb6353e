#include "model/weights/torch_archive.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "model/weights/pickle.h"
#include "model/weights/zip_entries.h"

namespace mimeo {
namespace {

using Kind = PickleValue::Kind;

constexpr std::pair<const char*, at::ScalarType> kStorages[] = {
    {"torch.FloatStorage", at::kFloat},       {"torch.DoubleStorage", at::kDouble}, {"torch.HalfStorage", at::kHalf},
    {"torch.BFloat16Storage", at::kBFloat16}, {"torch.LongStorage", at::kLong},     {"torch.IntStorage", at::kInt},
    {"torch.ByteStorage", at::kByte},         {"torch.BoolStorage", at::kBool},     {"torch.ShortStorage", at::kShort},
    {"torch.CharStorage", at::kChar},
};

absl::StatusOr<absl::string_view> Find(const ZipEntries& entries, const std::string& name) {
  const auto found = entries.find(name);
  if (found == entries.end()) return absl::DataLossError(absl::StrCat("the archive lacks its entry ", name));
  if (found->second.has_value()) return *found->second;
  return absl::InvalidArgumentError(
      absl::StrCat("entry ", name, " is compressed or encrypted; torch.save stores its entries plain"));
}

std::string Convert(const std::string& path, const std::string& state_dict) {
  return absl::StrCat("convert it first: python3 -c \"import torch; torch.save(", state_dict, ", '", path,
                      ".state_dict.pth')\"");
}

std::string LoadCall(const std::string& path) {
  return absl::StrCat("torch.load('", path, "', map_location='cpu', weights_only=True)");
}

// For people: what a value that should have been a tensor is.
std::string Describe(const PickleValue& value) {
  switch (value.kind) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
    case Kind::kInteger:
    case Kind::kNumber:
      return "a number";
    case Kind::kText:
      return "text";
    case Kind::kTuple:
    case Kind::kList:
      return "a list";
    case Kind::kDict:
      return "a dict";
    case Kind::kGlobal:
      return value.text;
    case Kind::kCall:
      return absl::StrCat("a call of ", value.items[0]->text, ", which is not run");
    case Kind::kPersistent:
      return "a storage";
  }
  return "";
}

bool IsCallOf(const PickleValue& value, absl::string_view name) {
  return value.kind == Kind::kCall && value.items[0]->kind == Kind::kGlobal && value.items[0]->text == name;
}

bool IsTensor(const PickleValue& value) {
  return IsCallOf(value, "torch._utils._rebuild_tensor_v2") || IsCallOf(value, "torch._utils._rebuild_parameter");
}

bool ReadIntegers(const PickleValue& value, std::vector<int64_t>* integers) {
  if (value.kind != Kind::kTuple || value.items.size() > 8) return false;
  for (const PickleValue* item : value.items) {
    if (item->kind != Kind::kInteger || item->integer < 0) return false;
    integers->push_back(item->integer);
  }
  return true;
}

// Do all elements lie in a storage of `size` elements, none twice for a whole dimension? Divides where products could
// overflow.
bool Fits(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, int64_t offset, int64_t size) {
  if (sizes.size() != strides.size() || offset < 0 || offset > size) return false;
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) return true;
  int64_t last = offset, count = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] > size / count) return false;
    count *= sizes[i];
    if (sizes[i] == 1) continue;
    if (strides[i] > (size - last) / (sizes[i] - 1)) return false;
    last += strides[i] * (sizes[i] - 1);
  }
  return last < size;
}

// ("storage", type, key, device, number of elements) -> its bytes and type.
struct Storage {
  absl::string_view bytes;
  at::ScalarType type = at::kFloat;
};
absl::StatusOr<Storage> FindStorage(const ZipEntries& entries, const std::string& prefix, const PickleValue& value) {
  const bool has_id =
      value.kind == Kind::kPersistent && value.items[0]->kind == Kind::kTuple && value.items[0]->items.size() >= 5;
  if (!has_id) return absl::InvalidArgumentError("its storage is not one of torch.save's");
  const std::vector<const PickleValue*>& id = value.items[0]->items;
  for (const auto& [name, type] : kStorages) {
    if (id[1]->text != name) continue;
    ASSIGN_OR_RETURN(const absl::string_view bytes, Find(entries, absl::StrCat(prefix, "data/", id[2]->text)));
    return Storage{bytes, type};
  }
  return absl::InvalidArgumentError(absl::StrCat("storages of type ", id[1]->text, " are not supported"));
}

absl::StatusOr<at::Tensor> ReadTensor(const ZipEntries& entries, const std::string& prefix, const PickleValue& value) {
  const std::vector<const PickleValue*>& arguments = value.items[1]->items;
  if (IsCallOf(value, "torch._utils._rebuild_parameter") && !arguments.empty() &&
      IsCallOf(*arguments[0], "torch._utils._rebuild_tensor_v2")) {
    return ReadTensor(entries, prefix, *arguments[0]);
  }
  std::vector<int64_t> sizes, strides;
  if (!IsCallOf(value, "torch._utils._rebuild_tensor_v2") || arguments.size() < 4 ||
      arguments[1]->kind != Kind::kInteger || !ReadIntegers(*arguments[2], &sizes) ||
      !ReadIntegers(*arguments[3], &strides)) {
    return absl::InvalidArgumentError("not a plain tensor");
  }
  ASSIGN_OR_RETURN(const Storage storage, FindStorage(entries, prefix, *arguments[0]));
  const auto element = static_cast<int64_t>(c10::elementSize(storage.type));
  const int64_t offset = arguments[1]->integer;
  if (!Fits(sizes, strides, offset, static_cast<int64_t>(storage.bytes.size()) / element)) {
    return absl::DataLossError(absl::StrCat("shape [", absl::StrJoin(sizes, ", "), "] does not fit its storage of ",
                                            storage.bytes.size(), " bytes"));
  }
  char* const begin = const_cast<char*>(storage.bytes.data()) + offset * element;
  if (reinterpret_cast<uintptr_t>(begin) % element == 0) return at::from_blob(begin, sizes, strides, storage.type);
  const auto elements = static_cast<int64_t>(storage.bytes.size()) / element - offset;
  const at::Tensor copy = at::empty({elements}, storage.type);
  std::memcpy(copy.data_ptr(), begin, elements * element);
  return copy.as_strided(sizes, strides);
}

bool HoldsTensors(const PickleValue& dict) {
  return dict.kind == Kind::kDict &&
         std::any_of(dict.items.begin(), dict.items.end(), [](const PickleValue* item) { return IsTensor(*item); });
}

// The dict of tensors, and the key that it stands under.
std::pair<const PickleValue*, std::string> FindStateDict(const PickleValue& root) {
  if (HoldsTensors(root)) return {&root, ""};
  for (const char* entry : {"model", "state_dict", "teacher"}) {
    const PickleValue* const dict = root.Find(entry);
    if (dict != nullptr && HoldsTensors(*dict)) return {dict, entry};
  }
  return {nullptr, ""};
}

// Where else dicts of tensors stand, as Python writes the place (['net']['weights']), at most three dicts deep. A
// pickle may point at itself, so no dict is looked into twice.
void FindPlaces(const PickleValue& dict, const std::string& place, int depth, std::set<const PickleValue*>* seen,
                std::vector<std::string>* places) {
  if (dict.kind != Kind::kDict || depth > 3 || !seen->insert(&dict).second) return;
  if (HoldsTensors(dict)) return places->push_back(place);
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (dict.items[i]->kind != Kind::kText) continue;
    FindPlaces(*dict.items[i + 1], absl::StrCat(place, "['", dict.items[i]->text, "']"), depth + 1, seen, places);
  }
}

// "epoch" (a number), "net" (a dict), ...
std::string KeysAndKinds(const PickleValue& dict) {
  constexpr size_t kNamed = 16;
  std::vector<std::string> named;
  for (size_t i = 0; i + 1 < dict.items.size() && named.size() < kNamed; i += 2) {
    const PickleValue& key = *dict.items[i];
    named.push_back(
        absl::StrCat(key.kind == Kind::kText ? absl::StrCat("\"", ToText(key.text, 100), "\"") : Describe(key), " (",
                     Describe(*dict.items[i + 1]), ")"));
  }
  if (dict.items.size() / 2 > kNamed) named.push_back(absl::StrCat("and ", dict.items.size() / 2 - kNamed, " more"));
  return named.empty() ? "a dict without keys" : absl::StrCat("a dict whose keys are ", absl::StrJoin(named, ", "));
}

// A place goes into a line that a person pastes into a shell. A file from anywhere names its keys as it likes.
bool IsPlain(absl::string_view place) {
  constexpr absl::string_view kMarks = "_.-[]'";
  return place.size() < 200 && std::all_of(place.begin(), place.end(), [&](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kMarks.find(c) != absl::string_view::npos;
         });
}

// There is no dict of tensors where one is looked for.
absl::Status RefuseRoot(const std::string& path, const PickleValue& root) {
  const std::string none = "no dict of tensors, nor one under \"model\", \"state_dict\" or \"teacher\": it is ";
  std::set<const PickleValue*> seen;
  std::vector<std::string> places;
  FindPlaces(root, "", 0, &seen, &places);
  if (!places.empty()) {
    const auto plain = std::find_if(places.begin(), places.end(), IsPlain);
    const bool several = places.size() > 1;
    return absl::InvalidArgumentError(
        absl::StrCat(none, KeysAndKinds(root), "; tensors stand at ", ToText(absl::StrJoin(places, " and "), 400),
                     plain == places.end()
                         ? ""
                         : absl::StrCat("; ", several ? "choose, and " : "", Convert(path, LoadCall(path) + *plain))));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      none, root.kind == Kind::kDict ? KeysAndKinds(root) : Describe(root),
      "; if you trust it, since this runs its code, ",
      Convert(path, absl::StrCat("torch.load('", path, "', map_location='cpu', weights_only=False).state_dict()"))));
}

// Where the pickle is, without "data.pkl"; refuses what is not torch.save's.
absl::StatusOr<std::string> FindPrefix(const std::string& path, const ZipEntries& entries) {
  for (const auto& [name, bytes] : entries) {
    if (name != "data.pkl" && !absl::EndsWith(name, "/data.pkl")) continue;
    const std::string prefix = name.substr(0, name.size() - 8);
    const auto order = entries.find(prefix + "byteorder");
    if (entries.count(prefix + "constants.pkl") > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("a TorchScript archive, which holds code; ",
                       Convert(path, absl::StrCat("torch.jit.load('", path, "', map_location='cpu').state_dict()"))));
    }
    if (order != entries.end() && order->second != absl::string_view("little")) {
      return absl::InvalidArgumentError("its storages are big-endian");
    }
    return prefix;
  }
  return absl::InvalidArgumentError("a zip archive, but not one of torch.save: it has no data.pkl");
}

absl::StatusOr<StateDict> ReadArchive(const std::string& path, absl::string_view bytes) {
  if (static_cast<unsigned char>(bytes[0]) == 0x80) {
    return absl::InvalidArgumentError(
        absl::StrCat("the format that torch.save had before torch 1.6; ", Convert(path, LoadCall(path))));
  }
  ASSIGN_OR_RETURN(const ZipEntries entries, ReadZipEntries(bytes));
  ASSIGN_OR_RETURN(const std::string prefix, FindPrefix(path, entries));
  ASSIGN_OR_RETURN(const absl::string_view program, Find(entries, prefix + "data.pkl"));
  ASSIGN_OR_RETURN(const Pickle pickle, ReadPickle(program));
  const auto [dict, entry] = FindStateDict(*pickle.root);
  if (dict == nullptr) return RefuseRoot(path, *pickle.root);
  StateDict read = {{}, entry};
  std::vector<std::string> problems;
  for (size_t i = 0; i + 1 < dict->items.size(); i += 2) {
    const PickleValue &key = *dict->items[i], &value = *dict->items[i + 1];
    if (key.kind != Kind::kText || !IsTensor(value)) {
      problems.push_back(absl::StrCat("key ", key.kind == Kind::kText ? key.text : Describe(key), " is ",
                                      Describe(value), "; it should be a tensor"));
      continue;
    }
    ASSIGN_OR_RETURN(const at::Tensor tensor, ReadTensor(entries, prefix, value));
    read.tensors[key.text] = tensor;
  }
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  return read;
}

}  // namespace

// A safetensors file begins with the length of its header, at most 100 MiB as a 64-bit number, so that its bytes 4 to 7
// are zeros.
bool LooksLikeTorchFile(absl::string_view bytes) {
  if (bytes.size() < 8 || bytes.substr(4, 4) == absl::string_view("\0\0\0\0", 4)) return false;
  return absl::StartsWith(bytes, "PK\x03\x04") || static_cast<unsigned char>(bytes[0]) == 0x80;
}

absl::StatusOr<StateDict> ReadTorchArchive(const std::string& path, absl::string_view bytes) {
  absl::StatusOr<StateDict> read = ReadArchive(path, bytes);
  if (read.ok()) return read;
  return absl::Status(read.status().code(), absl::StrCat(path, ": ", read.status().message()));
}

}  // namespace mimeo
