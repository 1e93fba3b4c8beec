// The way in: audit id -> authenticate -> impersonate -> find the resource -> authorize -> the verb.
#include <charconv>

#include "core/api/apply.h"
#include "core/api/managed_fields.h"
#include "core/api/output.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"
#include "core/base/ids.h"

namespace lotse::api {
namespace {

constexpr size_t kBodyMax = 3u << 20;
constexpr Duration kCurrentMax = std::chrono::seconds(10);

Status no_such_resource() { return {Reason::kNotFound, "the server could not find the requested resource"}; }
Status not_allowed() {
  return {Reason::kMethodNotAllowed, "the server does not allow this method on the requested resource"};
}

uint16_t verb_bit(Verb verb) {
  switch (verb) {
    case Verb::kGet: return schema::kGet;
    case Verb::kList: return schema::kList;
    case Verb::kWatch: return schema::kWatch;
    case Verb::kCreate: return schema::kCreate;
    case Verb::kUpdate: return schema::kUpdate;
    case Verb::kPatch: return schema::kPatch;
    case Verb::kDelete: return schema::kDelete;
    case Verb::kDeleteCollection: return schema::kDeleteCollection;
    default: return 0;
  }
}

// What connect means to an authorizer depends on the method.
std::string connect_verb(const Request& r) {
  if (r.method == "POST") return "create";
  if (r.method == "PUT") return "update";
  if (r.method == "PATCH") return "patch";
  if (r.method == "DELETE") return "delete";
  return "get";
}

std::string_view path_verb(const Request& r) {
  return r.verb == Verb::kHead ? "head" : verb_name(r.verb);
}

// A list or watch of the one name that a field selector gives is authorized as of that name.
std::string selected_name(const Request& r) {
  if (r.verb != Verb::kList && r.verb != Verb::kWatch && r.verb != Verb::kDeleteCollection) return {};
  const auto fields = FieldSelector::parse(r.option("fieldSelector"));
  if (!fields.ok()) return {};
  for (const auto& f : fields->requirements()) {
    if (f.path == "metadata.name" && f.equal) return f.value;
  }
  return {};
}

std::string denial(const Call& call, const security::Attributes& a, const std::string& reason) {
  const auto quote = [](std::string_view s) { return "\"" + std::string(s) + "\""; };
  std::string text = "User " + quote(call.user.name) + " cannot " + a.verb;
  if (!a.is_resource) {
    text += " path " + quote(a.path);
  } else {
    const std::string resource = a.subresource.empty() ? a.resource : a.resource + "/" + a.subresource;
    text += " resource " + quote(resource) + " in API group " + quote(a.group);
    text += a.ns.empty() ? " at the cluster scope" : " in the namespace " + quote(a.ns);
  }
  return reason.empty() ? text : text + ": " + reason;
}

Status denied(const Call& call, const security::Attributes& a, const std::string& reason) {
  const std::string why = denial(call, a, reason);
  if (!a.is_resource) return {Reason::kForbidden, "forbidden: " + why};
  std::string what = stored_name(a.group, a.resource);
  if (!a.name.empty()) what += " \"" + a.name + "\"";
  Status status(Reason::kForbidden, what + " is forbidden: " + why);
  status.group = a.group;
  status.kind = a.resource;
  status.name = a.name;
  return status;
}

Status find_resource(Call& call) {
  const Request& r = call.request;
  call.resource = schema::find(r.group, r.version, r.resource);
  if (!call.resource) return no_such_resource();
  if (!r.subresource.empty()) {
    call.subresource = call.resource->subresource(r.subresource);
    if (!call.subresource) return no_such_resource();
    if (!call.subresource->connect && r.verb != Verb::kConnect && !(call.subresource->verbs & verb_bit(r.verb))) return not_allowed();
    return {};
  }
  if (!(call.resource->verbs & verb_bit(r.verb))) return not_allowed();
  const bool needs_ns = r.verb != Verb::kList && r.verb != Verb::kWatch;
  if (call.resource->namespaced && r.ns.empty() && needs_ns) return not_allowed();
  if (!call.resource->namespaced && !r.ns.empty() && r.resource != "namespaces") return no_such_resource();
  return {};
}

Status check_timeout(const Request& r) {
  const std::string_view text = r.option("timeoutSeconds");
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || (error == std::errc() && end == text.data() + text.size())) return {};
  return {Reason::kBadRequest, "timeoutSeconds must be a whole number, not " + json::write(json::Value(text.substr(0, 40)))};
}

Status read_options(Call& call) {
  for (const auto value : call.request.option_values("dryRun")) {
    if (value != "All") {
      return Status::invalid("meta.k8s.io", "CreateOptions", "",
                             {{"dryRun", "FieldValueNotSupported",
                               "Unsupported value: \"" + std::string(value) + "\": supported values: \"All\""}});
    }
    call.dry_run = true;
  }
  const Verb verb = call.request.verb;
  if (verb == Verb::kList || verb == Verb::kWatch || verb == Verb::kDeleteCollection) LOTSE_CHECK_OK(check_timeout(call.request));
  if (verb == Verb::kCreate || verb == Verb::kUpdate || verb == Verb::kPatch) LOTSE_CHECK_OK(check_field_manager(call, is_apply_patch(call.request)));
  LOTSE_TRY(call.form, negotiate(call.request.accept));
  return {};
}

bool waits_for_the_store(Verb verb) {
  return verb == Verb::kCreate || verb == Verb::kUpdate || verb == Verb::kPatch || verb == Verb::kDelete || verb == Verb::kDeleteCollection;
}

// Where other masters write too, a request is answered by what they have answered before: whoever made an object there finds it here. The
// leader's own requests are about what it has seen, and compared in the commit. Who reads at revision 0 is content with anything.
bool wants_current(const Request& r) {
  if (r.resource.empty() || r.fence != 0) return false;
  const bool reads = r.verb == Verb::kGet || r.verb == Verb::kList || r.verb == Verb::kWatch;
  return !reads || !r.has_option("resourceVersion") || r.option("resourceVersion") != "0";
}

void dispatch(const CallPtr& call) {
  if (waits_for_the_store(call->request.verb)) call->server.in_flight().add(call);
  if (!call->request.subresource.empty()) {
    if (!subresource(call)) call->fail(not_allowed());
    return;
  }
  if (call->resource->virtual_resource) return review(call);
  switch (call->request.verb) {
    case Verb::kGet: return get(call);
    case Verb::kList: return list(call);
    case Verb::kWatch: return watch(call);
    case Verb::kCreate: return create(call);
    case Verb::kUpdate: return update(call);
    case Verb::kPatch: return patch(call);
    case Verb::kDelete: return remove(call);
    case Verb::kDeleteCollection: return remove_collection(call);
    default: return call->fail(not_allowed());
  }
}

}  // namespace

Status ServerImpl::authenticate(Call& call) {
  auto user = authenticator_.authenticate(call.request.peer);
  if (!user.ok()) return {Reason::kUnauthorized, "Unauthorized"};  // why is nobody's business without credentials
  call.user = *std::move(user);
  return {};
}

// Impersonate-User, -Uid, -Group and -Extra-*: allowed one by one.
Status ServerImpl::impersonate(Call& call) {
  security::User wanted;
  std::vector<std::string> account_groups;  // a service account's own: only when no groups are asked for
  bool any = false;
  const auto allowed = [&](std::string group, std::string resource, std::string sub, std::string ns, std::string name) -> Status {
    security::Attributes a;
    a.verb = "impersonate";
    a.group = std::move(group);
    a.resource = std::move(resource);
    a.subresource = std::move(sub);
    a.ns = std::move(ns);
    a.name = std::move(name);
    const auto decision = authorizer_->authorize(call.user, a);
    return decision.verdict == security::Verdict::kAllow ? Status() : denied(call, a, decision.reason);
  };
  const auto lower = [](std::string s) {
    std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return s;
  };
  constexpr std::string_view kAccounts = "system:serviceaccount:";
  for (const auto& [header, value] : call.request.headers) {
    const std::string h = lower(header);
    if (!h.starts_with("impersonate-")) continue;
    any = true;
    if (h == "impersonate-user") {
      wanted.name = value;
      if (std::string_view rest = value; rest.starts_with(kAccounts)) {
        rest.remove_prefix(kAccounts.size());
        const size_t colon = rest.find(':');
        if (colon == std::string_view::npos) return {Reason::kBadRequest, "no service account has the name " + value};
        LOTSE_CHECK_OK(allowed("", "serviceaccounts", "", std::string(rest.substr(0, colon)), std::string(rest.substr(colon + 1))));
        account_groups = security::service_account_user(rest.substr(0, colon), rest.substr(colon + 1)).groups;
      } else {
        LOTSE_CHECK_OK(allowed("", "users", "", "", value));
      }
    } else if (h == "impersonate-group") {
      LOTSE_CHECK_OK(allowed("", "groups", "", "", value));
      wanted.groups.push_back(value);
    } else if (h == "impersonate-uid") {
      LOTSE_CHECK_OK(allowed("authentication.k8s.io", "uids", "", "", value));
      wanted.uid = value;
    } else if (h.starts_with("impersonate-extra-")) {
      const std::string key = h.substr(18);
      LOTSE_CHECK_OK(allowed("authentication.k8s.io", "userextras", key, "", value));
      wanted.extra[key].push_back(value);
    }
  }
  if (!any) return {};
  if (wanted.name.empty()) return {Reason::kBadRequest, "impersonation needs the header Impersonate-User"};
  if (wanted.groups.empty()) wanted.groups = std::move(account_groups);
  const bool anonymous = wanted.name == security::kAnonymous;
  const auto group = anonymous ? security::kGroupUnauthenticated : security::kGroupAuthenticated;
  const bool said = wanted.in_group(group) || (!anonymous && wanted.in_group(security::kGroupUnauthenticated));
  if (!said) wanted.groups.emplace_back(group);
  call.user = std::move(wanted);
  return {};
}

Status ServerImpl::authorize(Call& call) {
  const Request& r = call.request;
  security::Attributes a;
  a.is_resource = !r.resource.empty();
  if (a.is_resource) {
    a.verb = r.verb == Verb::kConnect ? connect_verb(r) : std::string(verb_name(r.verb));
    a.group = r.group;
    a.version = r.version;
    a.resource = r.resource;
    a.subresource = r.subresource;
    a.ns = r.resource == "namespaces" && r.group.empty() ? r.name : r.ns;
    a.name = r.name.empty() ? selected_name(r) : r.name;
    a.field_selector = std::string(r.option("fieldSelector"));
  } else {
    a.verb = path_verb(r);
    a.path = r.path;
  }
  const auto decision = authorizer_->authorize(call.user, a);
  if (decision.verdict == security::Verdict::kAllow) return {};
  return denied(call, a, decision.reason);
}

void ServerImpl::handle(Request request, Respond respond) {
  auto call = std::make_shared<Call>(*this, std::move(request), std::move(respond));
  call->begun = clock_.steady();
  for (const auto& [name, value] : call->request.headers) {
    if ((name == "Audit-Id" || name == "audit-id") && value.size() <= 64) call->audit_id = value;
  }
  if (call->audit_id.empty()) call->audit_id = make_uuid();
  if (call->request.body.size() > kBodyMax) {
    return call->fail({Reason::kRequestEntityTooLarge, "the body of a request may have at most 3 MiB"});
  }
  if (!store_.shared() || !wants_current(call->request)) return handle_current(call);
  store_.current(kCurrentMax, [this, call, alive = alive()](Status status) {
    loop_.post([this, call, alive, status = std::move(status)]() mutable {
      if (alive.expired()) return;
      status.ok() ? handle_current(call) : call->fail(std::move(status));
    });
  });
}

void ServerImpl::handle_current(const CallPtr& call) {
  if (auto s = authenticate(*call); !s.ok()) return call->fail(std::move(s));
  if (!call->user.in_group(security::kGroupMasters)) catch_up();
  if (auto s = impersonate(*call); !s.ok()) return call->fail(std::move(s));
  const bool is_resource = !call->request.resource.empty();
  // Whoever may not is told so before he learns what there is.
  if (is_resource) call->resource = schema::find(call->request.group, call->request.version, call->request.resource);
  if (call->resource && !call->request.subresource.empty()) call->subresource = call->resource->subresource(call->request.subresource);
  if (auto s = authorize(*call); !s.ok()) return call->fail(std::move(s));
  if (!is_resource) return non_resource(call);
  if (auto s = find_resource(*call); !s.ok()) return call->fail(std::move(s));
  if (auto s = read_options(*call); !s.ok()) return call->fail(std::move(s));
  dispatch(call);
}

}  // namespace lotse::api
