// What this plugin takes from container_engine, under the names that it is used by here.
#pragma once

namespace lotse::container_engine {
class Reactor;
}
namespace lotse::runtime_containerd {
using namespace container_engine;
}
