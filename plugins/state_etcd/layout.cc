#include "plugins/state_etcd/layout.h"

#include <charconv>
#include <cstdio>

namespace lotse::state_etcd {
namespace {

constexpr char kRestored = 1, kExpires = 2;
constexpr std::string_view kFormat = "lotse-state 1";

std::string generation_text(uint64_t generation) {
  char text[24];
  snprintf(text, sizeof text, "d/%08llx", static_cast<unsigned long long>(generation));
  return text;
}

void put_number(std::string& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}
uint64_t take_number(std::string_view& bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  bytes.remove_prefix(8);
  return value;
}

std::string_view word(std::string_view& text) {
  size_t end = text.find('\n');
  std::string_view found = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return found;
}
bool number(std::string_view text, std::string_view name, uint64_t& out) {
  if (!text.starts_with(name)) return false;
  text.remove_prefix(name.size());
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string Record::text() const {
  return std::string(kFormat) + "\nid " + id + "\ngeneration " + std::to_string(generation) + "\nbase " +
         std::to_string(base) + "\noffset " + std::to_string(offset) + "\n";
}

std::optional<Record> Record::parse(std::string_view text) {
  if (word(text) != kFormat) return std::nullopt;
  Record record;
  std::string_view id = word(text);
  if (!id.starts_with("id ") || id.size() < 4 || id.size() > 60) return std::nullopt;
  record.id = id.substr(3);
  if (!number(word(text), "generation ", record.generation)) return std::nullopt;
  if (!number(word(text), "base ", record.base)) return std::nullopt;
  if (!number(word(text), "offset ", record.offset)) return std::nullopt;
  return record;
}

std::string Layout::data_start(uint64_t generation) const {
  return prefix_ + generation_text(generation) + "/";
}
std::string Layout::data_end(uint64_t generation) const {
  return prefix_ + generation_text(generation) + "0";  // '0' follows '/'
}

bool StoredValue::parse(std::string_view bytes, StoredValue& out) {
  if (bytes.size() < 2) return false;
  char flags = bytes[0];
  out = {};
  out.place = static_cast<uint8_t>(bytes[1]);
  bytes.remove_prefix(2);
  size_t numbers = (flags & kRestored ? 8u : 0u) + (flags & kExpires ? 8u : 0u);
  if ((flags & ~(kRestored | kExpires)) != 0 || out.place >= kPlaces || bytes.size() < numbers) return false;
  if (flags & kRestored) out.restored = take_number(bytes);
  if (flags & kExpires) out.expires_unix_ns = static_cast<int64_t>(take_number(bytes));
  out.value = bytes;
  return true;
}

std::string StoredValue::bytes() const {
  std::string out;
  out.reserve(18 + value.size());
  out += static_cast<char>((restored != 0 ? kRestored : 0) | (expires_unix_ns != 0 ? kExpires : 0));
  out += static_cast<char>(place);
  if (restored != 0) put_number(out, restored);
  if (expires_unix_ns != 0) put_number(out, static_cast<uint64_t>(expires_unix_ns));
  out += value;
  return out;
}

}  // namespace lotse::state_etcd
