// lotse-plugin-check PLUGIN.so [--kind KIND] [--config FILE] [--only ID] [--seed N] [--format tap|json] [--verbose]
// [--list]
//
// Runs the conformance suite of the plugin's kind. Exit code: 0 all succeeded or were skipped with a reason, 1
// something failed or crashed, 2 the plugin cannot be used or the command line is wrong.
#include <stdio.h>
#include <string.h>

#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "sdk/conformance/run.h"

namespace lotse::check {
namespace {

constexpr const char* kUsage =
    "usage: lotse-plugin-check PLUGIN.so [--kind KIND] [--config FILE] [--only ID] [--seed N] [--format tap|json] "
    "[--verbose] [--list]\n"
    "  --only takes an id or the beginning of ids (state.watch), and may be given more than once\n";

struct Arguments {
  Options options;
  std::string kind;
  std::vector<std::string> only;
  bool json = false;
  bool list = false;
};

[[noreturn]] void refuse(const std::string& why) {
  fprintf(stderr, "lotse-plugin-check: %s\n%s", why.c_str(), kUsage);
  exit(2);
}

Arguments parse(int argc, char** argv) {
  Arguments a;
  a.options.seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    auto next = [&]() -> std::string {
      if (i + 1 == argc) refuse(word + " needs a value");
      return argv[++i];
    };
    if (word == "--kind")
      a.kind = next();
    else if (word == "--only")
      a.only.push_back(next());
    else if (word == "--seed")
      a.options.seed = strtoull(next().c_str(), nullptr, 0);
    else if (word == "--verbose")
      a.options.verbose = true;
    else if (word == "--list")
      a.list = true;
    else if (word == "--format") {
      std::string format = next();
      if (format != "tap" && format != "json") refuse("there is no format " + format);
      a.json = format == "json";
    } else if (word == "--config") {
      std::ifstream file(next());
      if (!file) refuse("the configuration cannot be read");
      std::stringstream text;
      text << file.rdbuf();
      a.options.config = text.str();
    } else if (word.starts_with("-") || !a.options.plugin.empty())
      refuse("unknown argument " + word);
    else
      a.options.plugin = word;
  }
  if (a.options.plugin.empty() && !a.list) refuse("which plugin?");
  return a;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (unsigned char c : text) {
    char escape[8];
    if (c == '"' || c == '\\')
      out += '\\', out += static_cast<char>(c);
    else if (c < 0x20)
      snprintf(escape, sizeof escape, "\\u%04x", c), out += escape;
    else
      out += static_cast<char>(c);
  }
  return out + '"';
}

const char* word_of(Result result) {
  switch (result) {
    case Result::kSuccess:
      return "success";
    case Result::kFailed:
      return "failed";
    case Result::kCrashed:
      return "crashed";
    case Result::kSkipped:
      return "skipped";
  }
  return "";
}

void print_json(const std::string& id, const Case& c, const Report& r) {
  std::string warnings;
  for (const std::string& w : r.warnings) warnings += (warnings.empty() ? "" : ",") + quoted(w);
  printf("{\"id\":%s,\"result\":\"%s\",\"seconds\":%.3f,\"sentence\":%s,\"why\":%s,\"warnings\":[%s]}\n",
         quoted(id).c_str(), word_of(r.result), r.seconds, quoted(c.sentence).c_str(), quoted(r.why).c_str(),
         warnings.c_str());
}

void print_tap(size_t number, const std::string& id, const Case& c, const Report& r) {
  bool good = r.result == Result::kSuccess || r.result == Result::kSkipped;
  printf("%s %zu - %s%s%s\n", good ? "ok" : "not ok", number, id.c_str(),
         r.result == Result::kSkipped ? " # SKIP " : "", r.result == Result::kSkipped ? r.why.c_str() : "");
  if (!good) printf("#   %s: %s\n#   contract: %s\n", word_of(r.result), r.why.c_str(), c.sentence.c_str());
  for (const std::string& w : r.warnings) printf("#   warning: %s\n", w.c_str());
}

bool chosen(const Arguments& a, const std::string& id) {
  if (a.only.empty()) return true;
  for (const std::string& only : a.only) {
    if (id == only || (id.starts_with(only) && (only.ends_with(".") || id[only.size()] == '.'))) return true;
  }
  return false;
}

int run(const Arguments& a) {
  std::string why;
  std::vector<std::string> found = find_kinds(a.options, why);
  if (found.empty()) refuse(a.options.plugin + " cannot be used: " + why);
  std::vector<const Case*> chosen_cases;
  for (const Case& c : cases()) {
    bool has = std::find(found.begin(), found.end(), c.kind) != found.end();
    if (has && (a.kind.empty() || a.kind == c.kind) && chosen(a, c.kind + "." + c.id)) chosen_cases.push_back(&c);
  }
  if (chosen_cases.empty()) refuse("there is no such case for this plugin");
  if (!a.json) printf("# seed %llu\n1..%zu\n", static_cast<unsigned long long>(a.options.seed), chosen_cases.size());
  size_t count[4] = {};
  size_t number = 0;
  for (const Case* c : chosen_cases) {
    Report report = run_case(a.options, *c);
    std::string id = c->kind + "." + c->id;
    ++count[static_cast<int>(report.result)];
    if (a.json)
      print_json(id, *c, report);
    else
      print_tap(++number, id, *c, report);
    fflush(stdout);
  }
  if (!a.json) printf("# %zu success, %zu failed, %zu crashed, %zu skipped\n", count[0], count[1], count[2], count[3]);
  return count[1] + count[2] == 0 ? 0 : 1;
}

}  // namespace
}  // namespace lotse::check

int main(int argc, char** argv) {
  auto arguments = lotse::check::parse(argc, argv);
  if (arguments.list) {
    for (const auto& c : lotse::check::cases()) printf("%s.%s\t%s\n", c.kind.c_str(), c.id.c_str(), c.sentence.c_str());
    return 0;
  }
  return lotse::check::run(arguments);
}
