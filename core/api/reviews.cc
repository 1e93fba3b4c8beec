// Questions that store nothing: may somebody do something, whose token is this, who am I.
#include "core/api/body.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

json::Value strings(const std::vector<std::string>& list) {
  json::Value v = json::Value::array();
  for (const auto& s : list) v.push(s);
  return v;
}

json::Value user_value(const security::User& user) {
  json::Value v = json::Value::object({{"username", user.name}, {"groups", strings(user.groups)}});
  if (!user.uid.empty()) v.set("uid", user.uid);
  for (const auto& [key, values] : user.extra) v["extra"].set(key, strings(values));
  return v;
}

security::User user_of(const json::Value& spec) {
  security::User user;
  user.name = spec["user"].str();
  user.uid = spec["uid"].str();
  for (const auto& g : spec["groups"].items()) user.groups.emplace_back(g.str());
  for (const auto& [key, values] : spec["extra"].members()) {
    for (const auto& v : values.items()) user.extra[key].emplace_back(v.str());
  }
  return user;
}

security::Attributes attributes_of(const json::Value& spec) {
  security::Attributes a;
  const json::Value& r = spec["resourceAttributes"];
  a.is_resource = r.is_object();
  if (!a.is_resource) {
    a.verb = spec["nonResourceAttributes"]["verb"].str();
    a.path = spec["nonResourceAttributes"]["path"].str();
    return a;
  }
  a.verb = r["verb"].str();
  a.group = r["group"].str();
  a.version = r["version"].str();
  a.resource = r["resource"].str();
  a.subresource = r["subresource"].str();
  a.ns = r["namespace"].str();
  a.name = r["name"].str();
  return a;
}

void answer_access(Call& call, const security::User& user, json::Value* v) {
  const auto decision = call.server.authorizer().authorize(user, attributes_of(std::as_const(*v)["spec"]));
  json::Value status = json::Value::object({{"allowed", decision.verdict == security::Verdict::kAllow}});
  if (decision.verdict == security::Verdict::kDeny) status.set("denied", true);
  if (!decision.reason.empty()) status.set("reason", decision.reason);
  v->set("status", std::move(status));
}

void answer_token(Call& call, json::Value* v) {
  std::vector<std::string> audiences, matched;
  for (const auto& a : std::as_const(*v)["spec"]["audiences"].items()) audiences.emplace_back(a.str());
  const auto user = call.server.authenticator().authenticate_token(std::as_const(*v)["spec"]["token"].str(), audiences, &matched);
  json::Value status = json::Value::object({{"authenticated", user.ok()}});
  if (user.ok()) {
    status.set("user", user_value(*user)).set("audiences", strings(matched));
  } else {
    status.set("error", user.status().message);
  }
  v->set("status", std::move(status));
}

// Exactly one of the two kinds of attributes, and somebody to ask about.
std::vector<Cause> check(std::string_view kind, const json::Value& spec) {
  std::vector<Cause> causes;
  const auto add = [&](std::string field, std::string reason, std::string message) {
    causes.push_back({std::move(field), std::move(reason), std::move(message)});
  };
  if (!kind.ends_with("AccessReview")) return causes;
  const bool resource = spec["resourceAttributes"].is_object(), path = spec["nonResourceAttributes"].is_object();
  if (resource && path) {
    add("spec.nonResourceAttributes", "FieldValueInvalid", "Invalid value: cannot be specified in combination with resourceAttributes");
  }
  if (!resource && !path) {
    add("spec.resourceAttributes", "FieldValueInvalid", "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified");
  }
  if (kind != "SelfSubjectAccessReview" && spec["user"].str().empty() && spec["groups"].empty()) {
    add("spec.user", "FieldValueInvalid", "Invalid value: \"\": at least one of user or group must be specified");
  }
  return causes;
}

}  // namespace

void review(const CallPtr& call) {
  if (call->stored() == "bindings") return bind(call);
  auto body = read_object(*call, nullptr);
  if (!body.ok()) return call->fail(body.status());
  json::Value& v = *body;
  const std::string_view kind = call->resource->kind;
  const json::Value spec = std::as_const(v)["spec"];
  if (auto causes = check(kind, spec); !causes.empty()) return call->fail(invalid(*call, "", std::move(causes)));
  call->server.catch_up();
  if (kind == "SelfSubjectAccessReview") {
    answer_access(*call, call->user, &v);
  } else if (kind == "SubjectAccessReview") {
    answer_access(*call, user_of(spec), &v);
  } else if (kind == "LocalSubjectAccessReview") {
    if (spec["resourceAttributes"]["namespace"].str() != call->request.ns) {
      return call->fail(invalid(*call, "", {{"spec.resourceAttributes.namespace", "FieldValueInvalid", "Invalid value: must match metadata.namespace"}}));
    }
    answer_access(*call, user_of(spec), &v);
  } else if (kind == "SelfSubjectRulesReview") {
    v.set("status", call->server.authorizer().rules(call->user, spec["namespace"].str()));
  } else if (kind == "TokenReview") {
    answer_token(*call, &v);
  } else if (kind == "SelfSubjectReview") {
    v["status"].set("userInfo", user_value(call->user));
    v["metadata"].set("creationTimestamp", format_time(call->server.clock().now()));
  } else {
    return call->fail({Reason::kMethodNotAllowed, "the server does not allow this method on the requested resource"});
  }
  call->give(201, v);
}

}  // namespace lotse::api
