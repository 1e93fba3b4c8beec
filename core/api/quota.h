// ResourceQuota's admission: what a new or changed object uses is added to status.used of the quotas it falls under before it is stored, with
// the revision of each quota as the condition, so that several writers (and masters) never exceed it together.
#pragma once
#include "core/api/call.h"
#include "core/api/quota_usage.h"

namespace lotse::api {

class QuotaCharge {
 public:
  struct Part {
    store::Key quota;
    Amounts amounts;
  };
  explicit QuotaCharge(CallPtr call) : call_(std::move(call)) {}
  void add(Part part) { parts_.push_back(std::move(part)); }
  void give_back();  // the object was not stored after all

 private:
  CallPtr call_;
  std::vector<Part> parts_;
};
using QuotaChargePtr = std::shared_ptr<QuotaCharge>;

// Whether this write may use something of a quota that there is: most do not, and cost no more.
bool falls_under_quotas(const Call& call, const json::Value* old);
// `old`: null for a new object. Forbidden if a quota would be exceeded; a null charge if nothing was charged.
void charge_quotas(const CallPtr& call, const json::Value& object, const json::Value* old, std::function<void(Result<QuotaChargePtr>)> done);

}  // namespace lotse::api
