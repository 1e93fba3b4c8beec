// Runs the stories in testdata/: what is given, what happens, and what the controllers then ask for. A story file is a
// sequence of
//   command
//   ----
//   what comes out
// with an empty line after each. LOTSE_REWRITE=1 writes the outcome into the files, to be read before it is kept.
//
//   address IP                   by which the API is reached, if another than 192.0.2.1; before `controllers`
//   controllers NAME...          which take part; first in each file
//   put                          objects in YAML on the lines below, `---` between them
//   run                          until nothing is left to do: one line an action
//   advance SECONDS              time passes, then as run
//   set RESOURCE NS/NAME JSON    a merge patch from outside
//   pods PREFIX [node=N] STATE   what a kubelet would say: pending running ready failed succeeded gone, of
//   default/PREFIX* delete RESOURCE NS/NAME [background|foreground|orphan] refuse N REASON WHAT         the next N
//   requests that begin with WHAT show RESOURCE [NS/NAME] [path...]   names, or values #                            a
//   line of the story
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/control/all.h"
#include "tests/unit/control/cluster.h"

namespace lotse::control {
namespace {

struct Story {
  Cluster cluster;
  int suffix = 0;
  std::string address = "192.0.2.1";

  std::string command(const std::string& line, const std::string& body);
  std::string controllers(std::istringstream& words);
  std::string show(std::istringstream& words);
  std::string pods(std::istringstream& words);
  std::string change(std::istringstream& words, const std::string& json);
};

std::pair<std::string, std::string> split(const std::string& name) {
  auto [ns, rest] = split_key(name);
  return {ns, rest};
}

Action targeted(const std::string& resource, const std::string& name) {
  Action a;
  size_t dot = resource.find('.');
  a.resource = resource.substr(0, dot);
  a.group = dot == std::string::npos ? "" : resource.substr(dot + 1);
  std::tie(a.ns, a.name) = split(name);
  return a;
}

std::string Story::controllers(std::istringstream& words) {
  Settings settings;
  settings.suffix = [this] { return "p" + std::to_string(++suffix); };
  settings.pod_cidrs = {"10.244.0.0/16"};
  settings.service_cidrs = {"10.96.0.0/16"};
  settings.advertise_address = address;
  settings.ca_pem = "CA";
  for (const Kind& k : {kPods, kConfigMaps, kServiceAccounts, kServices, kReplicaSets, kDeployments})
    settings.resources.push_back(
        {std::string(k.group), std::string(k.version), std::string(k.resource), std::string(k.kind), true});
  std::vector<std::string> wanted;
  for (std::string name; words >> name;) wanted.push_back(name);
  for (auto& c : all_controllers(settings))
    if (std::count(wanted.begin(), wanted.end(), c->name())) cluster.add(std::move(c));
  return "";
}

std::string at(const json::Value& v, const std::string& path) {
  const json::Value* here = &v;
  std::string rest = path, step;
  while (!rest.empty()) {
    size_t dot = rest.find('.');
    step = rest.substr(0, dot);
    rest = dot == std::string::npos ? "" : rest.substr(dot + 1);
    here = here->is_array() ? &here->at(std::stoul(step)) : &(*here)[step];
  }
  return here->is_string() ? std::string(here->str()) : json::write(*here);
}

std::string Story::show(std::istringstream& words) {
  std::string resource, name, path, out;
  words >> resource >> name;
  std::vector<std::string> paths;
  while (words >> path) paths.push_back(path);
  if (!name.empty() && name != "*") {
    auto [ns, n] = split(name);
    ObjectPtr o = cluster.get(resource, ns, n);
    if (!o) return "not there\n";
    if (paths.empty()) return json::write(o->value()) + "\n";
    for (const std::string& p : paths) out += p + ": " + at(o->value(), p) + "\n";
    return out;
  }
  for (const ObjectPtr& o : cluster.all(resource)) {
    out += key_of(*o);
    for (const std::string& p : paths) out += " " + at(o->value(), p);
    out += "\n";
  }
  return out;
}

std::string Story::pods(std::istringstream& words) {
  std::string prefix, node, state;
  words >> prefix;
  for (std::string w; words >> w;) w.starts_with("node=") ? node = w.substr(5) : state = w;
  for (const ObjectPtr& pod : cluster.all("pods")) {
    if (!pod->header().name.starts_with(prefix)) continue;
    if (state == "gone") {
      Action a = remove_now(kPods, *pod);
      (void)cluster.request(a);
      continue;
    }
    json::Value v = pod->value();
    if (!node.empty()) v["spec"].set("nodeName", node);
    const bool ready = state == "ready", running = ready || state == "running";
    v["status"].set("phase", running                ? "Running"
                             : state == "failed"    ? "Failed"
                             : state == "succeeded" ? "Succeeded"
                                                    : "Pending");
    const std::string was(std::as_const(v)["status"]["conditions"].at(0)["status"].str());
    if (was != (ready ? "True" : "False"))
      v["status"].set("conditions",
                      json::Value::array({json::Value::object({{"type", "Ready"},
                                                               {"status", ready ? "True" : "False"},
                                                               {"lastTransitionTime", format_time(cluster.now())}})}));
    if (running && !v["status"].has("podIP")) v["status"].set("podIP", "10.244.0." + std::to_string(++suffix));
    if (v["status"].has("podIP"))
      v["status"].set("podIPs",
                      json::Value::array({json::Value::object({{"ip", std::as_const(v)["status"]["podIP"]}})}));
    cluster.put(std::move(v));
  }
  return "";
}

std::string Story::command(const std::string& line, const std::string& body) {
  std::istringstream words(line);
  std::string word, resource, name;
  words >> word;
  if (word == "controllers") return controllers(words);
  if (word == "put") {
    std::istringstream lines(body + "\n---\n");
    std::string text;
    for (std::string l; std::getline(lines, l);) {
      if (l != "---") {
        text += l + "\n";
        continue;
      }
      if (text.find_first_not_of("\n ") != std::string::npos) {
        auto parsed = json::parse_yaml(text);
        if (!parsed.ok()) return "BAD YAML: " + parsed.status().message + "\n";
        cluster.put(*std::move(parsed));
      }
      text.clear();
    }
    return "";
  }
  if (word == "run") return cluster.run();
  if (word == "address") {
    words >> address;
    return "";
  }
  if (word == "advance") {
    int64_t seconds = 0;
    words >> seconds;
    cluster.advance(std::chrono::seconds(seconds));
    return cluster.run();
  }
  if (word == "pods") return pods(words);
  if (word == "show") return show(words);
  if (word == "set") {
    words >> resource >> name;
    Action a = targeted(resource, name);
    a.verb = api::Verb::kPatch, a.content_type = "application/merge-patch+json";
    std::string text;
    std::getline(words, text);
    auto patch = json::parse(text);
    if (!patch.ok()) return "BAD JSON: " + patch.status().message + "\n";
    a.body = *std::move(patch);
    Status s = cluster.request(a);
    return s.ok() ? "" : std::string(reason_name(s.reason)) + "\n";
  }
  if (word == "delete") {
    std::string policy;
    words >> resource >> name >> policy;
    Action a = targeted(resource, name);
    a.verb = api::Verb::kDelete;
    a.body = json::Value::object();
    if (policy == "foreground") a.body.set("propagationPolicy", "Foreground");
    if (policy == "orphan") a.body.set("propagationPolicy", "Orphan");
    Status s = cluster.request(a);
    return s.ok() ? "" : std::string(reason_name(s.reason)) + "\n";
  }
  if (word == "refuse") {
    int times = 0;
    std::string reason, what;
    words >> times >> reason;
    std::getline(words >> std::ws, what);
    cluster.refuse(what, reason == "Forbidden" ? Reason::kForbidden : Reason::kConflict, times);
    return "";
  }
  return "UNKNOWN COMMAND " + word + "\n";
}

// Returns the story as it came out.
std::string tell(const std::string& text) {
  Story story;
  std::istringstream in(text);
  std::string out, line, body;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') {
      out += line + "\n";
      continue;
    }
    std::string command = line;
    body.clear();
    while (std::getline(in, line) && line != "----") body += line + "\n";
    while (std::getline(in, line) && !line.empty()) {
    }
    out += command + "\n" + body + "----\n" + story.command(command, body) + "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("stories") {
  const bool rewrite = std::getenv("LOTSE_REWRITE") != nullptr;
  std::vector<std::filesystem::path> files;
  for (const auto& f : std::filesystem::directory_iterator(LOTSE_SOURCE_DIR "/tests/unit/control/testdata"))
    files.push_back(f.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    DYNAMIC_SECTION(file.stem().string()) {
      std::ifstream in(file);
      std::string text((std::istreambuf_iterator<char>(in)), {});
      std::string told = tell(text);
      CHECK(told.find("THIS NEVER ENDS") == std::string::npos);
      if (rewrite)
        std::ofstream(file) << told;
      else
        CHECK(told == text);
    }
  }
}

}  // namespace lotse::control
