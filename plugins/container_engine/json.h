// Reading JSON that runtimes and image archives hand us. What is missing, or of another type, reads as empty.
// The parser is bounded in depth, and the text by its callers.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lotse/msgpack.hpp"

namespace lotse::container_engine {

class Json {
 public:
  Json() = default;  // null
  static Json parse(std::string_view text);

  Json operator[](const char* key) const;
  std::vector<Json> items() const;
  std::vector<std::string> keys() const;
  std::string text() const;
  int64_t number(int64_t fallback = 0) const;
  bool boolean() const;
  sdk::Msg message() const;  // all of it, as the other kind of tree
  bool is_null() const;
  bool is_array() const;
  bool is_object() const;

 private:
  std::shared_ptr<const void> document_;
  const void* value_ = nullptr;
};

// Nil is null, and binary is taken for text.
std::string json_text(const sdk::Msg& value);

// The process of an OCI runtime spec, made into one that runs `command` instead. Empty if the spec has none.
std::string exec_process_json(std::string_view spec, const std::vector<std::string>& command, bool tty);

}  // namespace lotse::container_engine
