// The certificates of a master's data directory: what expires when. Read from the files, so that it is told as well of a daemon that does
// not run. Keys have no end: the CURVE keys of the bus, which are the nodes' identities, and the key of the service accounts' tokens.
#pragma once
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/object/json.h"

namespace lotse::ops {

struct Certificate {
  std::string name;     // "ca", "serving", "admin"
  std::string purpose;  // a few words
  std::string file;
  std::string problem;  // why it could not be read; then the rest is empty
  std::string subject;
  std::vector<std::string> names;  // DNS names and addresses that it is good for
  WallTime from{}, until{};
  WallTime renewed{};   // when lotsed makes it anew; zero: never by itself
};

// Empty: this directory is not a master's.
std::vector<Certificate> certificates(const std::string& data_dir);
// From PEM text, for other places of certificates.
Certificate read_certificate(std::string name, std::string_view pem);

enum class Age : uint8_t { kGood, kDue, kExpired, kEarly, kUnreadable };
// kDue: it should have been made anew. kEarly: it is not valid yet, so the clock is wrong.
Age age(const Certificate& certificate, WallTime now);
std::string describe(const Certificate& certificate, WallTime now);  // "good for 364d", "expired 2d ago"

json::Value as_json(const std::vector<Certificate>& certificates, WallTime now);

}  // namespace lotse::ops
