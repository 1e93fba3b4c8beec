#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/plugin/plugins.h"

using namespace lotse;
using namespace lotse::plugin;

namespace {

struct House {
  std::string dir = std::filesystem::temp_directory_path() / ("lotse-bad-" + make_suffix(8));
  VirtualLoop loop;
  WorkerPool workers{"test", 1, 10};
  Host host{loop, workers, {dir, "", "node-1", nullptr}};
  ~House() { std::filesystem::remove_all(dir); }
};

std::string path_of(const std::string& which, const std::string& file = "") {
  return std::string(BAD_DIR) + "/" + which + "/" + (file.empty() ? which : file) + ".so";
}

// What is said when the plugin of that directory is asked for; "" when it works.
std::string refusal(const std::string& which, const std::string& toml = "[plugins.proxy.x]\ntable = \"t\"\n") {
  House house;
  Plugins plugins({std::string(BAD_DIR) + "/" + which});
  REQUIRE(plugins.found().size() == 1);
  if (!plugins.found()[0].problem.empty()) return plugins.found()[0].problem;
  config::Complaints complaints;
  config::Config config = config::parse_config("[components]\nproxy = \"x\"\n" + toml, "lotse.toml", &complaints);
  REQUIRE(complaints.text() == "");
  auto made = plugins.create_proxy(house.host, config);
  return made.status().message;
}

}  // namespace

TEST_CASE("a good plugin of the same make is taken") {
  CHECK(refusal("good") == "");
  Plugins plugins({BAD_DIR "/good"});
  CHECK(plugins.found()[0].note.name == "x");
  CHECK(plugins.found()[0].note.kinds == std::vector<std::string>{"proxy"});
  CHECK(plugins.found()[0].note.summary == "for tests");
  CHECK(plugins.section("proxy", "x")->keys[0].doc == "How many chains.");
}

TEST_CASE("what is wrong in the note is said without loading the plugin") {
  CHECK(refusal("no_note") == path_of("no_note") + ": it has no Lotse note, so it is no plugin of Lotse");
  CHECK(refusal("garbage_note") == path_of("garbage_note") + ": its ELF note holds no proper name");
  CHECK(refusal("newer_note") == path_of("newer_note") + ": it speaks plugin ABI 2.0, but lotse " LOTSE_VERSION
                                                         " speaks ABI 1.0: another major version cannot be loaded");
  CHECK(refusal("newer_minor") == path_of("newer_minor") + ": it needs plugin ABI 1.7, but lotse " LOTSE_VERSION
                                                           " offers ABI 1.0 only: it takes a newer lotse");
}

TEST_CASE("what is wrong in the entry is said") {
  CHECK(refusal("no_entry") == path_of("no_entry") + ": it does not export the symbol lotse_plugin_entry");
  CHECK(refusal("wrong_magic") == path_of("wrong_magic") + ": its entry has the wrong magic number 0x00000000deadbeef");
  CHECK(refusal("wrong_major") == path_of("wrong_major") + ": it speaks plugin ABI 3.0, but lotse " LOTSE_VERSION
                                                           " speaks ABI 1.0: another major version cannot be loaded");
  CHECK(refusal("truncated") == path_of("truncated") + ": its entry has 24 bytes, but ABI 1.0 asks for at least 56");
  CHECK(refusal("no_get_factory") == path_of("no_get_factory") + ": its entry lacks the function get_factory");
  CHECK(refusal("other_name") ==
        path_of("other_name") + ": its entry (somebody 0.1.0, ABI 1.0) and its ELF note (x 0.1.0, ABI 1.0) differ");
  CHECK(refusal("unresolved") ==
        path_of("unresolved") + ": it cannot be loaded: undefined symbol: lotse_nobody_defines_this");
}

TEST_CASE("what is wrong in the factory or the instance is said") {
  CHECK(refusal("no_factory") == path_of("no_factory") + ": it offers no proxy, though its ELF note says so");
  CHECK(refusal("small_factory") ==
        path_of("small_factory") + ": its factory for proxy has 16 bytes, but ABI 1.0 asks for at least 40");
  CHECK(refusal("truncated_key") ==
        path_of("truncated_key") + ": key 0 of its factory for proxy is truncated or has no name");
  CHECK(refusal("key_type") ==
        path_of("key_type") + ": [plugins.proxy.x] declares key 'chains' with the unknown type 99");
  CHECK(refusal("key_default")
            .find(path_of("key_default") +
                  ": [plugins.proxy.x] declares key 'chains' with a default that its own rules refuse: ") == 0);
  CHECK(refusal("small_instance") ==
        path_of("small_instance") + ": its proxy has 56 bytes, which end before the function apply");
  CHECK(refusal("null_slot") == path_of("null_slot") + ": its proxy lacks the function apply");
}

TEST_CASE("a plugin that cannot says why, and one that throws or says nothing gets words") {
  CHECK(refusal("init_fails") == "proxy plugin 'x': this kernel is too old");
  CHECK(refusal("create_fails") == "proxy plugin 'x': nf_tables is not there");
  CHECK(refusal("create_silent") == "proxy plugin 'x': the plugin failed");
  CHECK(refusal("init_throws") == "proxy plugin 'x': an exception came out of its function init: ouch");
  CHECK(refusal("create_throws") == "proxy plugin 'x': an exception came out of its function create: ouch");
  CHECK(refusal("get_factory_throws") ==
        path_of("get_factory_throws") + ": an exception came out of its function get_factory: ouch");
}

TEST_CASE("two plugins of one name are both refused, naming both files") {
  std::string a = path_of("twin_a", "twin"), b = path_of("twin_b", "twin");
  Plugins plugins({BAD_DIR "/twin_a", BAD_DIR "/twin_b"});
  REQUIRE(plugins.found().size() == 2);
  std::string sentence = "there are two plugins for proxy 'x', " + a + " and " + b + ": remove one of them";
  CHECK(plugins.find("proxy", "x").status().message == sentence);
  Plugins once({BAD_DIR "/twin_a", BAD_DIR "/../badplugins/twin_a"});  // one directory by two names
  CHECK(once.find("proxy", "x").ok());
}

TEST_CASE("a key of the wrong type, a missing one and an unknown one are refused at their place") {
  CHECK(refusal("good", "[plugins.proxy.x]\ntable = \"t\"\nchains = \"many\"\n") ==
        "lotse.toml:5:10: 'chains' in [plugins.proxy.x] must be an integer, not a string");
  CHECK(refusal("good", "[plugins.proxy.x]\nchains = 3\n") ==
        "lotse.toml:3:16: [plugins.proxy.x] lacks the required key 'table'");
  CHECK(refusal("good", "[plugins.proxy.x]\ntable = \"t\"\ntabel = \"u\"\nchains = 10") ==
        "lotse.toml:5:1: unknown key 'tabel' in [plugins.proxy.x]; did you mean 'table'?\n"
        "lotse.toml:6:10: 'chains' in [plugins.proxy.x] must be between 1 and 9, not '10'");
}

TEST_CASE("a plugin that is not there is told with those that are") {
  Plugins plugins({BAD_DIR "/good", "/no/such/directory"});
  CHECK(plugins.find("proxy", "y").status().message ==
        "no plugin for proxy 'y' was found (there is x); did you mean 'x'?");
  CHECK(plugins.find("state", "lmdb").status().message ==
        "no plugin for state 'lmdb' was found (there is none of that kind)");
}

TEST_CASE("files that are no plugins do no harm") {
  House house;
  REQUIRE(make_dirs(house.dir).ok());
  std::string good = *read_file(path_of("good"));
  auto problem = [&](const std::string& bytes) {
    REQUIRE(write_file_atomically(house.dir + "/f.so", bytes).ok());
    auto found = discover({house.dir});
    REQUIRE(found.size() == 1);
    return found[0].problem;
  };
  CHECK(problem("") == house.dir + "/f.so: it is no ELF file");
  CHECK(problem("#!/bin/sh\n" + std::string(1000, 'x')) == house.dir + "/f.so: it is no ELF file");
  // Cut off or flipped anywhere: a sentence, or a plugin that is read all the same.
  for (size_t size = 1; size < good.size(); size += 97) problem(good.substr(0, size));
  for (size_t at = 0; at < 2048; at += 1) {
    std::string flipped = good;
    flipped[at] = char(flipped[at] ^ 0xff);
    auto note = (std::ofstream(house.dir + "/f.so", std::ios::binary | std::ios::trunc) << flipped).flush().good();
    REQUIRE(note);
    discover({house.dir});
  }
}
