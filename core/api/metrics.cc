#include "core/api/metrics.h"

#include <fmt/format.h>

#include "core/api/server_impl.h"

namespace lotse::api {

void Metrics::count(const Call& call, int code) {
  std::array<std::string, 3> name;
  const bool known = call.resource != nullptr;
  name[0] = known ? verb_name(call.request.verb) : "other";
  name[1] = known ? std::string(call.resource->resource) : "";
  name[2] = call.subresource ? std::string(call.subresource->name) : "";
  const double seconds = std::chrono::duration<double>(call.server.clock().steady() - call.begun).count();
  std::lock_guard lock(mutex_);
  Series& s = series_[name];
  ++s.codes[code];
  s.seconds += seconds;
  size_t bucket = 0;
  while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
  ++s.buckets[bucket];
}

void Metrics::add(std::string name, std::string help, std::function<double()> value) {
  std::lock_guard lock(mutex_);
  gauges_.push_back({std::move(name), std::move(help), std::move(value)});
}

std::string Metrics::text() const {
  std::string out =
      "# HELP apiserver_request_total Requests by verb, resource, subresource and code.\n"
      "# TYPE apiserver_request_total counter\n";
  std::vector<Gauge> gauges;
  std::string durations;
  {
    std::lock_guard lock(mutex_);
    gauges = gauges_;
    for (const auto& [name, s] : series_) {
      const std::string labels = fmt::format("verb=\"{}\",resource=\"{}\",subresource=\"{}\"", name[0], name[1], name[2]);
      for (const auto& [code, n] : s.codes) out += fmt::format("apiserver_request_total{{{},code=\"{}\"}} {}\n", labels, code, n);
      uint64_t sum = 0;
      for (size_t i = 0; i < kBounds.size(); ++i) {
        sum += s.buckets[i];
        durations += fmt::format("apiserver_request_duration_seconds_bucket{{{},le=\"{}\"}} {}\n", labels, kBounds[i], sum);
      }
      sum += s.buckets[kBounds.size()];
      durations += fmt::format("apiserver_request_duration_seconds_bucket{{{},le=\"+Inf\"}} {}\n", labels, sum);
      durations += fmt::format("apiserver_request_duration_seconds_sum{{{}}} {}\n", labels, s.seconds);
      durations += fmt::format("apiserver_request_duration_seconds_count{{{}}} {}\n", labels, sum);
    }
  }
  out += "# HELP apiserver_request_duration_seconds Time until the answer, by verb, resource and subresource.\n"
         "# TYPE apiserver_request_duration_seconds histogram\n" + durations;
  out += fmt::format("# HELP apiserver_longrunning_requests Open watches.\n# TYPE apiserver_longrunning_requests gauge\n"
                     "apiserver_longrunning_requests {}\n", watches_.load());
  for (const auto& g : gauges) {
    out += fmt::format("# HELP {} {}\n# TYPE {} gauge\n{} {}\n", g.name, g.help, g.name, g.name, g.value());
  }
  return out;
}

}  // namespace lotse::api
