// The cluster's zone: answers from Services, as "Kubernetes DNS-Based Service Discovery" (version 1.1.0) lays down.
#pragma once
#include <optional>
#include <string>

#include "core/network/dns_message.h"
#include "core/network/services.h"

namespace lotse::network::dns {

inline constexpr uint32_t kTtl_s = 5;

class Zone {
 public:
  Zone(std::string domain, const Services& services) : domain_(std::move(domain)), services_(services) {}
  // nullopt: not a name of ours: ask somebody else. With *ask_for set, the answer is a CNAME whose target is to be asked for and added.
  std::optional<Answer> answer(const Query& query, std::string* ask_for) const;

 private:
  Answer service(const Query& query, std::vector<std::string> labels, std::string* ask_for) const;
  Answer endpoints(const Query& query, const Service& service, const std::string& name, const std::string* host) const;
  Answer ports(const Query& query, const Service& service, const std::string& port, const std::string& protocol) const;
  std::optional<Answer> reverse(const Query& query) const;
  Answer nothing(Code code) const;
  std::string name_of(const Service& service) const;

  std::string domain_;
  const Services& services_;
};

}  // namespace lotse::network::dns
