// A container's environment: service links, envFrom, env with its sources, and the expansion of $(NAME).
#pragma once
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/agent/downward.h"
#include "core/agent/references.h"

namespace lotse::agent {

// As much of a Service as its environment variables need.
struct ServiceLink {
  std::string ns, name, ip;
  struct Port { std::string name, protocol; int port = 0; };
  std::vector<Port> ports;
};

using Environment = std::vector<std::pair<std::string, std::string>>;
using EnvironmentMap = std::map<std::string, std::string>;

// $(NAME) becomes its value, $$(NAME) stays $(NAME), and a name that is unknown stays as it is.
std::string expand(std::string_view text, const EnvironmentMap& values);

EnvironmentMap service_environment(const std::string& ns, bool links, const std::vector<ServiceLink>& services);

// kInvalid in a sentence: what is shown with CreateContainerConfigError.
Result<Environment> make_environment(const json::Value& pod, const json::Value& container, const Referenced& refs,
                                     const std::vector<ServiceLink>& services, const PodFacts& facts);

// The value of one key of a ConfigMap or Secret, decoded; nullopt: it has none.
std::optional<std::string> reference_data(const Object& object, RefKind kind, std::string_view key);
std::map<std::string, std::string> reference_data(const Object& object, RefKind kind);

}  // namespace lotse::agent
