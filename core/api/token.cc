// serviceaccounts/token: a signed token for an account, bound to a pod, secret or node if asked.
#include "core/api/admission.h"
#include "core/api/body.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"
#include "core/base/ids.h"

namespace lotse::api {
namespace {

constexpr int64_t kSecondsMin = 600, kSecondsMax = int64_t{1} << 32, kSecondsDefault = 3600;

Status bad(std::string field, std::string reason, std::string message) {
  return Status::invalid("authentication.k8s.io", "TokenRequest", "", {{std::move(field), std::move(reason), std::move(message)}});
}

Status bind_token(const Call& call, const json::Value& ref, security::TokenClaims* claims) {
  if (!ref.is_object()) return {};
  const std::string kind(ref["kind"].str()), name(ref["name"].str()), uid(ref["uid"].str());
  const std::string_view version = ref["apiVersion"].str();
  const bool known = (kind == "Pod" || kind == "Secret" || kind == "Node") && (version.empty() || version == "v1");
  if (!known) return bad("spec.boundObjectRef", "FieldValueNotSupported", "Unsupported value: \"" + kind + "\": supported values: \"Pod\", \"Secret\", \"Node\"");
  const std::string resource = kind == "Pod" ? "pods" : kind == "Secret" ? "secrets" : "nodes";
  const ObjectPtr object = call.server.find("", resource, kind == "Node" ? "" : call.request.ns, name);
  if (!object) return Status::not_found("", resource, name);
  if (!uid.empty() && uid != object->header().uid) {
    return Status::conflict("", resource, name, "the UID in the bound object reference (" + uid + ") does not match the UID in record. "
                                                "The object might have been deleted and then recreated");
  }
  claims->bound_kind = kind;
  claims->bound_name = name;
  claims->bound_uid = object->header().uid;
  if (kind != "Pod") return {};
  const json::Value pod = object->value();
  if (pod["spec"]["serviceAccountName"].str() != call.request.name) {
    return {Reason::kBadRequest, "cannot bind token for serviceaccount \"" + call.request.name + "\" to pod running with different serviceaccount name."};
  }
  claims->node_name = object->header().node_name;
  if (const ObjectPtr node = claims->node_name.empty() ? nullptr : call.server.find("", "nodes", "", claims->node_name)) {
    claims->node_uid = node->header().uid;
  }
  return {};
}

}  // namespace

void token_request(const CallPtr& call) {
  auto body = read_body(*call, "TokenRequest");
  if (!body.ok()) return call->fail(body.status());
  json::Value& v = *body;
  const json::Value spec = std::as_const(v)["spec"];
  const ObjectPtr account = call->server.find("", "serviceaccounts", call->request.ns, call->request.name);
  if (!account) return call->fail(Status::not_found("", "serviceaccounts", call->request.name));
  const int64_t seconds = spec["expirationSeconds"].integer(kSecondsDefault);
  if (seconds < kSecondsMin) {
    return call->fail(bad("spec.expirationSeconds", "FieldValueInvalid", "Invalid value: " + std::to_string(seconds) + ": may not specify a duration less than 10 minutes"));
  }
  if (seconds > kSecondsMax) {
    return call->fail(bad("spec.expirationSeconds", "FieldValueInvalid", "Invalid value: " + std::to_string(seconds) + ": may not specify a duration larger than 2^32 seconds"));
  }
  security::TokenClaims claims;
  claims.ns = call->request.ns;
  claims.service_account = call->request.name;
  claims.service_account_uid = account->header().uid;
  claims.issued = call->server.clock().now();
  claims.expires = claims.issued + std::chrono::seconds(seconds);
  claims.id = make_uuid();
  for (const auto& a : spec["audiences"].items()) claims.audiences.emplace_back(a.str());
  if (claims.audiences.empty()) claims.audiences.push_back(call->server.tokens().issuer());
  if (auto s = bind_token(*call, spec["boundObjectRef"], &claims); !s.ok()) return call->fail(std::move(s));
  if (auto s = restrict_node_token(*call, spec["boundObjectRef"]); !s.ok()) return call->fail(std::move(s));
  auto token = call->server.tokens().sign(claims);
  if (!token.ok()) return call->fail(token.status());
  json::Value audiences = json::Value::array();
  for (const auto& a : claims.audiences) audiences.push(a);
  v = json::Value::object({{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}});
  v["metadata"].set("name", claims.service_account).set("namespace", claims.ns).set("creationTimestamp", format_time(claims.issued));
  v["spec"].set("audiences", std::move(audiences)).set("expirationSeconds", seconds).set("boundObjectRef", spec["boundObjectRef"]);
  v["status"].set("token", *token).set("expirationTimestamp", format_time(claims.expires));
  call->give(201, v);
}

}  // namespace lotse::api
