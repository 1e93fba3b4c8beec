// Reading requests, by the SDK's functions.
#pragma once
#include "lotse/request.hpp"

namespace lotse::container_engine {

using sdk::get_array;
using sdk::get_bool;
using sdk::get_int;
using sdk::get_ints;
using sdk::get_map;
using sdk::get_text;
using sdk::get_text_map;
using sdk::get_texts;
using sdk::Msg;
using sdk::need_int;
using sdk::need_text;
using sdk::refuse;

}  // namespace lotse::container_engine
