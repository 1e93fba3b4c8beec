// The pure parts: specifications, CNI's configuration, frames, progress, archives, times.
#include <catch2/catch.hpp>

#include "plugins/engine_http/cni.h"
#include "plugins/engine_http/facts.h"
#include "plugins/engine_http/http_session.h"
#include "plugins/engine_http/image_load.h"
#include "plugins/engine_http/image_pull.h"

using namespace lotse::engine_http;
using SdkFailure = lotse::sdk::Failure;

namespace {

Msg sandbox_request() {
  return Msg::map({{"uid", "u"},
                   {"namespace", "n"},
                   {"name", "web"},
                   {"attempt", 0},
                   {"log_dir", "/logs"},
                   {"labels", Msg::map({{"app", "x"}})},
                   {"share_pid", true}});
}

}  // namespace

TEST_CASE("the same request gives the same name, and another attempt another") {
  Machine machine;
  machine.owner = "me";
  Msg request = sandbox_request();
  std::string name = sandbox_spec(request, machine).name;
  CHECK(sandbox_spec(request, machine).name == name);
  request.set("attempt", 1);
  CHECK(sandbox_spec(request, machine).name != name);
  machine.owner = "another";
  CHECK(sandbox_spec(sandbox_request(), machine).name != name);
}

TEST_CASE("a container knows its sandbox's options and log directory") {
  Machine machine;
  Texts labels = sandbox_spec(sandbox_request(), machine).labels;
  Msg request = Msg::map({{"sandbox", "abc"},
                          {"name", "main"},
                          {"attempt", 2},
                          {"image", "i"},
                          {"log_path", "0.log"},
                          {"resources", Msg::map({{"memory_bytes", 1000}, {"oom_score_adj", -500}})}});
  machine.can_lower_oom_score = false;
  machine.oom_score_adj = 10;
  ContainerSpec spec = container_spec(request, labels, machine);
  CHECK(spec.share_pid);
  CHECK(spec.log_path == "/logs/0.log");
  CHECK(spec.resources.swap_bytes == 1000);
  CHECK(*spec.resources.oom_score_adj == 10);
  CHECK(entries_below(labels, mark::kLabel)["app"].as_text() == "x");
  request.set("security", Msg::map({{"seccomp", "Nonsense"}}));
  CHECK_THROWS_AS(container_spec(request, labels, machine), SdkFailure);
}

TEST_CASE("dns becomes a resolv.conf, and cannot smuggle lines in") {
  Msg dns = Msg::map({{"servers", Msg::strings({"10.0.0.10"})},
                      {"searches", Msg::strings({"a.svc", "svc"})},
                      {"options", Msg::strings({"ndots:5"})}});
  CHECK(resolv_conf(Msg::map({{"dns", dns}})) == "search a.svc svc\nnameserver 10.0.0.10\noptions ndots:5\n");
  dns.set("searches", Msg::strings({"a\nnameserver 6.6.6.6"}));
  CHECK_THROWS_AS(resolv_conf(Msg::map({{"dns", dns}})), SdkFailure);
}

TEST_CASE("a CNI plugin gets the list's name, its predecessor's result, and ports only if it can do them") {
  Msg list = Msg::map({{"name", "net"}, {"cniVersion", "0.4.0"}});
  CniNetwork network;
  network.ports = Msg::array({Msg::map({{"hostPort", 80}})});
  Msg result = Msg::map({{"ips", Msg::array({Msg::map({{"address", "10.1.2.3/24"}})})}});
  Json bridge = Json::parse(cni_plugin_config(list, Msg::map({{"type", "bridge"}}), network, Msg()));
  CHECK(bridge["name"].text() == "net");
  CHECK(bridge["prevResult"].is_null());
  CHECK(bridge["runtimeConfig"].is_null());
  Msg portmap = Msg::map({{"type", "portmap"}, {"capabilities", Msg::map({{"portMappings", true}})}});
  Json second = Json::parse(cni_plugin_config(list, portmap, network, result));
  CHECK(second["prevResult"]["ips"].is_array());
  CHECK(second["runtimeConfig"]["portMappings"].items().at(0)["hostPort"].number() == 80);
  network.result = result;
  CHECK(network.ips() == std::vector<std::string>{"10.1.2.3"});
}

TEST_CASE("frames are taken apart however they are cut") {
  std::string wire = std::string("\1\0\0\0\0\0\0\3out", 11) + std::string("\2\0\0\0\0\0\0\4err!", 12) +
                     std::string("\1\0\0\0\0\0\0\0", 8) + std::string("\1\0\0\0\0\0\0\1x", 9);
  for (size_t cut = 1; cut <= wire.size(); cut++) {
    FrameReader reader;
    std::string out, err;
    for (size_t at = 0; at < wire.size(); at += cut) {
      reader.feed(std::string_view(wire).substr(at, cut),
                  [&](uint32_t channel, std::string_view piece) { (channel == 1 ? out : err) += piece; });
    }
    CHECK(out == "outx");
    CHECK(err == "err!");
  }
}

TEST_CASE("a pull's progress is the sum of its layers") {
  PullProgress progress;
  auto take = [&](const char* line) { return progress.take(Json::parse(line)); };
  CHECK(take(R"({"status":"Downloading","id":"a","progressDetail":{"current":5,"total":10}})"));
  CHECK(take(R"({"status":"Downloading","id":"b","progressDetail":{"current":1,"total":20}})"));
  CHECK_FALSE(take(R"({"status":"Extracting","id":"a","progressDetail":{"current":1,"total":10}})"));
  CHECK(progress.done() == 6);
  CHECK(progress.total() == 30);
  take(R"({"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"})");
  CHECK(progress.error() == "manifest unknown");
}

TEST_CASE("credentials go into a header in the alphabet of URLs") {
  CHECK(registry_auth(Msg::map()).empty());
  std::string header = registry_auth(Msg::map({{"username", "u\x3f\x3f>"}, {"password", "p"}}));
  CHECK(header.find_first_of("+/") == std::string::npos);
  CHECK(header.starts_with("eyJ1c2VybmFtZSI6"));
}

TEST_CASE("a tar header says the size, however large") {
  std::string small = tar_header("a", 7);
  CHECK(small.size() == 512);
  CHECK(small.substr(124, 11) == "00000000007");
  std::string large = tar_header("a", uint64_t{1} << 34);
  CHECK(static_cast<unsigned char>(large[124]) == 0x80);
  CHECK(static_cast<unsigned char>(large[131]) == 4);
  TarPart part;
  part.bytes = std::string(513, 'x');
  CHECK(tar_size({part}) == 512 + 1024 + 1024);
}

TEST_CASE("times of any zone, and Go's for never") {
  CHECK(unix_ns_of("2026-01-02T03:04:05.5Z") == 1767323045'500000000);
  CHECK(unix_ns_of("2026-01-02T04:04:05.5+01:00") == 1767323045'500000000);
  CHECK(unix_ns_of("0001-01-01T00:00:00Z") == 0);
  CHECK(unix_ns_of("soon") == 0);
}
