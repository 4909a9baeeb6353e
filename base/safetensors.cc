#include "base/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/foreign_file.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"

namespace mimeo {
namespace {

using Json = nlohmann::json;

constexpr char kMetadataKey[] = "__metadata__";
constexpr int64_t kPrefixBytes = 8;
constexpr size_t kQuotedBytes = 200;

// A dimension or offset: a whole number that fits int64.
bool ReadNumber(const Json& json, int64_t* value) {
  if (json.is_number_unsigned()) {
    const uint64_t number = json.get<uint64_t>();
    *value = static_cast<int64_t>(number);
    return number <= static_cast<uint64_t>(INT64_MAX);
  }
  return false;
}

// Names and types come from a file: they have any length, and any character that JSON can write.
std::string Quoted(absl::string_view name) { return absl::StrCat("'", ToText(name, kQuotedBytes), "'"); }

absl::Status TensorError(absl::string_view name, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("tensor ", Quoted(name), ": ", what));
}

// The size in bytes, or -1 when it does not fit int64.
int64_t CheckedBytes(const std::vector<int64_t>& shape, int64_t element_bytes) {
  int64_t bytes = element_bytes;
  for (const int64_t dim : shape) {
    if (__builtin_mul_overflow(bytes, dim, &bytes)) return -1;
  }
  return bytes;
}

struct Entry {
  std::string name;
  TensorBytes tensor;
  int64_t begin = 0;
  int64_t end = 0;
};

absl::StatusOr<Entry> ParseEntry(const std::string& name, const Json& json, int64_t data_bytes) {
  Entry entry;
  entry.name = name;
  if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") || !json.contains("data_offsets")) {
    return TensorError(name, "needs dtype, shape and data_offsets");
  }
  const Json& dtype = json["dtype"];
  const Json& shape = json["shape"];
  const Json& offsets = json["data_offsets"];
  if (!dtype.is_string() || !shape.is_array() || !offsets.is_array() || offsets.size() != 2) {
    return TensorError(name, "dtype must be a string, shape a list, data_offsets two numbers");
  }
  entry.tensor.dtype = dtype.get<std::string>();
  const int64_t element_bytes = DtypeBytes(entry.tensor.dtype);
  if (element_bytes == 0) return TensorError(name, absl::StrCat("unknown dtype ", Quoted(entry.tensor.dtype)));
  for (const Json& dim : shape) {
    int64_t value = 0;
    if (!ReadNumber(dim, &value)) return TensorError(name, "a dimension is no whole number");
    entry.tensor.shape.push_back(value);
  }
  if (!ReadNumber(offsets[0], &entry.begin) || !ReadNumber(offsets[1], &entry.end)) {
    return TensorError(name, "an offset is no whole number");
  }
  if (entry.begin > entry.end || entry.end > data_bytes) {
    return TensorError(name, absl::StrCat("bytes [", entry.begin, ", ", entry.end, ") lie outside the ", data_bytes,
                                          " bytes of data: the stream is cut short"));
  }
  if (CheckedBytes(entry.tensor.shape, element_bytes) != entry.end - entry.begin) {
    return TensorError(name,
                       absl::StrCat(entry.end - entry.begin, " bytes do not hold ", entry.tensor.dtype, " of shape [",
                                    ToText(absl::StrJoin(entry.tensor.shape, ", "), kQuotedBytes), "]"));
  }
  return entry;
}

// As the reference implementation: the tensors follow each other without gap or overlap and fill the stream.
absl::Status CheckLayout(std::vector<Entry>* entries, int64_t data_bytes) {
  std::sort(entries->begin(), entries->end(), [](const Entry& a, const Entry& b) {
    return std::make_pair(a.begin, a.end) < std::make_pair(b.begin, b.end);
  });
  int64_t next = 0;
  for (const Entry& entry : *entries) {
    if (entry.begin != next) {
      return TensorError(entry.name,
                         absl::StrCat("begins at byte ", entry.begin, ", but the one before ends at ", next));
    }
    next = entry.end;
  }
  if (next != data_bytes) {
    return absl::DataLossError(absl::StrCat("the tensors need ", next, " bytes of data, but there are ", data_bytes));
  }
  return absl::OkStatus();
}

absl::Status ParseMetadata(const Json& json, std::map<std::string, std::string>* metadata) {
  if (!json.is_object()) return absl::DataLossError("__metadata__ is no object");
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) return absl::DataLossError(absl::StrCat("__metadata__[", Quoted(key), "] is no string"));
    (*metadata)[key] = value.get<std::string>();
  }
  return absl::OkStatus();
}

// What is known of the file says more than its numbers.
absl::Status NoSafetensors(absl::string_view stream, const std::string& otherwise) {
  const std::string foreign = ForeignFile(stream);
  return absl::DataLossError(absl::StrCat("no safetensors: ", foreign.empty() ? otherwise : foreign));
}

// The length of the JSON header.
absl::StatusOr<int64_t> HeaderBytes(absl::string_view stream) {
  if (static_cast<int64_t>(stream.size()) < kPrefixBytes) {
    return NoSafetensors(stream, absl::StrCat(stream.size(), " bytes, and the header's length alone takes 8"));
  }
  uint64_t length = 0;
  std::memcpy(&length, stream.data(), kPrefixBytes);  // little endian, as every machine that we build for
  // The first 8 bytes of a text are a number far above the bound.
  if (length > static_cast<uint64_t>(limits::kSafetensorsHeaderBytes)) {
    return NoSafetensors(stream, absl::StrCat("a header of ", length, " bytes; at most ",
                                              limits::kSafetensorsHeaderBytes, " are allowed"));
  }
  if (length > stream.size() - kPrefixBytes) {
    return absl::DataLossError(
        absl::StrCat("cut short: a header of ", length, " bytes, but ", stream.size() - kPrefixBytes, " bytes follow"));
  }
  return static_cast<int64_t>(length);
}

}  // namespace

int64_t DtypeBytes(absl::string_view dtype) {
  static constexpr struct {
    const char* name;
    int64_t bytes;
  } kTypes[] = {
      {"F64", 8},  {"I64", 8}, {"U64", 8}, {"F32", 4}, {"I32", 4}, {"U32", 4},  {"F16", 2},
      {"BF16", 2}, {"I16", 2}, {"U16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1},
  };
  for (const auto& type : kTypes) {
    if (dtype == type.name) return type.bytes;
  }
  return 0;
}

absl::StatusOr<SafetensorsView> SafetensorsView::Parse(absl::string_view stream) {
  ASSIGN_OR_RETURN(const int64_t header_bytes, HeaderBytes(stream));
  const absl::string_view header = stream.substr(kPrefixBytes, header_bytes);
  const absl::string_view data = stream.substr(kPrefixBytes + header_bytes);
  const Json json = Json::parse(header.begin(), header.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return NoSafetensors(stream, "the header is no JSON object");
  SafetensorsView view;
  std::vector<Entry> entries;
  for (const auto& [name, value] : json.items()) {
    if (name == kMetadataKey) {
      RETURN_IF_ERROR(ParseMetadata(value, &view.metadata_));
      continue;
    }
    ASSIGN_OR_RETURN(Entry entry, ParseEntry(name, value, data.size()));
    entry.tensor.bytes = data.substr(entry.begin, entry.end - entry.begin);
    entries.push_back(std::move(entry));
  }
  RETURN_IF_ERROR(CheckLayout(&entries, data.size()));
  for (Entry& entry : entries) view.tensors_[entry.name] = std::move(entry.tensor);
  return view;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  absl::StatusOr<SafetensorsView> view = SafetensorsView::Parse(file.bytes());
  if (!view.ok()) return absl::Status(view.status().code(), absl::StrCat(path, ": ", view.status().message()));
  return std::unique_ptr<SafetensorsFile>(new SafetensorsFile(std::move(file), *std::move(view)));
}

std::string SafetensorsHeader(const std::map<std::string, TensorBytes>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  Json json = Json::object();
  if (!metadata.empty()) json[kMetadataKey] = metadata;
  int64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const int64_t bytes = CheckedBytes(tensor.shape, DtypeBytes(tensor.dtype));
    json[name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  // A name or path that is no UTF-8 must not throw here.
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  std::string header(kPrefixBytes, '\0');
  std::memcpy(&header[0], &length, kPrefixBytes);
  return header + text;
}

absl::Status CheckSafetensorsHeader(const std::map<std::string, TensorBytes>& tensors,
                                    const std::map<std::string, std::string>& metadata) {
  const auto bytes = static_cast<int64_t>(SafetensorsHeader(tensors, metadata).size()) - kPrefixBytes;
  if (bytes <= limits::kSafetensorsHeaderBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("its header would have ", bytes,
                                                 " bytes, and readers of safetensors take ",
                                                 limits::kSafetensorsHeaderBytes, " at most"));
}

std::string SerializeSafetensors(const std::map<std::string, TensorBytes>& tensors,
                                 const std::map<std::string, std::string>& metadata) {
  std::string stream = SafetensorsHeader(tensors, metadata);
  int64_t bytes = stream.size();
  for (const auto& entry : tensors) bytes += entry.second.bytes.size();
  stream.reserve(bytes);
  for (const auto& entry : tensors) stream.append(entry.second.bytes.data(), entry.second.bytes.size());
  return stream;
}

}  // namespace mimeo
