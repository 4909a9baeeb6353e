#include "model/weights/pickle.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mimeo {
namespace {

using Kind = PickleValue::Kind;

// The stack machine. A wrong read or pop sets error_, after which nothing changes any more.
class Machine {
 public:
  explicit Machine(absl::string_view bytes) : bytes_(bytes) {}

  absl::StatusOr<Pickle> Run() {
    while (error_.empty()) {
      const auto instruction = static_cast<unsigned char>(Take(1).empty() ? 0 : bytes_[at_ - 1]);
      if (!error_.empty()) break;
      if (instruction == '.') {
        pickle_.root = Pop();
        break;
      }
      if (!Plain(instruction) && !Container(instruction) && !Memo(instruction) && !Object(instruction)) {
        Fail(absl::StrFormat("instruction 0x%02x is not one of a state dict's", instruction));
      }
      if (std::max({pickle_.values.size(), stack_.size(), marks_.size(), memo_.size()}) > kPickleValues) {
        Fail(absl::StrCat("more than ", kPickleValues, " values"));
      }
    }
    if (!error_.empty()) return absl::InvalidArgumentError(absl::StrCat("its pickle, at byte ", at_, ": ", error_));
    return std::move(pickle_);
  }

 private:
  void Fail(const std::string& what) {
    if (error_.empty()) error_ = what;
  }

  absl::string_view Take(uint64_t count) {
    if (count > bytes_.size() - at_) {
      Fail("it is cut off");
      return {};
    }
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  uint64_t Number(int width) {
    const absl::string_view digits = Take(width);
    uint64_t value = 0;
    for (size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(digits[i]);
    return value;
  }
  std::string Line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == absl::string_view::npos) return Fail("it is cut off"), "";
    const std::string line(bytes_.substr(at_, end - at_));
    at_ = end + 1;
    return line;
  }

  PickleValue* Push(Kind kind) {
    pickle_.values.emplace_back();
    pickle_.values.back().kind = kind;
    stack_.push_back(&pickle_.values.back());
    return stack_.back();
  }
  void PushInteger(int64_t value, Kind kind = Kind::kInteger) { Push(kind)->integer = value; }
  void PushText(uint64_t count) { Push(Kind::kText)->text = std::string(Take(count)); }
  PickleValue* Top() {
    static PickleValue nothing;
    if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back())) Fail("it takes from an empty stack");
    return error_.empty() ? stack_.back() : &nothing;
  }
  PickleValue* Pop() {
    PickleValue* const value = Top();
    if (error_.empty()) stack_.pop_back();
    return value;
  }
  std::vector<const PickleValue*> PopToMark() {
    if (marks_.empty()) return Fail("it lacks a mark"), std::vector<const PickleValue*>();
    const std::vector<const PickleValue*> values(stack_.begin() + static_cast<int64_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return values;
  }
  // Texts on the stack may be recalled and joined again and again, so a short pickle could name gigabytes.
  void PushGlobal(const std::string& module, const std::string& name) {
    global_bytes_ += module.size() + 1 + name.size();
    if (global_bytes_ > kPickleGlobalBytes)
      return Fail(absl::StrCat("names of more than ", kPickleGlobalBytes, " bytes"));
    Push(Kind::kGlobal)->text = absl::StrCat(module, ".", name);
  }
  void PushItems(Kind kind, std::vector<const PickleValue*> items) { Push(kind)->items = std::move(items); }
  void PushTuple(int count) {
    std::vector<const PickleValue*> items(count);
    for (int i = count; i-- > 0;) items[i] = Pop();
    PushItems(Kind::kTuple, std::move(items));
  }
  void Extend(std::vector<const PickleValue*> items) {
    PickleValue* const into = Top();
    if (into->kind == Kind::kCall) return;  // whatever it would make
    if (into->kind != Kind::kList && into->kind != Kind::kDict) return Fail("it adds to what is no list or dict");
    into->items.insert(into->items.end(), items.begin(), items.end());
  }

  bool Plain(unsigned char instruction) {
    switch (instruction) {
      case 0x80:
        Take(1);
        return true;  // protocol
      case 0x95:
        Take(8);
        return true;  // frame
      case 'N':
        Push(Kind::kNone);
        return true;
      case 0x88:
        PushInteger(1, Kind::kBool);
        return true;
      case 0x89:
        PushInteger(0, Kind::kBool);
        return true;
      case 'J':
        PushInteger(static_cast<int32_t>(Number(4)));
        return true;
      case 'K':
        PushInteger(static_cast<int64_t>(Number(1)));
        return true;
      case 'M':
        PushInteger(static_cast<int64_t>(Number(2)));
        return true;
      case 0x8a:
        PushLong(static_cast<int>(Number(1)));
        return true;
      case 'G':
        PushDouble();
        return true;
      case 'X':
      case 'T':
      case 'B':
        PushText(Number(4));
        return true;
      case 0x8c:
      case 'U':
      case 'C':
        PushText(Number(1));
        return true;
      case 0x8d:
      case 0x8e:
        PushText(Number(8));
        return true;
      default:
        return false;
    }
  }
  void PushLong(int width) {
    if (width > 8) return Fail("a number beyond 64 bits");
    int64_t value = static_cast<int64_t>(Number(width));
    if (width > 0 && width < 8 && (value >> (8 * width - 1) & 1) != 0) value -= int64_t{1} << (8 * width);
    PushInteger(value);
  }
  void PushDouble() {
    uint64_t bits = 0;
    for (const char byte : Take(8)) bits = bits << 8 | static_cast<unsigned char>(byte);  // big-endian, unlike the rest
    std::memcpy(&Push(Kind::kNumber)->number, &bits, sizeof(bits));
  }

  bool Container(unsigned char instruction) {
    switch (instruction) {
      case '(':
        marks_.push_back(stack_.size());
        return true;
      case '0':
        Pop();
        return true;
      case ')':
        Push(Kind::kTuple);
        return true;
      case 0x85:
        PushTuple(1);
        return true;
      case 0x86:
        PushTuple(2);
        return true;
      case 0x87:
        PushTuple(3);
        return true;
      case 't':
        PushItems(Kind::kTuple, PopToMark());
        return true;
      case ']':
      case 0x8f:
        Push(Kind::kList);
        return true;  // 0x8f: a set
      case 'l':
      case 0x91:
        PushItems(Kind::kList, PopToMark());
        return true;
      case '}':
        Push(Kind::kDict);
        return true;
      case 'd':
        PushItems(Kind::kDict, PopToMark());
        return true;
      case 'a':
        Extend({Pop()});
        return true;
      case 'e':
      case 'u':
      case 0x90:
        Extend(PopToMark());
        return true;
      case 's': {
        const PickleValue* const value = Pop();
        const PickleValue* const key = Pop();
        Extend({key, value});
        return true;
      }
      default:
        return false;
    }
  }

  bool Memo(unsigned char instruction) {
    switch (instruction) {
      case 'q':
        memo_[Number(1)] = Top();
        return true;
      case 'r':
        memo_[Number(4)] = Top();
        return true;
      case 0x94:
        memo_.emplace(memo_.size(), Top());
        return true;
      case 'h':
        Recall(Number(1));
        return true;
      case 'j':
        Recall(Number(4));
        return true;
      default:
        return false;
    }
  }
  void Recall(uint64_t number) {
    const auto found = memo_.find(number);
    if (found == memo_.end()) return Fail("it recalls what it never kept");
    stack_.push_back(found->second);
  }

  bool Object(unsigned char instruction) {
    switch (instruction) {
      case 'c': {
        const std::string module = Line();
        PushGlobal(module, Line());
        return true;
      }
      case 0x93: {
        const std::string name = Pop()->text, module = Pop()->text;
        PushGlobal(module, name);
        return true;
      }
      case 'R':
      case 0x81:
        Call();
        return true;
      case 0x92:
        Pop();
        Call();
        return true;
      case 'b':
        Pop();
        return true;  // attributes: of no use here
      case 'Q':
        PushItems(Kind::kPersistent, {Pop()});
        return true;
      default:
        return false;
    }
  }
  void Call() {
    const PickleValue* const arguments = Pop();
    const PickleValue* const callee = Pop();
    const bool empty_dict =
        callee->kind == Kind::kGlobal && callee->text == "collections.OrderedDict" && arguments->items.empty();
    empty_dict ? PushItems(Kind::kDict, {}) : PushItems(Kind::kCall, {callee, arguments});
  }

  const absl::string_view bytes_;
  size_t at_ = 0;
  Pickle pickle_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;  // stack sizes
  std::unordered_map<uint64_t, PickleValue*> memo_;
  size_t global_bytes_ = 0;
  std::string error_;
};

}  // namespace

const PickleValue* PickleValue::Find(absl::string_view key) const {
  for (size_t i = 0; kind == Kind::kDict && i + 1 < items.size(); i += 2) {
    if (items[i]->kind == Kind::kText && items[i]->text == key) return items[i + 1];
  }
  return nullptr;
}

absl::StatusOr<Pickle> ReadPickle(absl::string_view bytes) { return Machine(bytes).Run(); }

}  // namespace mimeo
