#include "core/network/dns_message.h"

#include <arpa/inet.h>

namespace lotse::network::dns {
namespace {

constexpr uint16_t kIn = 1;

uint16_t u16(std::string_view m, size_t at) { return static_cast<uint16_t>(static_cast<uint8_t>(m[at]) << 8 | static_cast<uint8_t>(m[at + 1])); }
uint32_t u32(std::string_view m, size_t at) { return static_cast<uint32_t>(u16(m, at)) << 16 | u16(m, at + 2); }
void put16(std::string& out, uint16_t v) { out += static_cast<char>(v >> 8), out += static_cast<char>(v & 255); }
void put32(std::string& out, uint32_t v) { put16(out, static_cast<uint16_t>(v >> 16)), put16(out, static_cast<uint16_t>(v & 0xffff)); }

// Reads a name at *at and moves *at behind it. At most 128 labels; a pointer must point before where it stands.
bool read_name(std::string_view m, size_t* at, std::string* out) {
  out->clear();
  size_t pos = *at;
  bool jumped = false;
  for (int labels = 0; labels < 128; ++labels) {
    if (pos >= m.size()) return false;
    const uint8_t size = static_cast<uint8_t>(m[pos]);
    if (size == 0) {
      if (!jumped) *at = pos + 1;
      return out->size() <= 253;
    }
    if ((size & 0xc0) == 0xc0) {
      if (pos + 1 >= m.size()) return false;
      const size_t target = u16(m, pos) & 0x3fff;
      if (target >= pos) return false;
      if (!jumped) *at = pos + 2;
      jumped = true;
      pos = target;
      continue;
    }
    if (size > 63 || pos + 1 + size > m.size()) return false;
    if (!out->empty()) *out += '.';
    out->append(m.substr(pos + 1, size));
    pos += 1 + size;
  }
  return false;
}

std::string lower(std::string s) {
  for (char& c : s)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return s;
}

void put_record(std::string& out, const Record& r) {
  out += wire_name(r.name);
  put16(out, r.type);
  put16(out, kIn);
  put32(out, r.ttl);
  put16(out, static_cast<uint16_t>(r.data.size()));
  out += r.data;
}

std::string header(uint16_t id, uint16_t flags, size_t qd, size_t an, size_t ns, size_t ar) {
  std::string out;
  put16(out, id);
  put16(out, flags);
  for (size_t n : {qd, an, ns, ar}) put16(out, static_cast<uint16_t>(n));
  return out;
}

}  // namespace

std::optional<Query> parse_query(std::string_view m) {
  if (m.size() < 12 || m.size() > 4096) return std::nullopt;
  const uint16_t flags = u16(m, 2);
  if ((flags & 0x8000) || (flags & 0x7800) || u16(m, 4) != 1) return std::nullopt;  // a response, another opcode, not one question
  Query q;
  q.id = u16(m, 0);
  q.recursion = flags & 0x0100;
  size_t at = 12;
  const size_t begin = at;
  std::string name;
  if (!read_name(m, &at, &name) || at + 4 > m.size()) return std::nullopt;
  q.raw_name = m.substr(begin, at - begin);
  // Nothing stands before it that a pointer could mean but the header, and the answer has another one.
  if (q.raw_name.size() != (name.empty() ? 1 : name.size() + 2)) return std::nullopt;
  q.name = lower(name);
  q.type = u16(m, at);
  q.cls = u16(m, at + 2);
  at += 4;
  const size_t records = u16(m, 6) + u16(m, 8) + u16(m, 10);
  for (size_t i = 0; i < records && i < 8; ++i) {
    std::string ignored;
    if (!read_name(m, &at, &ignored) || at + 10 > m.size()) return std::nullopt;
    if (u16(m, at) == kOpt) {
      q.edns = true;
      q.size_max = std::clamp<uint16_t>(u16(m, at + 2), 512, 1232);
    }
    at += 10 + u16(m, at + 8);
    if (at > m.size()) return std::nullopt;
  }
  return q;
}

std::string write(const Query& q, const Answer& a, size_t size_max) {
  if (size_max == 0) size_max = 65535;
  auto build = [&](bool whole) {
    const uint16_t flags = static_cast<uint16_t>(0x8000 | (a.authoritative ? 0x0400 : 0) | (whole ? 0 : 0x0200) | (q.recursion ? 0x0100 : 0) | 0x0080 | a.code);
    std::string out = header(q.id, flags, 1, whole ? a.answers.size() : 0, whole ? a.authority.size() : 0, (whole ? a.additional.size() : 0) + (q.edns ? 1 : 0));
    out += q.raw_name;
    put16(out, q.type);
    put16(out, q.cls);
    if (whole)
      for (const auto* section : {&a.answers, &a.authority, &a.additional})
        for (const auto& r : *section) put_record(out, r);
    if (q.edns) {
      out += '\0';
      put16(out, kOpt);
      put16(out, 1232);
      put32(out, 0);
      put16(out, 0);
    }
    return out;
  };
  std::string out = build(true);
  return out.size() <= size_max ? out : build(false);
}

std::string write_query(uint16_t id, std::string_view name, uint16_t type) {
  std::string out = header(id, 0x0100, 1, 0, 0, 0);
  out += wire_name(name);
  put16(out, type);
  put16(out, kIn);
  return out;
}

std::optional<Response> parse_response(std::string_view m) {
  if (m.size() < 12 || !(u16(m, 2) & 0x8000) || u16(m, 4) != 1) return std::nullopt;
  Response r;
  r.id = u16(m, 0);
  r.code = static_cast<Code>(u16(m, 2) & 15);
  r.truncated = u16(m, 2) & 0x0200;
  size_t at = 12;
  if (!read_name(m, &at, &r.question) || at + 4 > m.size()) return std::nullopt;
  r.question = lower(r.question);
  r.type = u16(m, at);
  at += 4;
  const size_t count = u16(m, 6);
  for (size_t i = 0; i < count && i < 256; ++i) {
    Record record;
    if (!read_name(m, &at, &record.name) || at + 10 > m.size()) return std::nullopt;
    record.type = u16(m, at);
    record.ttl = u32(m, at + 4);
    const size_t size = u16(m, at + 8);
    at += 10;
    if (at + size > m.size()) return std::nullopt;
    if (record.type == kCname || record.type == kPtr || record.type == kNs) {
      size_t inside = at;
      std::string target;
      if (!read_name(m, &inside, &target)) return std::nullopt;
      record.data = wire_name(target);
    } else {
      record.data = m.substr(at, size);
    }
    at += size;
    r.answers.push_back(std::move(record));
  }
  return r;
}

std::string wire_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const size_t dot = name.find('.');
    std::string_view label = name.substr(0, dot).substr(0, 63);
    out += static_cast<char>(label.size());
    out += label;
    name = dot == name.npos ? std::string_view() : name.substr(dot + 1);
  }
  out += '\0';
  return out;
}

std::string address_data(std::string_view ip) {
  char raw[16];
  std::string text(ip);
  if (inet_pton(AF_INET, text.c_str(), raw) == 1) return std::string(raw, 4);
  if (inet_pton(AF_INET6, text.c_str(), raw) == 1) return std::string(raw, 16);
  return {};
}

Record address(std::string name, std::string_view ip, uint32_t ttl) {
  std::string data = address_data(ip);
  return {std::move(name), data.size() == 16 ? kAaaa : kA, ttl, std::move(data)};
}

Record srv(std::string name, uint16_t port, std::string_view target, uint32_t ttl) {
  std::string data;
  put16(data, 0);
  put16(data, 100);
  put16(data, port);
  data += wire_name(target);
  return {std::move(name), kSrv, ttl, std::move(data)};
}

}  // namespace lotse::network::dns
