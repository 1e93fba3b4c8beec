#include "core/config/config.h"

#include <catch2/catch.hpp>

#include "core/config/values.h"

using namespace lotse;
using namespace lotse::config;

namespace {

std::string complaints_of(std::string_view text) {
  Complaints complaints("lotse.toml");
  parse_config(text, "lotse.toml", &complaints);
  return complaints.text();
}

std::vector<Key> containerd_keys() {
  return {{.name = "mode", .fallback = "managed", .choices = {"managed", "external"}},
          {.name = "socket", .required = true},
          {.name = "password", .secret = true, .choices = {"open", "sesame"}},
          {.name = "pulls", .type = KeyType::kInteger, .fallback = "3", .minimum = 1, .maximum = 9},
          {.name = "timeout",
           .type = KeyType::kDuration,
           .fallback = "1m",
           .minimum = 1'000'000'000,
           .maximum = 3'600'000'000'000},
          {.name = "cache", .type = KeyType::kSize, .fallback = "64MiB"},
          {.name = "mirrors", .type = KeyType::kStrings},
          {.name = "debug", .type = KeyType::kBoolean, .fallback = "false"},
          {.name = "extra", .type = KeyType::kTable}};
}

std::string plugin_complaints(const std::string& text, MsgValue* values = nullptr) {
  Complaints complaints("lotse.toml");
  Config config = parse_config(text, "lotse.toml", &complaints);
  MsgValue got = check_plugin(config, "runtime", "containerd", containerd_keys(), &complaints);
  if (values) *values = got;
  return complaints.text();
}

}  // namespace

TEST_CASE("without a file there is a one-node cluster") {
  Config config = *load_config("");
  CHECK(config.is_master());
  CHECK(config.is_worker());
  CHECK(config.daemon.data_dir == "/var/lib/lotse");
  CHECK_FALSE(config.daemon.node_name.empty());
  CHECK(config.components.transport == std::vector<std::string>{"rest"});
  CHECK(config.components.state == "lmdb");
  CHECK(config.components.runtime == "containerd");
  CHECK(config.components.proxy == "iptables");
  CHECK(config.bus.listen == "tcp://0.0.0.0:6442");
  CHECK(config.network.pod_cidr == std::vector<std::string>{"10.244.0.0/16"});
  CHECK(config.network.backend == "auto");
}

TEST_CASE("what is written is what comes out") {
  Complaints complaints;
  Config config = parse_config(R"(
[daemon]
roles = ["worker"]
node_name = "n-1.example"
[components]
runtime = "hollow"
[bus]
join_file = "/etc/lotse/join"
[network]
pod_cidr = ["10.1.0.0/16", "fd00::/48"]
service_cidr = ["10.2.0.0/16", "fd01::/112"]
[plugins.runtime.hollow]
nodes = 1000
)",
                               "x.toml", &complaints);
  CHECK(complaints.text() == "");
  CHECK_FALSE(config.is_master());
  CHECK(config.daemon.node_name == "n-1.example");
  CHECK(config.components.runtime == "hollow");
  CHECK(config.bus.join_file == "/etc/lotse/join");
  REQUIRE(config.plugin("runtime", "hollow"));
  CHECK(config.plugin("runtime", "hollow")->table.value.find("nodes")->value.integer == 1000);
  CHECK(config.plugin("runtime", "docker") == nullptr);
}

TEST_CASE("every complaint names its place, and all come at once in the order of the file") {
  CHECK(complaints_of(R"([daemon]
roles = ["mastr", 5]
  data_dri = "/x"
node_name = "Bad Name"
[netwrok]
x = 1
[network]
backend = "vxlna"
pod_cidr = "10.0.0.0/8"
service_cidr = ["10.0.0.1/8"]
[bus]
listen = "0.0.0.0:6442"
[plugins.runtme.x]
)") ==
        R"(lotse.toml:2:10: 'roles' in [daemon] must be one of master, worker, not 'mastr'; did you mean 'master'?
lotse.toml:2:19: 'roles' in [daemon] must be an array of strings; one of them is an integer
lotse.toml:3:3: unknown key 'data_dri' in [daemon]; did you mean 'data_dir'?
lotse.toml:4:13: 'node_name' in [daemon] is 'Bad Name', which is no DNS name in lower case
lotse.toml:5:2: unknown section [netwrok]; did you mean [network]?
lotse.toml:8:11: 'backend' in [network] must be one of auto, routes, vxlan, not 'vxlna'; did you mean 'vxlan'?
lotse.toml:9:12: 'pod_cidr' in [network] must be an array of strings, not a string
lotse.toml:10:17: 'service_cidr' in [network] is '10.0.0.1/8', which has bits set behind its prefix, so it is an address and no network
lotse.toml:12:10: 'listen' in [bus] is '0.0.0.0:6442', which is no address such as tcp://0.0.0.0:6442
lotse.toml:13:10: unknown kind 'runtme' in [plugins.runtme]; did you mean 'runtime'?)");
}

TEST_CASE("things in the wrong place are refused") {
  CHECK(complaints_of("daemon = 5") == "lotse.toml:1:1: 'daemon' must be a section [daemon], not an integer");
  CHECK(complaints_of("listen = 5") == "lotse.toml:1:1: key 'listen' stands outside of a section");
  CHECK(complaints_of("[plugins]\nruntime = {x = 1}") ==
        "lotse.toml:2:12: 'x' in [plugins.runtime] must be a section [plugins.runtime.<name>], not an integer");
  CHECK(complaints_of("[components]\ntransport = []") ==
        "lotse.toml:2:1: 'transport' in [components] must not be empty");
  CHECK(complaints_of("[components]\nscheduler = [\"a\", \"a\"]") ==
        "lotse.toml:2:1: 'scheduler' in [components] names 'a' twice");
  CHECK(complaints_of("[network]\npod_cidr = [\"10.0.0.0/16\", \"10.1.0.0/16\"]") ==
        "lotse.toml:2:1: 'pod_cidr' in [network] must hold one IPv4 network, one IPv6 network or one of each");
  CHECK(complaints_of("[network]\npod_cidr = [\"fd00::/48\"]") ==
        "lotse.toml:1:2: 'service_cidr' in [network] must be of the same address families as 'pod_cidr', in the same "
        "order");
}

TEST_CASE("a syntax error is a complaint like any other") {
  CHECK(complaints_of("[daemon\n").substr(0, 15) == "lotse.toml:1:8:");
  CHECK(complaints_of("[daemon]\nroles = [\"a\"\n").substr(0, 13) == "lotse.toml:2:");
  CHECK(complaints_of("[bus]\nlisten = \"a\"\nlisten = \"b\"").substr(0, 13) == "lotse.toml:3:");
  CHECK_FALSE(complaints_of("x = \"\xff\xfe\"").empty());
  CHECK(complaints_of("[\x03") == "lotse.toml: it cannot be read: its syntax is wrong in a way that has no name");
}

TEST_CASE("hostile files are refused and hurt nobody") {
  CHECK(complaints_of(std::string(kFileMax + 1, '#')) == "lotse.toml: the file has more than 1048576 bytes");
  std::string deep_key = "a";
  for (int i = 0; i < 200'000; i++) deep_key += ".a";
  CHECK(complaints_of(deep_key + " = 1") == "lotse.toml:1:64: a key has more than 32 parts");
  CHECK(complaints_of("[" + deep_key + "]") == "lotse.toml:1:65: a key has more than 32 parts");
  CHECK(complaints_of("x = {" + deep_key + " = 1}") == "lotse.toml:1:69: a key has more than 32 parts");
  CHECK(complaints_of("x = " + std::string(300'000, '[')).find("lotse.toml:1:") == 0);
  std::string tables;
  for (int i = 0; i < 100'000; i++) tables += "{a=";
  CHECK(complaints_of("x = " + tables).find("lotse.toml:1:") == 0);
  std::string many;
  for (int i = 0; i < 10'000; i++) many += "k" + std::to_string(i) + " = 1\n";
  std::string text = complaints_of("[daemon]\n" + many);
  CHECK(std::count(text.begin(), text.end(), '\n') == long(Complaints::kMax));
  CHECK(text.find("lotse.toml: and 9950 more") != std::string::npos);
  CHECK(complaints_of("s = \"a.b.c\" # " + deep_key + "\n[daemon]\n[bus]\n") ==
        "lotse.toml:1:1: key 's' stands outside of a section");
  CHECK(complaints_of("[bus]\njoin_file = \"a\\u0000b\"") ==
        "lotse.toml:2:13: 'join_file' in [bus] must not hold a NUL character");
}

TEST_CASE("a plugin's table is checked by its own keys") {
  MsgValue values;
  CHECK(plugin_complaints("[plugins.runtime.containerd]\nsocket = '/run/x'\ntimeout = '90s'\ncache = 4096\n"
                          "mirrors = ['a']\nextra = {a = [1, {b = true}]}",
                          &values) == "");
  CHECK(values ==
        MsgValue::map({{"mode", "managed"},
                       {"socket", "/run/x"},
                       {"pulls", 3},
                       {"timeout", 90'000'000'000},
                       {"cache", 4096},
                       {"mirrors", MsgValue::array({"a"})},
                       {"debug", false},
                       {"extra", MsgValue::map({{"a", MsgValue::array({1, MsgValue::map({{"b", true}})})}})}}));
  CHECK(plugin_complaints("") == "lotse.toml: [plugins.runtime.containerd] lacks the required key 'socket'");
  CHECK(plugin_complaints(R"(

  [plugins.runtime.containerd]
  sokcet = "x"
  mode = "managd"
  password = "hunter2"
  pulls = 10
  timeout = "1d"
  cache = -1
  debug = "yes"
  extra = 1979-05-27
)") == R"(lotse.toml:3:20: [plugins.runtime.containerd] lacks the required key 'socket'
lotse.toml:4:3: unknown key 'sokcet' in [plugins.runtime.containerd]; did you mean 'socket'?
lotse.toml:5:10: 'mode' in [plugins.runtime.containerd] must be one of managed, external, not 'managd'; did you mean 'managed'?
lotse.toml:6:14: 'password' in [plugins.runtime.containerd] must be one of open, sesame
lotse.toml:7:11: 'pulls' in [plugins.runtime.containerd] must be between 1 and 9, not '10'
lotse.toml:8:13: 'timeout' in [plugins.runtime.containerd] must be a duration such as "10s", not '1d'
lotse.toml:9:11: 'cache' in [plugins.runtime.containerd] must not be negative
lotse.toml:10:11: 'debug' in [plugins.runtime.containerd] must be a boolean, not a string
lotse.toml:11:11: 'extra' in [plugins.runtime.containerd] must be a table, not a date or time)");
}

TEST_CASE("a declaration that makes no sense is found out") {
  auto check = [](std::vector<Key> keys) { return check_declaration({"plugins.state.x", "", std::move(keys)}); };
  CHECK(check(containerd_keys()) == "");
  CHECK(check({{.name = "a"}, {.name = "a"}}) == "[plugins.state.x] declares key 'a' twice");
  CHECK(check({{.name = "a", .type = KeyType(99)}}) == "[plugins.state.x] declares key 'a' with the unknown type 99");
  CHECK(check({{.name = "a", .type = KeyType::kInteger, .fallback = "many"}})
            .find("[plugins.state.x] declares key 'a' with a default that its own rules refuse") == 0);
  for (const Section& section : core_sections()) CHECK(check_declaration(section) == "");
}

TEST_CASE("the sample is a valid file that says what the default is") {
  std::string sample = sample_config({{"plugins.runtime.containerd", "Containers by containerd.", containerd_keys()}});
  Complaints complaints;
  Config from_sample = parse_config(sample, "sample.toml", &complaints);
  CHECK(complaints.text() == "");
  CHECK(from_sample.components.state == load_config("")->components.state);
  CHECK(sample.find("# How pods of different nodes reach each other. (auto | routes | vxlan)\nbackend = \"auto\"\n") !=
        std::string::npos);
  CHECK(sample.find("# socket =\n") != std::string::npos);
  CHECK(sample.find("\n#timeout = \"1m\"\n") != std::string::npos);
  CHECK(sample.find("\n#[plugins.runtime.containerd]\n") != std::string::npos);
}

TEST_CASE("a file to start from has every key and no value in force") {
  std::string file =
      sample_config({{"plugins.runtime.containerd", "Containers by containerd.", containerd_keys()}}, true);
  Complaints complaints;
  parse_config(file, "lotse.toml", &complaints);
  CHECK(complaints.text() == "");
  CHECK(file.find("\n[network]\n") != std::string::npos);
  CHECK(file.find("\n#backend = \"auto\"\n") != std::string::npos);
  for (size_t at = 0; at < file.size(); at = file.find('\n', at) + 1)
    CHECK((file[at] == '#' || file[at] == '[' || file[at] == '\n'));
}

TEST_CASE("durations, sizes, networks and addresses") {
  CHECK(*parse_duration("1h30m") == 5'400'000'000'000);
  CHECK(*parse_duration("1.5s") == 1'500'000'000);
  CHECK(*parse_duration("250ms") == 250'000'000);
  CHECK(*parse_duration("0") == 0);
  for (const char* wrong : {"", "5", "s", "-1s", "1d", "1s ", "1.s", "99999999999h", "1h30", "99999999999999999999s"}) {
    INFO(wrong);
    CHECK_FALSE(parse_duration(wrong).ok());
  }
  CHECK(format_duration(5'400'000'000'000) == "1h30m");
  CHECK(*parse_size("64MiB") == 64 * 1024 * 1024);
  CHECK(*parse_size("512Mi") == 512 * 1024 * 1024);
  CHECK(*parse_size("1.5GB") == 1'500'000'000);
  CHECK(*parse_size("4096") == 4096);
  for (const char* wrong : {"", "MiB", "1 MiB", "-1", "1X", "99999999TiB"}) CHECK_FALSE(parse_size(wrong).ok());
  CHECK(format_size(64 * 1024 * 1024) == "64MiB");
  CHECK(parse_cidr("10.0.0.0/8")->prefix == 8);
  CHECK(parse_cidr("fd00::/48")->ipv6);
  for (const char* wrong : {"", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/8", "x/8", "10.0.0.0/8x", "::1/0"})
    CHECK_FALSE(parse_cidr(wrong).ok());
  CHECK(check_host_port("0.0.0.0:6443").ok());
  CHECK(check_host_port("[::]:6443").ok());
  for (const char* wrong : {"6443", "0.0.0.0", "0.0.0.0:0", ":::6443", "host:1", "1.2.3.4:70000"})
    CHECK_FALSE(check_host_port(wrong).ok());
}

TEST_CASE("what is mistyped finds its neighbour, and nothing else does") {
  std::vector<std::string> known = {"socket", "mode", "timeout"};
  CHECK(suggestion("sokcet", known) == "; did you mean 'socket'?");
  CHECK(suggestion("time_out", known) == "; did you mean 'timeout'?");
  CHECK(suggestion("elephant", known) == "");
}

TEST_CASE("registries: one section each, by the name of the registry") {
  Complaints complaints("lotse.toml");
  Config config = parse_config(
      "[registries.\"docker.io\"]\nmirrors = [\"m.example:5000\"]\n"
      "[registries.\"m.example:5000\"]\ninsecure = true\nusername = \"me\"\npassword = \"sesame\"\n",
      "lotse.toml", &complaints);
  CHECK(complaints.text() == "");
  REQUIRE(config.registries.size() == 2);
  CHECK(config.registries[0].host == "docker.io");
  CHECK(config.registries[0].mirrors == std::vector<std::string>{"m.example:5000"});
  CHECK(config.registries[1].insecure);
  CHECK(config.registries[1].password == "sesame");
}

TEST_CASE("registries: what is wrong is said, and no password with it") {
  CHECK(complaints_of("[registries]\nmirrors = []\n") ==
        "lotse.toml:2:1: 'mirrors' in [registries] must be a section [registries.\"<host>\"], not an array");
  CHECK(complaints_of("[registries.\"https://a.b\"]\n").find("is no registry such as") != std::string::npos);
  CHECK(complaints_of("[registries.\"a.b\"]\nmirror = []\n").find("did you mean 'mirrors'?") != std::string::npos);
  CHECK(complaints_of("[registries.\"a.b\"]\nmirrors = [\"a.b\"]\n").find("names the registry itself") !=
        std::string::npos);
  std::string said = complaints_of("[registries.\"a.b\"]\npassword = \"sesame\"\npassword_file = \"/x\"\n");
  CHECK(said.find("one of them is enough") != std::string::npos);
  CHECK(said.find("'username' in [registries.\"a.b\"] is missing") != std::string::npos);
  CHECK(said.find("sesame") == std::string::npos);
}
