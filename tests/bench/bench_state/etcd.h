// A private etcd on loopback, and raw puts to it through its JSON gateway.
#pragma once

#include <sys/types.h>

#include <string>

namespace lotse::bench {

class Etcd {
 public:
  // False (with `why`): there is no etcd to be had.
  bool start(const std::string& directory, std::string& why);
  ~Etcd();

  struct Figures {
    double puts_per_second = 0;
    double syncs_per_second = 0;
    double cpu_ms = 0;  // of its processor time, a put
    bool good = false;
  };
  // So many clients, each with a connection of its own and one put of `value_bytes` after the other.
  Figures run(int clients, size_t value_bytes, double seconds);

 private:
  double syncs();  // so far, by its own metrics
  double cpu_seconds() const;
  pid_t pid_ = -1;
  int port_ = 0;
};

}  // namespace lotse::bench
