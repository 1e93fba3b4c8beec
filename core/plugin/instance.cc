#include "core/plugin/instance.h"

#include "core/plugin/code.h"

namespace lotse::plugin {

Status Owned::reconfigure(const MsgValue& values) const {
  if (raw_->reconfigure == nullptr) return status_of(LOTSE_UNSUPPORTED, "");
  lotse_error error = make_error();
  std::string encoded = values.encode();
  int32_t code = LOTSE_INTERNAL;
  std::string why = shielded("reconfigure", [&] { code = raw_->reconfigure(raw_->self, bytes(encoded), &error); });
  if (!why.empty()) return Status(Reason::kInternalError, why);
  error.code = code;
  return code == LOTSE_OK ? Status() : status_of(error);
}

Status TransportPlugin::start() const {
  lotse_error error = make_error();
  int32_t code = LOTSE_INTERNAL;
  std::string why = shielded("start", [&] { code = c()->start(self(), &error); });
  if (!why.empty()) return Status(Reason::kInternalError, why);
  error.code = code;
  return code == LOTSE_OK ? Status() : status_of(error);
}

void TransportPlugin::drain(const CallOptions& options, CallDone done) const {
  start_call([this](const lotse_call* call) { c()->drain(self(), call); }, options, std::move(done));
}

std::vector<std::string> TransportPlugin::addresses() const {
  std::vector<std::string> out;
  auto take = [](void* ctx, lotse_bytes address) {
    static_cast<std::vector<std::string>*>(ctx)->emplace_back(view(address));
  };
  shielded_quietly("addresses", [&] { c()->addresses(self(), take, &out); });
  return out;
}

}  // namespace lotse::plugin
