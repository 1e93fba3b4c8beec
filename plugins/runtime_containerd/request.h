// Reading requests: each function takes one key, and throws LOTSE_INVALID with a sentence that names it where a key is
// missing that must be there, or is of another type.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lotse/msgpack.hpp"

namespace lotse::runtime_containerd {

using sdk::Msg;

Msg parse_request(std::string_view bytes);  // a map, or LOTSE_INVALID

std::string need_text(const Msg& request, std::string_view key);  // not empty
int64_t need_int(const Msg& request, std::string_view key, int64_t minimum, int64_t maximum);
std::string get_text(const Msg& request, std::string_view key, std::string_view fallback = {});
int64_t get_int(const Msg& request, std::string_view key, int64_t fallback = 0);
bool get_bool(const Msg& request, std::string_view key, bool fallback = false);
std::vector<std::string> get_texts(const Msg& request, std::string_view key);
std::vector<int64_t> get_ints(const Msg& request, std::string_view key);
std::vector<std::pair<std::string, std::string>> get_text_map(const Msg& request, std::string_view key);
const Msg& get_map(const Msg& request, std::string_view key);    // an empty map if it is missing
const Msg& get_array(const Msg& request, std::string_view key);  // an empty array if it is missing

[[noreturn]] void refuse(const std::string& sentence);  // LOTSE_INVALID

}  // namespace lotse::runtime_containerd
