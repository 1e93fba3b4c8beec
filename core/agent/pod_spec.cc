#include "core/agent/pod_spec.h"

#include "core/agent/local_storage.h"
#include "core/object/quantity.h"

namespace lotse::agent {
namespace {

std::string text(const json::Value& v) { return std::string(v.str()); }

std::string port_text(const json::Value& v) { return v.is_number() ? std::to_string(v.integer()) : text(v); }

void read_http(const json::Value& v, Handler* out) {
  out->kind = Handler::Kind::kHttp;
  out->host = text(v["host"]);
  out->path = std::string(v["path"].str("/"));
  out->scheme = std::string(v["scheme"].str("HTTP"));
  out->port = port_text(v["port"]);
  for (const auto& h : v["httpHeaders"].items()) out->headers.emplace_back(text(h["name"]), text(h["value"]));
}

Handler read_handler(const json::Value& v) {
  Handler h;
  if (auto* exec = v.find("exec")) {
    h.kind = Handler::Kind::kExec;
    for (const auto& word : (*exec)["command"].items()) h.command.push_back(text(word));
  } else if (auto* http = v.find("httpGet")) {
    read_http(*http, &h);
  } else if (auto* tcp = v.find("tcpSocket")) {
    h.kind = Handler::Kind::kTcp;
    h.host = text((*tcp)["host"]);
    h.port = port_text((*tcp)["port"]);
  } else if (auto* grpc = v.find("grpc")) {
    h.kind = Handler::Kind::kGrpc;
    h.port = port_text((*grpc)["port"]);
    h.service = text((*grpc)["service"]);
  } else if (auto* sleep = v.find("sleep")) {
    h.kind = Handler::Kind::kSleep;
    h.sleep_s = (*sleep)["seconds"].integer();
  }
  return h;
}

std::unique_ptr<const Probe> read_probe(const json::Value& v) {
  if (!v.is_object()) return nullptr;
  auto p = std::make_unique<Probe>();
  p->handler = read_handler(v);
  auto number = [&](const char* key, int fallback) {
    auto n = v[key].integer(fallback);
    return n > 0 ? static_cast<int>(std::min<int64_t>(n, INT32_MAX)) : fallback;
  };
  p->delay_s = number("initialDelaySeconds", 0);
  p->period_s = number("periodSeconds", 10);
  p->timeout_s = number("timeoutSeconds", 1);
  p->success = number("successThreshold", 1);
  p->failure = number("failureThreshold", 3);
  if (v.has("terminationGracePeriodSeconds")) p->grace_s = v["terminationGracePeriodSeconds"].integer();
  return p;
}

std::unique_ptr<const Handler> read_hook(const json::Value& v) {
  return v.is_object() ? std::make_unique<const Handler>(read_handler(v)) : nullptr;
}

Restart read_restart(std::string_view name, Restart fallback) {
  if (name == "Always") return Restart::kAlways;
  if (name == "OnFailure") return Restart::kOnFailure;
  if (name == "Never") return Restart::kNever;
  return fallback;
}

// An image without a tag, or with :latest, is looked for anew each time.
Pull default_pull(std::string_view image) {
  if (image.find('@') != std::string_view::npos) return Pull::kIfNotPresent;
  auto slash = image.rfind('/');
  auto colon = image.rfind(':');
  bool tagged = colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  return !tagged || image.substr(colon + 1) == "latest" ? Pull::kAlways : Pull::kIfNotPresent;
}

ContainerSpec read_container(const json::Value& v, Role role, Restart pod_restart) {
  ContainerSpec c;
  c.name = text(v["name"]);
  c.image = text(v["image"]);
  c.role = role;
  c.restart = read_restart(v["restartPolicy"].str(), pod_restart);
  if (role == Role::kInit && v["restartPolicy"].str() == "Always") c.role = Role::kSidecar;
  if (role == Role::kEphemeral) c.restart = Restart::kNever;
  auto pull = v["imagePullPolicy"].str();
  c.pull = pull == "Always"  ? Pull::kAlways
           : pull == "Never" ? Pull::kNever
           : pull.empty()    ? default_pull(c.image)
                             : Pull::kIfNotPresent;
  c.startup = read_probe(v["startupProbe"]);
  c.readiness = read_probe(v["readinessProbe"]);
  c.liveness = read_probe(v["livenessProbe"]);
  c.post_start = read_hook(v["lifecycle"]["postStart"]);
  c.pre_stop = read_hook(v["lifecycle"]["preStop"]);
  c.termination_path = std::string(v["terminationMessagePath"].str("/dev/termination-log"));
  c.fallback_to_logs = v["terminationMessagePolicy"].str() == "FallbackToLogsOnError";
  for (const auto& p : v["ports"].items()) {
    if (!p["name"].str().empty()) c.ports[text(p["name"])] = static_cast<int>(p["containerPort"].integer());
  }
  return c;
}

void read_reported(const json::Value& v, ContainerSpec::Reported* out) {
  auto id = v["containerID"].str();
  auto scheme = id.find("://");
  out->id = std::string(scheme == std::string_view::npos ? id : id.substr(scheme + 3));
  out->restarts = static_cast<int>(v["restartCount"].integer());
  out->started = v["started"].boolean();
  out->ready = v["ready"].boolean();
}

bool positive(const json::Value& list, std::string_view key, std::string* canonical) {
  auto q = Quantity::parse(list[key].is_number() ? list[key].number_text() : list[key].str());
  if (!q.ok() || q->is_zero() || q->negative()) return false;
  *canonical = std::to_string(q->milli());
  return true;
}

}  // namespace

std::string_view qos_name(Qos qos) {
  return qos == Qos::kGuaranteed ? "Guaranteed" : qos == Qos::kBurstable ? "Burstable" : "BestEffort";
}

// Kubernetes' "Pod Quality of Service Classes": guaranteed when every container's limits for cpu and memory are set and
// equal its requests; best effort when none has either.
Qos qos_of(const json::Value& pod) {
  bool any = false, guaranteed = true, seen = false;
  auto look = [&](const json::Value& resources) {
    for (const char* key : {"cpu", "memory"}) {
      std::string request, limit;
      bool has_request = positive(resources["requests"], key, &request);
      bool has_limit = positive(resources["limits"], key, &limit);
      any = any || has_request || has_limit;
      if (!has_limit || (has_request && request != limit)) guaranteed = false;
    }
  };
  const auto& spec = pod["spec"];
  const auto& own = spec["resources"];
  if (!own["requests"].empty() || !own["limits"].empty()) {
    look(own);
    return !any ? Qos::kBestEffort : guaranteed ? Qos::kGuaranteed : Qos::kBurstable;
  }
  for (const char* list : {"initContainers", "containers"}) {
    for (const auto& c : spec[list].items()) {
      seen = true;
      look(c["resources"]);
    }
  }
  if (!any || !seen) return Qos::kBestEffort;
  return guaranteed ? Qos::kGuaranteed : Qos::kBurstable;
}

int PodSpec::find(std::string_view container) const {
  for (size_t i = 0; i < containers.size(); ++i) {
    if (containers[i].name == container) return static_cast<int>(i);
  }
  return -1;
}

int resolve_port(const ContainerSpec& container, const std::string& port) {
  if (port.empty()) return 0;
  if (auto named = container.ports.find(port); named != container.ports.end()) return named->second;
  int number = 0;
  for (char c : port) {
    if (c < '0' || c > '9' || number > 65535) return 0;
    number = number * 10 + (c - '0');
  }
  return number > 65535 ? 0 : number;
}

PodSpecPtr parse_pod(const Object& object) {
  return parse_pod(object.value());
}

PodSpecPtr parse_pod(const json::Value& pod) {
  const auto& meta = pod["metadata"];
  const auto& spec = pod["spec"];
  const auto& status = pod["status"];
  auto out = std::make_shared<PodSpec>();
  out->ns = text(meta["namespace"]);
  out->name = text(meta["name"]);
  out->uid = text(meta["uid"]);
  out->generation = meta["generation"].integer();
  out->restart = read_restart(spec["restartPolicy"].str(), Restart::kAlways);
  for (const auto& c : spec["initContainers"].items())
    out->containers.push_back(read_container(c, Role::kInit, out->restart));
  for (const auto& c : spec["containers"].items())
    out->containers.push_back(read_container(c, Role::kMain, out->restart));
  for (const auto& c : spec["ephemeralContainers"].items()) {
    out->containers.push_back(read_container(c, Role::kEphemeral, out->restart));
  }
  for (const char* list : {"initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"}) {
    for (const auto& s : status[list].items()) {
      if (int i = out->find(s["name"].str()); i >= 0)
        read_reported(s, &out->containers[static_cast<size_t>(i)].reported);
    }
  }
  out->qos = qos_of(pod);
  out->grace_s = spec["terminationGracePeriodSeconds"].integer(30);
  if (spec["activeDeadlineSeconds"].is_integer()) out->active_deadline_s = spec["activeDeadlineSeconds"].integer();
  out->host_network = spec["hostNetwork"].boolean();
  out->limits_storage = storage_limits(pod).any();
  for (const auto& g : spec["readinessGates"].items()) out->readiness_gates.push_back(text(g["conditionType"]));
  for (const auto& s : spec["imagePullSecrets"].items()) out->pull_secrets.push_back(text(s["name"]));
  out->deleting = meta["deletionTimestamp"].is_string();
  out->deletion_grace_s = meta["deletionGracePeriodSeconds"].integer(out->grace_s);
  out->phase = text(status["phase"]);
  out->status_reason = text(status["reason"]);
  out->status_message = text(status["message"]);
  if (auto t = parse_time(status["startTime"].str()); t.ok()) out->start_time = *t;
  return out;
}

}  // namespace lotse::agent
