#include "core/base/ids.h"

#include <openssl/sha.h>
#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace lotse {
namespace {

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kBase64Url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode64(std::string_view bytes, const char* alphabet, bool pad) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t left = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = uint8_t(bytes[i]) << 16;
    if (left > 1) group |= uint8_t(bytes[i + 1]) << 8;
    if (left > 2) group |= uint8_t(bytes[i + 2]);
    for (size_t k = 0; k <= left; k++) out += alphabet[group >> (18 - 6 * k) & 63];
    if (pad) out.append(3 - left, '=');
  }
  return out;
}

int digit_of(char c, const char* alphabet) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == alphabet[62]) return 62;
  if (c == alphabet[63]) return 63;
  return -1;
}

// `text` without padding. Strict: bits that would be dropped must be zero, so that every value has one form.
bool decode64(std::string_view text, const char* alphabet, std::string* out) {
  if (text.size() % 4 == 1) return false;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  uint32_t group = 0;
  int bits = 0;
  for (char c : text) {
    int digit = digit_of(c, alphabet);
    if (digit < 0) return false;
    group = group << 6 | uint32_t(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += char(group >> bits & 255);
      group &= (1u << bits) - 1;
    }
  }
  if (group != 0) return false;
  *out = std::move(bytes);
  return true;
}

}  // namespace

void fill_random(std::span<uint8_t> out) {
  while (!out.empty()) {
    ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) std::abort();  // without randomness no key and no token is safe
    out = out.subspan(size_t(got));
  }
}

std::string make_uuid() {
  std::array<uint8_t, 16> raw;
  fill_random(raw);
  raw[6] = uint8_t((raw[6] & 0x0f) | 0x40);
  raw[8] = uint8_t((raw[8] & 0x3f) | 0x80);
  std::string digits = hex({reinterpret_cast<const char*>(raw.data()), raw.size()});
  std::string out;
  for (size_t i = 0; i < digits.size(); i++) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out += '-';
    out += digits[i];
  }
  return out;
}

std::string make_suffix(size_t length) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  constexpr unsigned kEven = 256 - 256 % kAlphabet.size();  // above it some letters would be likelier
  std::string out;
  while (out.size() < length) {
    std::array<uint8_t, 16> raw;
    fill_random(raw);
    for (uint8_t byte : raw) {
      if (out.size() < length && byte < kEven) out += kAlphabet[byte % kAlphabet.size()];
    }
  }
  return out;
}

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char c : bytes) {
    out += kDigits[uint8_t(c) >> 4];
    out += kDigits[uint8_t(c) & 15];
  }
  return out;
}

uint64_t hash64(std::string_view bytes) {
  uint64_t hash = 14695981039346656037ull;
  for (char c : bytes) {
    hash ^= uint8_t(c);
    hash *= 1099511628211ull;
  }
  return hash;
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string base64(std::string_view bytes) {
  return encode64(bytes, kBase64, true);
}
std::string base64url(std::string_view bytes) {
  return encode64(bytes, kBase64Url, false);
}

bool unbase64(std::string_view text, std::string* out) {
  if (text.size() % 4 != 0) return false;
  size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    padding++;
  }
  return decode64(text, kBase64, out);
}

bool unbase64url(std::string_view text, std::string* out) {
  return decode64(text, kBase64Url, out);
}

}  // namespace lotse
