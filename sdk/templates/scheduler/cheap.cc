// The policy "cheap": as Lotse's default one, but of the nodes that fit, those with a certain label come first.
#include <lotse/scheduling/plugin.hpp>

using namespace lotse::scheduling;

namespace {

// 100 for a node with the label, 0 for any other. What a score looks at is the pod's Shape and the node, nothing
// else: its answer is remembered until the node changes.
NodeScore carries(const std::string& wanted) {
  return {10, Normalise::kNone, [wanted](const Shape&, const Node& node, const Snapshot&) -> int64_t {
            return label(node.labels, wanted) != nullptr ? 100 : 0;
          }};
}

Profile profile(const std::string& wanted) {
  Profile profile;  // Kubernetes' filters, in its order
  profile.scores = {carries(wanted), {1, Normalise::kNone, least_allocated}};
  return profile;
}

class Cheap : public PolicyPlugin {
 public:
  Cheap(const lotse::sdk::Host& host, const lotse::sdk::Config& config)
      : PolicyPlugin(host, profile(config.text("label"))) {}
  static std::vector<lotse_key> keys() {
    return {lotse::sdk::Key::text("label", "nodes with this label come first").fallback("example.com/cheap")};
  }
};

}  // namespace

LOTSE_PLUGIN(scheduler, "cheap", "1.0.0", 0, "cheap nodes first", Cheap)
