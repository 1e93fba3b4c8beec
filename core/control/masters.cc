#include "core/control/masters.h"

#include "core/base/ids.h"

namespace lotse::control {

json::Value MasterRecord::document() const {
  json::Value v = json::Value::object({{"apiVersion", "lotse/v1"}, {"kind", "Master"}});
  v["metadata"]["name"] = name;
  v["metadata"]["uid"] = make_uuid();
  v["api"] = json::Value::object({{"address", api_address}, {"port", api_port}});
  json::Value list = json::Value::array();
  for (const auto& e : endpoints) list.push(e);
  v["bus"] = json::Value::object({{"endpoints", list}, {"key", bus_key}});
  return v;
}

MasterRecord MasterRecord::of(const Object& object) {
  const json::Value v = object.value();
  MasterRecord m{object.header().name, std::string(v["api"]["address"].str()), v["api"]["port"].integer(), {}, std::string(v["bus"]["key"].str())};
  for (const auto& e : v["bus"]["endpoints"].items()) m.endpoints.emplace_back(e.str());
  return m;
}

}  // namespace lotse::control
