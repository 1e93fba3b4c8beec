// Metrics: what /metrics shows, in Prometheus' text form. The number of series is bounded: resources that the table of kinds does
// not know count as one, and so do codes that are not usual. [any thread]
#pragma once
#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/clock.h"

namespace lotse::api {

struct Call;

class Metrics {
 public:
  void count(const Call& call, int code);
  void watch_opened() { watches_ += 1; }
  void watch_closed() { watches_ -= 1; }
  void add(std::string name, std::string help, std::function<double()> value);
  std::string text() const;

 private:
  static constexpr std::array<double, 12> kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30};
  struct Series {
    std::map<int, uint64_t> codes;
    std::array<uint64_t, kBounds.size() + 1> buckets{};
    double seconds = 0;
  };
  struct Gauge {
    std::string name, help;
    std::function<double()> value;
  };
  mutable std::mutex mutex_;
  std::map<std::array<std::string, 3>, Series> series_;  // verb, resource, subresource
  std::vector<Gauge> gauges_;
  std::atomic<int64_t> watches_{0};
};

}  // namespace lotse::api
