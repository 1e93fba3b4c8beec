// pods, services and nodes proxy: an HTTP request carried to the node where its target is, and the answer back. A node itself
// has one page, stats/summary.
#include <charconv>

#include "core/api/node_stream.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

// "[scheme:]name[:port]"
struct Target {
  std::string scheme = "http", name, port;
};

Result<Target> parse_target(const std::string& text) {
  Target t;
  const size_t first = text.find(':'), last = text.rfind(':');
  if (first == std::string::npos) {
    t.name = text;
  } else if (first == last) {
    t.name = text.substr(0, first);
    t.port = text.substr(first + 1);
  } else {
    t.scheme = text.substr(0, first);
    t.name = text.substr(first + 1, last - first - 1);
    t.port = text.substr(last + 1);
  }
  if (t.scheme.empty()) t.scheme = "http";
  if ((t.scheme != "http" && t.scheme != "https") || t.name.empty()) {
    return Status(Reason::kBadRequest, "invalid proxy target \"" + text + "\": expected [scheme:]name[:port]");
  }
  return t;
}

struct Place {
  std::string node;
  MsgValue arguments = MsgValue::map();
};

int port_number(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 && port < 65536 ? port : 0;
}

// A container's port by number or name; without one, the first that the pod declares, else 80.
int pod_port(const json::Value& pod, std::string_view wanted) {
  if (const int n = port_number(wanted)) return n;
  for (const auto& c : pod["spec"]["containers"].items()) {
    for (const auto& p : c["ports"].items()) {
      if (wanted.empty() || p["name"].str() == wanted) return static_cast<int>(p["containerPort"].integer());
    }
  }
  return wanted.empty() ? 80 : 0;
}

Result<Place> to_pod(const Call& call, const Target& t) {
  LOTSE_TRY(const ObjectPtr pod, call.server.store().get({"pods", call.request.ns, t.name}));
  Place place;
  LOTSE_TRY(place.arguments, pod_arguments(pod));
  place.node = pod->header().node_name;
  const int port = pod_port(pod->value(), t.port);
  if (port == 0) return Status(Reason::kBadRequest, "pod " + t.name + " has no port named \"" + t.port + "\"");
  place.arguments.set("port", port);
  return place;
}

bool wanted_port(const json::Value& port, const Target& t, const json::Value& service) {
  if (t.port.empty()) return true;
  for (const auto& p : service["spec"]["ports"].items()) {
    const bool named = p["name"].str() == t.port || p["port"].integer() == port_number(t.port);
    if (named) return port["name"].str() == p["name"].str();
  }
  return false;
}

// One of the service's ready endpoints, on whatever node it is.
Result<Place> to_service(const Call& call, const Target& t) {
  LOTSE_TRY(const ObjectPtr service, call.server.store().get({"services", call.request.ns, t.name}));
  const json::Value service_value = service->value();
  store::ListQuery query;
  query.resource = "endpointslices.discovery.k8s.io";
  query.ns = call.request.ns;
  LOTSE_TRY(query.labels, LabelSelector::parse("kubernetes.io/service-name=" + t.name));
  LOTSE_TRY(const auto slices, call.server.store().list(query));
  for (const auto& object : slices.items) {
    const json::Value slice = object->value();
    for (const auto& port : slice["ports"].items()) {
      if (!wanted_port(port, t, service_value)) continue;
      for (const auto& e : slice["endpoints"].items()) {
        if (!e["conditions"]["ready"].boolean(true) || e["nodeName"].str().empty() || e["addresses"].empty()) continue;
        Place place;
        place.node = e["nodeName"].str();
        place.arguments.set("address", e["addresses"].at(0).str());
        place.arguments.set("port", port["port"].integer());
        return place;
      }
    }
  }
  return Status(Reason::kServiceUnavailable, "no endpoints available for service \"" + t.name + "\"");
}

Result<Place> find_place(const Call& call, const Target& t) {
  if (call.stored() == "pods") return to_pod(call, t);
  if (call.stored() == "services") return to_service(call, t);
  LOTSE_TRY([[maybe_unused]] const ObjectPtr node, call.server.store().get({"nodes", "", t.name}));
  Place place;
  place.node = t.name;
  if (const int port = port_number(t.port)) place.arguments.set("port", port);
  return place;
}

std::string escape(std::string_view s) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) || c == '-' || c == '.' || c == '_' || c == '~' || c == '/') {
      out.push_back(c);
    } else {
      out.append({'%', kHex[u >> 4], kHex[u & 15]});
    }
  }
  return out;
}

std::string path_of(const Request& r) {
  std::string path = r.path.starts_with('/') ? escape(r.path) : "/" + escape(r.path);
  char separator = '?';
  for (const auto& [name, value] : r.options) {
    path.append({std::exchange(separator, '&')}).append(escape(name)).append("=").append(escape(value));
  }
  return path;
}

// Who the client is stays here: his credentials are for us.
bool goes_along(std::string_view name) {
  std::string n(name);
  std::transform(n.begin(), n.end(), n.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return n != "authorization" && !n.starts_with("impersonate-") && n != "transfer-encoding" && n != "content-length" && n != "host";
}

// The one page that a node serves itself; everything else that is asked of a node goes to a port of its own.
bool asks_for_stats(const Call& call, const Target& t) {
  if (call.stored() != "nodes" || !(t.port.empty() || t.port == "10250")) return false;
  return path_of(call.request).starts_with("/stats/summary") && (call.request.method.empty() || call.request.method == "GET");
}

}  // namespace

void proxy(const CallPtr& call) {
  auto target = parse_target(call->request.name);
  if (!target.ok()) return call->fail(target.status());
  auto place = find_place(*call, *target);
  if (!place.ok()) return call->fail(place.status());
  if (asks_for_stats(*call, *target)) {
    return reply_with_stream(call, place->node, "stats", MsgValue::map(), {}, [](const MsgValue&) { return Response(); });
  }
  MsgValue& a = place->arguments;
  a.set("scheme", target->scheme);
  a.set("method", call->request.method.empty() ? "GET" : call->request.method);
  a.set("path", path_of(call->request));
  MsgValue headers = MsgValue::array();
  for (const auto& [name, value] : call->request.headers) {
    if (goes_along(name)) headers.push(MsgValue::array({name, value}));
  }
  if (!call->request.content_type.empty()) headers.push(MsgValue::array({"Content-Type", call->request.content_type}));
  if (!call->request.accept.empty()) headers.push(MsgValue::array({"Accept", call->request.accept}));
  a.set("headers", std::move(headers));
  reply_with_stream(call, place->node, "proxy", a, call->request.body, [](const MsgValue& head) {
    Response r;
    r.status = static_cast<int>(head["status"].as_int(502));
    r.content_type.clear();
    for (const auto& pair : head["headers"].items()) {
      if (pair.items().size() != 2) continue;
      const std::string name(pair.items()[0].as_text()), value(pair.items()[1].as_text());
      if (name == "Content-Type" || name == "content-type") {
        r.content_type = value;
      } else if (goes_along(name)) {
        r.headers.emplace_back(name, value);
      }
    }
    if (r.status == 101) r.upgrade = Upgrade::kRaw;
    return r;
  });
}

}  // namespace lotse::api
