#include "core/base/ids.h"
#include "core/base/msgpack.h"
#include "core/bus/bus.h"

namespace lotse::bus {

constexpr std::string_view kPrefix = "lotse1.";

std::string JoinString::write() const {
  MsgValue v = MsgValue::map({{"a", MsgValue::strings(master.endpoints)}, {"k", master.public_z85}, {"t", token}});
  if (for_master) v.set("m", true);
  return std::string(kPrefix) + base64url(v.encode());
}

Result<JoinString> JoinString::parse(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  const Status bad(Reason::kBadRequest, "this is not what `lotse token create` printed (it begins with lotse1.)");
  std::string raw;
  if (text.size() > 4096 || !text.starts_with(kPrefix) || !unbase64url(text.substr(kPrefix.size()), &raw)) return bad;
  auto v = MsgValue::parse(raw, MsgLimits{3, 4096, 64});
  if (!v.ok()) return bad;
  JoinString out;
  out.master.endpoints = (*v)["a"].as_strings();
  out.master.public_z85 = (*v)["k"].as_text();
  out.token = (*v)["t"].as_text();
  out.for_master = (*v)["m"].as_bool();
  if (out.master.endpoints.empty() || out.master.public_z85.size() != 40 || out.token.empty()) return bad;
  return out;
}

}  // namespace lotse::bus
