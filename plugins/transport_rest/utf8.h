// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once
#include <cstddef>
#include <string_view>

namespace lotse::transport_rest {

// Width in bytes of the character that text begins with, 0 if it is not one. REQUIRES: !text.empty()
size_t utf8_width(std::string_view text);
bool is_utf8(std::string_view text);

}  // namespace lotse::transport_rest
