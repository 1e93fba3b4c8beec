// SHA-256, as hexadecimal text.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace lotse::container_engine {

std::string sha256_hex(std::string_view bytes);

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void add(std::string_view bytes);
  std::string hex();  // ends it

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace lotse::container_engine
