// Names and numbers that must not repeat or be guessed.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lotse {

void fill_random(std::span<uint8_t> out);       // from the kernel's generator
std::string make_uuid();                        // RFC 9562 version 4
std::string make_suffix(size_t length = 5);     // generateName's alphabet: no vowels, nothing that looks alike
std::string hex(std::string_view bytes);
uint64_t hash64(std::string_view bytes);        // FNV-1a; stable across versions and machines, not for secrets
std::string sha256_hex(std::string_view bytes);
std::string base64(std::string_view bytes);
bool unbase64(std::string_view text, std::string* out);  // strict, with padding
std::string base64url(std::string_view bytes);           // without padding
bool unbase64url(std::string_view text, std::string* out);

}  // namespace lotse
