#pragma once
#include <cstdlib>
#include <filesystem>

#include "core/security/security.h"

namespace lotse::security {

// A directory of its own that is gone afterwards.
struct TempDir {
  std::string path;
  TempDir() {
    char name[] = "/tmp/lotse-security-XXXXXX";
    path = mkdtemp(name);
  }
  ~TempDir() { std::filesystem::remove_all(path); }
};

// A clock that tests move.
struct TestClock : Clock {
  WallTime wall{std::chrono::seconds(1767225600)};
  WallTime now() const override { return wall; }
  SteadyTime steady() const override { return SteadyTime(wall.time_since_epoch()); }
};

inline ObjectPtr object(std::string_view text) { return Object::from_value(*json::parse(text), 1); }

}  // namespace lotse::security
