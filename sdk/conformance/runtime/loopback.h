// A runtime behind messages: the same table, but every call is made of a function's index and bytes, which another
// thread takes up, as a process boundary would have it. Who passes the suite directly and through this keeps no
// pointers.
#pragma once
#include <memory>

#include "lotse/abi/runtime.h"

namespace lotse::conformance {

class Loopback {
 public:
  explicit Loopback(const lotse_runtime* inner);
  ~Loopback();
  const lotse_runtime* runtime() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lotse::conformance
