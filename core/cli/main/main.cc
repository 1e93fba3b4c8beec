// lotse: the operator's command.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>

#include "core/cli/cluster.h"
#include "core/cli/commands.h"
#include "core/cli/describe.h"
#include "core/config/config.h"
#include "core/config/values.h"
#include "lotse/abi/types.h"

namespace {

using namespace lotse;
using namespace lotse::cli;

constexpr const char* kFooter =
    "Exit codes: 0 done; 1 the command failed, or what it looked at has faults; 2 wrong arguments;\n"
    "3 no lotsed serves that data directory.\n"
    "The data directory is --data-dir, else the variable LOTSE_DATA_DIR, else /var/lib/lotse.";

struct Options {
  std::string data_dir, file, config, output, ns = "default", ttl = "24h", name;
  std::string timeout = "5m", window = "1s";
  bool for_master = false, all_namespaces = false;
  Drain drain;
  std::vector<std::string> plugin_path;
  bool commented = false;
};

std::string default_data_dir() {
  const char* set = std::getenv("LOTSE_DATA_DIR");
  return set && *set ? set : "/var/lib/lotse";
}

Streams streams() {
  return {std::cout, std::cerr};
}

// The daemon has a working directory of its own.
std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

int plugins(const Options& o) {
  std::vector<std::string> path = o.plugin_path;
  if (path.empty()) {
    auto config = config::load_config(o.config);
    if (!config.ok()) {
      std::cerr << config.status().message << "\n";
      return kExitFailed;
    }
    path = config->daemon.plugin_path;
  }
  const auto found = plugin::discover(plugin::search_path(path));
  if (o.output != "yaml") return show_plugins(found, o.output == "json", streams());
  std::ostringstream text;
  const int code = show_plugins(found, true, {text, std::cerr});
  std::cout << yaml(*json::parse(text.str()));
  return code;
}

int token(const Options& o) {
  auto ttl = config::parse_duration(o.ttl);
  if (!ttl.ok() || *ttl == 0) {
    std::cerr << "lotse: --ttl: '" << o.ttl << "' " << (ttl.ok() ? "is too short" : ttl.status().message) << "\n";
    return kExitUsage;
  }
  return ask_for_facts(o.data_dir, MsgValue::map({{"command", "token.create"}, {"ttl_ns", *ttl}, {"master", o.for_master}}), format_of(o.output), streams());
}

int with_file(const Options& o, const char* command) {
  return ask_daemon(o.data_dir, MsgValue::map({{"command", command}, {"path", absolute(o.file)}}), "", streams());
}

// Defines a subcommand whose exit code goes to *code.
CLI::App* add(CLI::App* parent, const char* name, const char* what, int* code, std::function<int()> run) {
  CLI::App* sub = parent->add_subcommand(name, what);
  sub->callback([code, run = std::move(run)] { *code = run(); });
  return sub;
}

// Of a command that prints facts.
void print_as(CLI::App* command, Options* o) { command->add_option("-o,--output", o->output, "How to print it")->check(CLI::IsMember({"text", "json", "yaml"})); }

void add_offline(CLI::App* app, Options* o, int* code) {
  auto* plugins_app = add(app, "plugins", "Show the plugins that are found, without running their code", code,
                          [o] { return plugins(*o); });
  plugins_app->add_option("-o,--output", o->output, "How to print it")->check(CLI::IsMember({"table", "json", "yaml"}));
  plugins_app->add_option("--config", o->config, "The file whose plugin_path is searched")->check(CLI::ExistingFile);
  plugins_app->add_option("--plugin-path", o->plugin_path, "Directories to search instead");
  auto* config_app = app->add_subcommand("config", "Check and write configurations")->require_subcommand(1);
  auto* check = add(config_app, "check", "Say all that is wrong with a configuration file", code,
                    [o] { return check_config(o->file, o->plugin_path, streams(), format_of(o->output)); });
  print_as(check, o);
  check->add_option("FILE", o->file, "The file; without one the embedded default is checked");
  check->add_option("--plugin-path", o->plugin_path, "Directories to search for plugins instead of the file's");
  auto* sample = add(config_app, "default", "Print the default configuration with comments", code,
                     [o] { return print_default_config(o->plugin_path, o->commented, streams()); });
  sample->add_option("--plugin-path", o->plugin_path, "Directories to search for plugins");
  sample->add_flag("--commented", o->commented, "With every value commented out, to start a file of one's own");
}

// What is made when Lotse is packaged is no command of an operator's, and is not shown.
void add_descriptions(CLI::App* app, Options* o, int* code) {
  auto* shell = add(app, "completion", "Print a script that completes lotse's commands in a shell", code, [app, o] {
    std::cout << completion(*app, o->file);
    return kExitOk;
  });
  shell->add_option("SHELL", o->file, "The shell")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  add(app, "manual", "Print the manual page lotse(8)", code, [app] {
    std::cout << manual_page(*app, {"lotse", 8, "lotsed(8), lotse.toml(5), kubectl(1)"});
    return kExitOk;
  })->group("");
  auto* toml = add(app, "config-manual", "Print the manual page lotse.toml(5)", code, [o] { return print_config_page(o->plugin_path, streams()); });
  toml->group("")->add_option("--plugin-path", o->plugin_path, "Directories to search for plugins");
}

void add_images(CLI::App* app, Options* o, int* code) {
  auto* image = app->add_subcommand("image", "Images of this node")->require_subcommand(1);
  auto* import = add(image, "import", "Load an image from an OCI or docker archive", code,
                     [o] { return with_file(*o, "image.import"); });
  auto ask_images = [o](const char* command) {
    return ask_for_facts(o->data_dir, MsgValue::map({{"command", command}, {"image", o->file}}), format_of(o->output), streams());
  };
  auto* list = add(image, "list", "Show the images of this node and what they are there for", code, [ask_images] { return ask_images("image.list"); });
  auto* remove = add(image, "rm", "Remove an image that no container uses and that is not pinned", code, [ask_images] { return ask_images("image.remove"); });
  remove->add_option("IMAGE", o->file, "Its name, its id or the first twelve characters of that")->required();
  auto* prune = add(image, "prune", "Remove all images that no container uses and that are not pinned", code, [ask_images] { return ask_images("image.prune"); });
  for (auto* one : {list, prune}) one->add_option("-o,--output", o->output, "How to print it")->check(CLI::IsMember({"table", "json", "yaml"}));
  import->add_option("FILE", o->file, "The tar file")->required()->check(CLI::ExistingFile);
}

// NAME = DURATION of an option; a sentence where it is none.
std::optional<Duration> duration(const char* option, const std::string& text) {
  auto value = config::parse_duration(text);
  if (value.ok()) return Duration(*value);
  std::cerr << "lotse: " << option << ": '" << text << "' " << value.status().message << "\n";
  return std::nullopt;
}

CLI::App* add_nodes(CLI::App* app, Options* o, int* code) {
  auto* node = app->add_subcommand("node", "The cluster's nodes")->require_subcommand(1);
  auto* drain = add(node, "drain", "Take no new pods, and evict those that are there as far as disruption budgets allow", code, [o] {
    auto timeout = duration("--timeout", o->timeout);
    if (!timeout) return kExitUsage;
    o->drain.timeout = *timeout;
    o->drain.node = o->name;
    Cluster cluster(o->data_dir);
    return drain_node(cluster, o->drain, streams());
  });
  drain->add_option("--timeout", o->timeout, "How long to wait for all to have gone; 0s: without end")->capture_default_str();
  drain->add_option("--grace-period", o->drain.grace_s, "Seconds that each pod gets to end; -1: its own")->capture_default_str();
  drain->add_flag("--delete-emptydir-data", o->drain.delete_empty_dir, "Evict pods with emptyDir volumes as well, which go with them");
  drain->add_flag("--ignore-daemonsets", o->drain.ignore_daemon_sets, "Leave the pods of DaemonSets");
  drain->add_flag("--force", o->drain.force, "Evict pods without a controller as well, which nobody makes anew");
  auto* uncordon = add(node, "uncordon", "Take pods again after a drain", code, [o] {
    Cluster cluster(o->data_dir);
    return uncordon_node(cluster, o->name, streams());
  });
  auto* remove = add(node, "remove", "Take a node out of the cluster: its key is forgotten, and a new join string lets it in again", code, [o] {
    Cluster cluster(o->data_dir);
    return remove_node(cluster, o->name, o->drain.force, streams());
  });
  remove->add_flag("--force", o->drain.force, "Also while pods run on it");
  for (auto* one : {drain, uncordon, remove}) one->add_option("NODE", o->name, "The node's name")->required();
  return node;
}

void add_looks(CLI::App* app, Options* o, int* code) {
  auto* certs = add(app, "certs", "Show what expires when; fails where something has expired", code, [] { return kExitOk; });
  print_as(certs, o);
  // A parent's callback runs after those of its subcommands, and must not hide how they ended.
  certs->callback([certs, o, code] {
    if (certs->get_subcommands().empty()) *code = show_certificates(o->data_dir, Clock::system().now(), format_of(o->output), streams());
  });
  add(certs, "rotate", "Make the serving certificate and the administrator's anew, now, in the running daemon", code,
      [o] { return ask_daemon(o->data_dir, MsgValue::map({{"command", "certs.rotate"}}), "", streams()); });
  auto* top = app->add_subcommand("top", "Show what nodes or pods use")->require_subcommand(1);
  auto use = [o](bool nodes) {
    auto window = duration("--window", o->window);
    if (!window) return kExitUsage;
    Cluster cluster(o->data_dir);
    return show_use(cluster, nodes, o->all_namespaces ? "" : o->ns, *window, format_of(o->output), streams());
  };
  auto* nodes = add(top, "nodes", "Processor and memory of each node", code, [use] { return use(true); });
  auto* pods = add(top, "pods", "Processor and memory of each pod, those that use most first", code, [use] { return use(false); });
  pods->add_option("-n,--namespace", o->ns, "The pods' namespace")->capture_default_str();
  pods->add_flag("-A,--all-namespaces", o->all_namespaces, "Of all namespaces");
  for (auto* one : {nodes, pods}) {
    print_as(one, o);
    one->add_option("--window", o->window, "How long the processor's use is measured")->capture_default_str();
  }
}

void add_online(CLI::App* app, Options* o, int* code) {
  auto* status = add(app, "status", "Show how the daemon is", code, [o] {
    return ask_for_facts(o->data_dir, MsgValue::map({{"command", "status"}}), format_of(o->output), streams());
  });
  status->add_option("-o,--output", o->output, "How to print it")->check(CLI::IsMember({"table", "json", "yaml"}));
  auto* why = add(app, "why", "Say why a pod does not run, step by step and node by node", code, [o] {
    Cluster cluster(o->data_dir);
    return explain_pod(cluster, o->file, o->ns, format_of(o->output), streams());
  });
  why->add_option("POD", o->file, "pod/NAME")->required();
  why->add_option("-n,--namespace", o->ns, "The pod's namespace")->capture_default_str();
  why->add_option("-o,--output", o->output, "How to print it")->check(CLI::IsMember({"text", "json", "yaml"}));
  add(app, "kubeconfig", "Print the administrator's kubeconfig", code, [o] {
    return ask_daemon(o->data_dir, MsgValue::map({{"command", "kubeconfig"}}), "", streams());
  });
  auto* token_app = app->add_subcommand("token", "Tokens for machines that join")->require_subcommand(1);
  auto* create = add(token_app, "create", "Print a join string: addresses, the master's key and a token for one use",
                     code, [o] { return token(*o); });
  create->add_flag("--master", o->for_master, "For a master: whoever has it gets the cluster's keys");
  print_as(create, o);
  create->add_option("--ttl", o->ttl, "How long it is valid")->capture_default_str();
  auto* master_app = app->add_subcommand("master", "The cluster's masters")->require_subcommand(1);
  print_as(add(master_app, "list", "Name them, and where workers find them", code, [o] {
    return ask_for_facts(o->data_dir, MsgValue::map({{"command", "master.list"}}), format_of(o->output), streams());
  }), o);
  auto* remove = add(master_app, "remove", "Forget a master that is gone for good: workers look for it no more", code, [o] {
    return ask_daemon(o->data_dir, MsgValue::map({{"command", "master.remove"}, {"name", o->name}}), "", streams());
  });
  remove->add_option("NAME", o->name, "As `lotse master list` says")->required();
  auto* node = add_nodes(app, o, code);
  add(node, "reset", "End all pods of this node, and take the pod network and service rules out of the kernel", code, [o] {
    return ask_daemon(o->data_dir, MsgValue::map({{"command", "node.reset"}}), "", streams());
  });
  auto* state = app->add_subcommand("state", "The cluster's state")->require_subcommand(1);
  auto* migrate = add(state, "migrate", "Move the whole state to another backend; lotsed is started anew with it afterwards", code, [o] {
    return ask_daemon(o->data_dir, MsgValue::map({{"command", "state.migrate"}, {"to", o->name}}), "", streams());
  });
  migrate->add_option("--to", o->name, "The state plugin, which the configuration file has a section for")->required();
  add(app, "reload", "Have lotsed read its configuration again: applies what can be, and says what takes a restart", code, [o] {
    return ask_daemon(o->data_dir, MsgValue::map({{"command", "reload"}}), "", streams());
  });
  auto* backup = add(app, "backup", "Write the cluster's whole state to a file, while it runs", code, [o] {
    return ask_daemon(o->data_dir, MsgValue::map({{"command", "backup"}}), o->file, streams());
  });
  backup->add_option("FILE", o->file, "The file to write")->required();
  auto* restore = add(app, "restore", "Replace the cluster's whole state by a backup", code,
                      [o] { return with_file(*o, "restore"); });
  restore->add_option("FILE", o->file, "The backup")->required()->check(CLI::ExistingFile);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("lotse: run and look after a Lotse cluster.", "lotse");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", fmt::format("lotse {} (Kubernetes v1.36.0, plugin ABI {}.{})", LOTSE_VERSION,
                                                LOTSE_ABI_MAJOR, LOTSE_ABI_MINOR));
  Options options;
  options.data_dir = default_data_dir();
  app.add_option("--data-dir", options.data_dir, "The data directory of the daemon to talk to");
  int code = kExitOk;
  add_offline(&app, &options, &code);
  add_online(&app, &options, &code);
  add_looks(&app, &options, &code);
  add_images(&app, &options, &code);
  add_descriptions(&app, &options, &code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  } catch (const std::exception& error) {
    std::cerr << "lotse: " << error.what() << "\n";
    return kExitFailed;
  }
  return code;
}
