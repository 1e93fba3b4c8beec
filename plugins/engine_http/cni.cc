#include "plugins/engine_http/cni.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/container_engine/json.h"
#include "plugins/container_engine/process_file.h"
#include "plugins/container_engine/request.h"

namespace lotse::engine_http {
namespace {

constexpr int64_t kRemoveNs = 60'000'000'000;
constexpr char kInterface[] = "eth0";

std::string first_list(const std::string& directory) {
  std::string first;
  if (DIR* dir = opendir(directory.c_str())) {
    while (dirent* entry = readdir(dir)) {
      std::string name = entry->d_name;
      if (name.ends_with(".conflist") && (first.empty() || name < first)) first = name;
    }
    closedir(dir);
  }
  return first.empty() ? first : directory + "/" + first;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(tolower(c));
  return text;
}

Msg port_mappings(const Msg& request) {
  Msg out = Msg::array();
  for (const Msg& port : get_array(request, "ports").items()) {
    if (port["host"].is_nil() || need_int(port, "host", 0, 65535) == 0) continue;
    std::string protocol = get_text(port, "protocol", "TCP");
    if (protocol != "TCP" && protocol != "UDP" && protocol != "SCTP")
      refuse("the key \"protocol\" must be TCP, UDP or SCTP");
    Msg one = Msg::map({{"hostPort", need_int(port, "host", 0, 65535)},
                        {"containerPort", need_int(port, "container", 1, 65535)},
                        {"protocol", lower(protocol)}});
    if (auto ip = get_text(port, "ip"); !ip.empty()) one.set("hostIP", ip);
    out.push(std::move(one));
  }
  return out;
}

std::vector<std::string> environment_of(const std::string& command, const std::string& id, const std::string& netns,
                                        const CniNetwork& network, const std::string& bin_dir) {
  std::string args;
  for (auto& [name, value] : network.args) args += (args.empty() ? "" : ";") + name + "=" + value;
  const char* path = getenv("PATH");
  return {"CNI_COMMAND=" + command,
          "CNI_CONTAINERID=" + id,
          "CNI_NETNS=" + netns,
          std::string("CNI_IFNAME=") + kInterface,
          "CNI_ARGS=" + args,
          "CNI_PATH=" + bin_dir,
          std::string("PATH=") + (path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin")};
}

std::string name_only(const std::string& type) {
  if (type.empty() || type.find('/') != std::string::npos || type[0] == '.') {
    throw sdk::Failure(LOTSE_INVALID, "\"" + type + "\" is no name of a CNI plugin");
  }
  return type;
}

}  // namespace

std::vector<std::string> CniNetwork::ips() const {
  std::vector<std::string> out;
  for (const Msg& ip : result["ips"].items()) {
    std::string address = ip["address"].str();
    out.push_back(address.substr(0, address.find('/')));
  }
  return out;
}

CniNetwork cni_network_of(const Msg& request) {
  CniNetwork out;
  std::string directory = get_text(request, "cni");
  std::string path = directory.empty() ? "" : first_list(directory);
  auto text = path.empty() ? std::nullopt : read_small_file(path);
  if (!text) throw sdk::Failure(LOTSE_UNAVAILABLE, "there is no CNI list in \"" + directory + "\" yet");
  if (Json::parse(*text)["plugins"].items().empty()) {
    throw sdk::Failure(LOTSE_UNAVAILABLE, path + " is no CNI list");
  }
  out.list = std::move(*text);
  out.ports = port_mappings(request);
  out.args = {{"IgnoreUnknown", "1"}};
  for (auto& [name, value] : get_text_map(request, "cni_args")) {
    if (value.find(';') == std::string::npos) out.args.emplace_back(name, value);
  }
  return out;
}

std::string cni_plugin_config(const Msg& list, const Msg& plugin, const CniNetwork& network, const Msg& previous) {
  Msg out = plugin;
  out.set("name", list["name"]);
  out.set("cniVersion", list["cniVersion"]);
  if (plugin["capabilities"]["portMappings"].as_bool() && !network.ports.items().empty()) {
    out.set("runtimeConfig", Msg::map({{"portMappings", network.ports}}));
  }
  if (!previous.is_nil()) out.set("prevResult", previous);
  return json_text(out);
}

Co<Msg> Cni::run(std::string command, std::string id, std::string netns, CniNetwork network, Msg list, Msg plugin,
                 Msg previous, int64_t deadline) {
  std::string type = name_only(plugin["type"].str());
  auto program = std::vector<std::string>(1, bin_dir_ + "/" + type);
  auto ran = co_await run_program(reactor_, program, environment_of(command, id, netns, network, bin_dir_),
                                  cni_plugin_config(list, plugin, network, previous), deadline);
  ProgramResult result = std::move(ran).take();
  Json answer = Json::parse(result.out);
  if (result.exit_code != 0) {
    std::string why = answer["msg"].text();
    if (auto details = answer["details"].text(); !details.empty()) why += ": " + details;
    if (why.empty()) why = result.err.substr(0, 1024);
    throw sdk::Failure(LOTSE_UNAVAILABLE, "the CNI plugin " + type + " failed: " + why);
  }
  co_return answer.is_object() ? answer.message() : previous;
}

void Cni::save(const std::string& id, const CniNetwork& network) const {
  Msg args = Msg::array();
  for (auto& [name, value] : network.args) args.push(Msg::array({name, value}));
  Msg record = Msg::map({{"list", network.list}, {"ports", network.ports}, {"args", args}, {"result", network.result}});
  mkdir(directory_.c_str(), 0700);
  if (!replace_file(file(id), json_text(record))) {
    throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot write " + file(id) + ": " + strerror(errno));
  }
}

std::optional<CniNetwork> Cni::known(const std::string& id) const {
  auto text = read_small_file(file(id));
  if (!text) return std::nullopt;
  Msg record = Json::parse(*text).message();
  CniNetwork out;
  out.list = record["list"].str();
  out.ports = record["ports"];
  out.result = record["result"];
  for (const Msg& pair : record["args"].items()) {
    if (pair.items().size() == 2) out.args.emplace_back(pair.items()[0].str(), pair.items()[1].str());
  }
  return out;
}

Co<CniNetwork> Cni::add(std::string id, std::string netns, CniNetwork network, int64_t deadline) {
  network.result = Msg();
  save(id, network);
  Msg list = Json::parse(network.list).message();
  std::string why;
  int32_t code = LOTSE_OK;
  Msg result;
  try {
    for (const Msg& plugin : list["plugins"].items()) {
      result = co_await run("ADD", id, netns, network, list, plugin, result, deadline);
    }
  } catch (const sdk::Failure& failure) {
    code = failure.code();
    why = failure.what();
  }
  if (code != LOTSE_OK) {
    try {
      co_await remove_network(id, netns, network, Reactor::now_ns() + kRemoveNs);
    } catch (const sdk::Failure&) {  // remains on record, and is tried again when the sandbox is stopped
    }
    throw sdk::Failure(code, why);
  }
  network.result = std::move(result);
  save(id, network);
  co_return network;
}

Co<Done> Cni::remove_network(std::string id, std::string netns, CniNetwork network, int64_t deadline) {
  Msg list = Json::parse(network.list).message();
  auto& plugins = list["plugins"].items();
  for (auto plugin = plugins.rbegin(); plugin != plugins.rend(); ++plugin) {
    co_await run("DEL", id, netns, network, list, *plugin, network.result, deadline);
  }
  co_return Done{};
}

Co<Done> Cni::remove(std::string id, std::string netns, int64_t deadline) {
  auto network = known(id);
  if (!network) co_return Done{};
  co_await remove_network(id, netns, *network, deadline);
  unlink(file(id).c_str());
  co_return Done{};
}

}  // namespace lotse::engine_http
