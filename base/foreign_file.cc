#include "base/foreign_file.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kBeginning = 4096;
constexpr size_t kExcerpt = 120;
constexpr char kAgain[] = "download the file again";

// Formats that begin with bytes of their own, at `offset`.
struct Magic {
  size_t offset;
  absl::string_view bytes;
  const char* what;
  const char* advice;
};
constexpr char kUnpack[] = "unpack it first";
constexpr char kSave[] = "save its tensors as safetensors";
constexpr Magic kMagics[] = {
    {0, "PK\x03\x04", "a zip archive, as torch.save writes", kSave},
    {0, "\x1f\x8b", "a gzip archive", kUnpack},
    {0, "BZh", "a bzip2 archive", kUnpack},
    {0, "\xfd\x37zXZ", "an xz archive", kUnpack},
    {0, "\x28\xb5\x2f\xfd", "a zstd archive", kUnpack},
    {0, "7z\xbc\xaf\x27\x1c", "a 7z archive", kUnpack},
    {257, "ustar", "a tar archive", kUnpack},
    {0, "\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", kSave},
    {0, "\x93NUMPY", "an array of NumPy", kSave},
    {0, "GGUF", "a GGUF file, as llama.cpp reads", kSave},
    {0, "\x89PNG", "a PNG image", "name the file of the weights"},
    {0, "\xff\xd8\xff", "a JPEG image", "name the file of the weights"},
};

bool IsText(absl::string_view beginning) {
  const bool printable = std::all_of(beginning.begin(), beginning.end(), [](unsigned char c) {
    return c >= 0x20 || c == '\t' || c == '\r' || c == '\n' || c == '\f';
  });
  // A character may be cut at the end of the beginning; its at most three bytes are left out.
  for (size_t cut = 0; printable && cut < 4 && cut <= beginning.size(); ++cut) {
    if (IsUtf8(beginning.substr(0, beginning.size() - cut))) return true;
  }
  return false;
}

std::string Excerpt(absl::string_view text) { return absl::StrCat("\"", ToText(text, kExcerpt), "\""); }

std::string LfsPointer(absl::string_view text) {
  const size_t size = text.find("\nsize ");
  std::string bytes;
  for (size_t i = size == absl::string_view::npos ? text.size() : size + 6; i < text.size(); ++i) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(text[i])) || bytes.size() > 18) break;
    bytes += text[i];
  }
  return absl::StrCat("it is a Git LFS pointer, which stands for a file", bytes.empty() ? "" : " of ", bytes,
                      bytes.empty() ? "" : " bytes", ": run `git lfs pull` in its repository");
}

bool IsPath(absl::string_view text) {
  return absl::StrContains(text, "/") && text.size() < kBeginning &&
         std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return absl::ascii_isspace(c) || c == '<' || c == '{' || c == '"'; });
}

std::string Text(absl::string_view beginning) {
  const absl::string_view text = absl::StripAsciiWhitespace(beginning);
  const std::string lower = absl::AsciiStrToLower(text);
  if (absl::StartsWith(text, "version https://git-lfs.github.com/spec/")) return LfsPointer(text);
  if (absl::StrContains(text, "/annex/objects/")) {
    return "it is a git-annex pointer, which stands for a file: run `git annex get` on it in its repository";
  }
  if (IsPath(text)) {
    return absl::StrCat("it is the text of a link to ", Excerpt(text), ": take the file that the link leads to");
  }
  if (absl::StartsWith(lower, "<!doctype html") || absl::StrContains(lower, "<html")) {
    return absl::StrCat("it is a web page, which begins with ", Excerpt(text),
                        ": a page about the file, a log-in or an error; download the file itself (on Hugging Face, "
                        "/resolve/ in place of /blob/)");
  }
  if (absl::StartsWith(text, "<")) {
    return absl::StrCat("it is XML, which begins with ", Excerpt(text), ", as servers answer errors: ", kAgain);
  }
  if (absl::StartsWith(text, "{") || absl::StartsWith(text, "[")) {
    if (absl::StrContains(text, "\"weight_map\"")) {
      return "it is the index of a model's shards: name it as it was called, which ends in .index.json, beside them";
    }
    return absl::StrCat("it is JSON text, which begins with ", Excerpt(text),
                        ", the answer of a server or another file of the model: ", kAgain);
  }
  return absl::StrCat("it is text, which begins with ", Excerpt(text), ": ", kAgain);
}

}  // namespace

std::string ForeignFile(absl::string_view bytes) {
  if (bytes.empty()) return absl::StrCat("it is empty: ", kAgain);
  for (const Magic& magic : kMagics) {
    if (bytes.size() < magic.offset || !absl::StartsWith(bytes.substr(magic.offset), magic.bytes)) continue;
    return absl::StrCat("it is ", magic.what, ": ", magic.advice);
  }
  absl::string_view beginning = bytes.substr(0, kBeginning);
  if (absl::StartsWith(beginning, "\xff\xfe") || absl::StartsWith(beginning, "\xfe\xff")) {
    return absl::StrCat("it is text in UTF-16: ", kAgain);
  }
  if (absl::StartsWith(beginning, "\xef\xbb\xbf")) beginning.remove_prefix(3);
  if (std::all_of(beginning.begin(), beginning.end(), [](char c) { return c == 0; })) {
    return absl::StrCat("it begins with ", beginning.size(), " zeros, as an unfinished download does: ", kAgain);
  }
  return IsText(beginning) ? Text(beginning) : "";
}

}  // namespace mimeo
