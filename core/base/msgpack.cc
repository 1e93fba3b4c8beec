#include "core/base/msgpack.h"

#include <fmt/format.h>

#include <msgpack.hpp>

namespace lotse {
namespace {

struct StringStream {
  std::string* out;
  void write(const char* data, size_t size) { out->append(data, size); }
};
using Packer = msgpack::packer<StringStream>;

const MsgValue kNil;

// Builds the tree as msgpack-cxx walks the bytes. Nothing is reserved on the word of the sender.
class Builder : public msgpack::null_visitor {
 public:
  explicit Builder(const MsgLimits& limits) : limits_(limits) {}

  bool visit_nil() { return put(MsgValue()); }
  bool visit_boolean(bool v) { return put(MsgValue(v)); }
  bool visit_positive_integer(uint64_t v) { return put(MsgValue(v)); }
  bool visit_negative_integer(int64_t v) { return put(MsgValue(v)); }
  bool visit_float32(float v) { return put(MsgValue(double(v))); }
  bool visit_float64(double v) { return put(MsgValue(v)); }
  bool visit_str(const char* data, uint32_t size) { return put_text({data, size}, false); }
  bool visit_bin(const char* data, uint32_t size) { return put_text({data, size}, true); }
  bool visit_ext(const char*, uint32_t) { return fail("an extension type"); }
  bool start_array(uint32_t) { return open(MsgValue::array()); }
  bool start_map(uint32_t) { return open(MsgValue::map()); }
  bool end_array() { return close(); }
  bool end_map() { return close(); }
  bool start_map_key() { return expect_key_ = true; }
  void parse_error(size_t, size_t) { fail("a byte that means nothing"); }
  void insufficient_bytes(size_t, size_t) { fail("less than it announces"); }

  MsgValue root;
  std::string problem;

 private:
  struct Level {
    MsgValue value;
    std::string key;     // of the value itself in its parent
    std::string member;  // whose value comes next
  };

  bool fail(std::string what) {
    if (problem.empty()) problem = std::move(what);
    return false;
  }
  bool put_text(std::string_view text, bool binary) {
    if (expect_key_) {
      expect_key_ = false;
      levels_.back().member = text;
      return true;
    }
    return put(binary ? MsgValue::bin(text) : MsgValue(text));
  }
  bool count() {
    return ++count_ <= limits_.values_max || fail(fmt::format("more than {} values", limits_.values_max));
  }
  bool put(MsgValue value) {
    if (expect_key_) return fail("a map key that is not text");
    if (!count()) return false;
    place(std::move(value));
    return true;
  }
  void place(MsgValue value) {
    if (levels_.empty())
      root = std::move(value);
    else if (levels_.back().value.is_map())
      levels_.back().value.append(std::move(levels_.back().member), std::move(value));
    else
      levels_.back().value.push(std::move(value));
  }
  bool open(MsgValue value) {
    if (expect_key_) return fail("a map key that is not text");
    if (levels_.size() >= limits_.depth_max) return fail(fmt::format("more than {} levels", limits_.depth_max));
    if (!count()) return false;
    levels_.push_back({std::move(value), {}, {}});
    return true;
  }
  bool close() {
    MsgValue value = std::move(levels_.back().value);
    levels_.pop_back();
    place(std::move(value));
    return true;
  }

  const MsgLimits& limits_;
  std::vector<Level> levels_;
  size_t count_ = 0;
  bool expect_key_ = false;
};

}  // namespace

bool MsgValue::as_bool(bool fallback) const {
  auto* v = std::get_if<bool>(&value_);
  return v ? *v : fallback;
}

int64_t MsgValue::as_int(int64_t fallback) const {
  auto* v = std::get_if<int64_t>(&value_);
  return v ? *v : fallback;
}

uint64_t MsgValue::as_uint(uint64_t fallback) const {
  if (auto* v = std::get_if<uint64_t>(&value_)) return *v;
  auto* v = std::get_if<int64_t>(&value_);
  return v && *v >= 0 ? uint64_t(*v) : fallback;
}

double MsgValue::as_double(double fallback) const {
  if (auto* v = std::get_if<double>(&value_)) return *v;
  if (auto* v = std::get_if<uint64_t>(&value_)) return double(*v);
  auto* v = std::get_if<int64_t>(&value_);
  return v ? double(*v) : fallback;
}

std::string_view MsgValue::as_text(std::string_view fallback) const {
  if (auto* v = std::get_if<std::string>(&value_)) return *v;
  auto* v = std::get_if<Bin>(&value_);
  return v ? std::string_view(v->bytes) : fallback;
}

const MsgValue::Array& MsgValue::items() const {
  static const Array kNone;
  auto* v = std::get_if<Array>(&value_);
  return v ? *v : kNone;
}

const MsgValue::Map& MsgValue::members() const {
  static const Map kNone;
  auto* v = std::get_if<Map>(&value_);
  return v ? *v : kNone;
}

std::vector<std::string> MsgValue::as_strings() const {
  std::vector<std::string> out;
  for (const MsgValue& item : items()) out.emplace_back(item.as_text());
  return out;
}

const MsgValue& MsgValue::operator[](std::string_view key) const {
  for (const Member& member : members()) {
    if (member.first == key) return member.second;
  }
  return kNil;
}

bool MsgValue::has(std::string_view key) const {
  return &(*this)[key] != &kNil;
}

void MsgValue::set(std::string_view key, MsgValue value) {
  if (is_nil()) value_ = Map();
  auto& map = std::get<Map>(value_);
  for (Member& member : map) {
    if (member.first == key) {
      member.second = std::move(value);
      return;
    }
  }
  map.emplace_back(std::string(key), std::move(value));
}

void MsgValue::append(std::string key, MsgValue value) {
  std::get<Map>(value_).emplace_back(std::move(key), std::move(value));
}

void MsgValue::push(MsgValue value) {
  if (is_nil()) value_ = Array();
  std::get<Array>(value_).push_back(std::move(value));
}

std::string MsgValue::encode() const {
  std::string out;
  encode_to(&out);
  return out;
}

void MsgValue::encode_to(std::string* out) const {
  MsgWriter writer(out);
  struct Visitor {
    MsgWriter& w;
    void operator()(std::monostate) { w.nil(); }
    void operator()(bool v) { w.boolean(v); }
    void operator()(int64_t v) { w.integer(v); }
    void operator()(uint64_t v) { w.uinteger(v); }
    void operator()(double v) { w.real(v); }
    void operator()(const std::string& v) { w.str(v); }
    void operator()(const Bin& v) { w.bin(v.bytes); }
    void operator()(const Array& v) {
      w.array(uint32_t(v.size()));
      for (const MsgValue& item : v) w.value(item);
    }
    void operator()(const Map& v) {
      w.map(uint32_t(v.size()));
      for (const Member& member : v) w.str(member.first).value(member.second);
    }
  };
  std::visit(Visitor{writer}, value_);
}

Result<MsgValue> MsgValue::parse_front(std::string_view bytes, size_t* used, const MsgLimits& limits) {
  auto wrong = [](std::string_view what) {
    return Status(Reason::kBadRequest, fmt::format("the MessagePack message holds {}", what));
  };
  if (bytes.empty()) return wrong("nothing");
  if (bytes.size() > limits.bytes_max) return wrong(fmt::format("more than {} bytes", limits.bytes_max));
  Builder builder(limits);
  size_t offset = 0;
  bool whole = false;
  try {
    whole = msgpack::parse(bytes.data(), bytes.size(), offset, builder);
  } catch (const std::exception& error) {
    builder.problem = error.what();
  }
  if (!builder.problem.empty()) return wrong(builder.problem);
  if (!whole) return wrong("less than it announces");
  *used = offset;
  return std::move(builder.root);
}

Result<MsgValue> MsgValue::parse(std::string_view bytes, const MsgLimits& limits) {
  size_t used = 0;
  LOTSE_TRY(MsgValue value, parse_front(bytes, &used, limits));
  if (used != bytes.size()) return Status(Reason::kBadRequest, "the MessagePack message holds more than one value");
  return value;
}

#define LOTSE_PACK(expression) \
  do {                         \
    StringStream stream{out_}; \
    Packer packer(stream);     \
    packer.expression;         \
    return *this;              \
  } while (0)

MsgWriter& MsgWriter::map(uint32_t members) {
  LOTSE_PACK(pack_map(members));
}
MsgWriter& MsgWriter::array(uint32_t items) {
  LOTSE_PACK(pack_array(items));
}
MsgWriter& MsgWriter::str(std::string_view text) {
  LOTSE_PACK(pack_str(uint32_t(text.size())).pack_str_body(text.data(), uint32_t(text.size())));
}
MsgWriter& MsgWriter::bin(std::string_view bytes) {
  LOTSE_PACK(pack_bin(uint32_t(bytes.size())).pack_bin_body(bytes.data(), uint32_t(bytes.size())));
}
MsgWriter& MsgWriter::integer(int64_t value) {
  LOTSE_PACK(pack_int64(value));
}
MsgWriter& MsgWriter::uinteger(uint64_t value) {
  LOTSE_PACK(pack_uint64(value));
}
MsgWriter& MsgWriter::real(double value) {
  LOTSE_PACK(pack_double(value));
}
MsgWriter& MsgWriter::boolean(bool value) {
  LOTSE_PACK(pack(value));
}
MsgWriter& MsgWriter::nil() {
  LOTSE_PACK(pack_nil());
}
MsgWriter& MsgWriter::value(const MsgValue& value) {
  value.encode_to(out_);
  return *this;
}

}  // namespace lotse
