// UTF-8 as Unicode defines it (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace lotse {

bool is_utf8(std::string_view text);
size_t utf8_length(std::string_view text);  // code points; REQUIRES: is_utf8(text)
void append_utf8(uint32_t code_point, std::string* out);

}  // namespace lotse
