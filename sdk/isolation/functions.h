// The functions of the kinds whose calls are messages, by number. New ones go to the end of their list only.
#pragma once
#include <string_view>
#include <vector>

#include "lotse/abi/proxy.h"
#include "lotse/abi/runtime.h"

namespace lotse::isolation {

struct Functions {
  uint32_t size = 0;             // of the kind's struct
  std::vector<size_t> calls;     // where each lotse_message_fn lies in it
  std::vector<size_t> streams;   // where each lotse_message_stream_fn lies
};

// nullptr: the kind's functions are no messages.
const Functions* functions_of(std::string_view kind);

// The function of an instance, or nullptr: older ones may end before it.
template <class Fn>
Fn function_at(const lotse_instance* instance, size_t offset) {
  if (offset + sizeof(Fn) > instance->size) return nullptr;
  return *reinterpret_cast<const Fn*>(reinterpret_cast<const char*>(instance) + offset);
}

}  // namespace lotse::isolation
