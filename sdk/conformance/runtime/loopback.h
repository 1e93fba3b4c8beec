// A runtime behind messages: both ends of sdk/isolation in one process, with bytes between them that other threads take up. Who passes the
// suite directly and through this keeps no pointers.
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
