#include "plugins/runtime_docker/log_relay.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace lotse::runtime_docker;

namespace {

std::string docker_line(int number) {
  return "{\"log\":\"" + std::to_string(number) +
         "\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.000000001Z\"}\n";
}

struct Files {
  Files() {
    char name[] = "/tmp/lotse-relay-XXXXXX";
    directory = mkdtemp(name);
  }
  ~Files() { std::filesystem::remove_all(directory); }
  std::string source() const { return directory + "/source"; }
  std::string target() const { return directory + "/0.log"; }
  std::unique_ptr<LogRelay> relay() const {
    return std::make_unique<LogRelay>(source(), target(), directory + "/position");
  }
  void docker_writes(int from, int to) const {
    std::ofstream file(source(), std::ios::app);
    for (int i = from; i <= to; i++) file << docker_line(i);
  }
  static std::string text(const std::string& path) {
    std::ifstream file(path);
    std::stringstream all;
    all << file.rdbuf();
    return all.str();
  }
  // The numbers that the logs hold, one after the other.
  static std::string numbers(const std::string& text) {
    std::istringstream lines(text);
    std::string out;
    for (std::string line; std::getline(lines, line);) out += line.substr(line.rfind(' ') + 1) + " ";
    return out;
  }
  std::string directory;
};

}  // namespace

TEST_CASE("a line of Docker's becomes one line in CRI's form") {
  CHECK(cri_line(R"({"log":"out\n","stream":"stdout","time":"2026-01-02T03:04:05.1Z"})") ==
        "2026-01-02T03:04:05.1Z stdout F out\n");
  CHECK(cri_line(R"({"log":"half","stream":"stderr","time":"2026-01-02T03:04:05.1Z"})") ==
        "2026-01-02T03:04:05.1Z stderr P half\n");
  CHECK(cri_line("no json").empty());
}

TEST_CASE("a relay goes on where it was, whether it could say so or not") {
  Files files;
  files.docker_writes(1, 3);
  auto relay = files.relay();
  CHECK(relay->drain());
  SECTION("it ended in order") {
    relay->save();
  }
  SECTION("it was killed, and never wrote its place down") {}
  relay.reset();
  files.docker_writes(4, 5);
  relay = files.relay();
  CHECK(relay->drain());
  CHECK(Files::numbers(Files::text(files.target())) == "1 2 3 4 5 ");
}

TEST_CASE("a line that a crash has torn is written again, and no other") {
  Files files;
  files.docker_writes(1, 3);
  files.relay()->drain();
  std::filesystem::resize_file(files.target(), std::filesystem::file_size(files.target()) - 1);
  files.docker_writes(4, 4);
  files.relay()->drain();
  CHECK(Files::numbers(Files::text(files.target())) == "1 2 3 4 ");
}

TEST_CASE("a line that Docker has not ended yet waits for its end") {
  Files files;
  std::string line = docker_line(1);
  std::ofstream(files.source()) << line.substr(0, 20);
  auto relay = files.relay();
  CHECK(relay->drain());
  CHECK(Files::text(files.target()).empty());
  std::ofstream(files.source(), std::ios::app) << line.substr(20);
  CHECK(relay->drain());
  CHECK(Files::numbers(Files::text(files.target())) == "1 ");
}

TEST_CASE("a log that is opened anew goes on in a new file") {
  Files files;
  files.docker_writes(1, 2);
  auto relay = files.relay();
  relay->drain();
  std::filesystem::rename(files.target(), files.target() + ".old");
  CHECK(relay->reopen());
  files.docker_writes(3, 4);
  SECTION("by the same relay") {
    relay->drain();
  }
  SECTION("by another, after a crash") {
    relay.reset();
    files.relay()->drain();
  }
  CHECK(Files::numbers(Files::text(files.target() + ".old")) == "1 2 ");
  CHECK(Files::numbers(Files::text(files.target())) == "3 4 ");
}

TEST_CASE("a log that was moved away before a crash is not written twice") {
  Files files;
  files.docker_writes(1, 2);
  auto relay = files.relay();
  relay->drain();
  relay->save();
  files.docker_writes(3, 3);
  relay->drain();
  relay.reset();
  std::filesystem::rename(files.target(), files.target() + ".old");
  files.docker_writes(4, 4);
  files.relay()->drain();
  CHECK(Files::numbers(Files::text(files.target() + ".old")) == "1 2 3 ");
  CHECK(Files::numbers(Files::text(files.target())) == "4 ");
}

TEST_CASE("a long log gives its space back, and loses nothing") {
  Files files;
  std::string text(16'000, 'x');
  {
    std::ofstream file(files.source());
    for (int i = 0; i < 2500; i++) {
      file << R"({"log":")" << text << R"(\n","stream":"stdout","time":"2026-01-02T03:04:05.1Z"})" << '\n';
    }
  }
  auto relay = files.relay();
  CHECK(relay->drain());
  struct stat facts {};
  REQUIRE(stat(files.source().c_str(), &facts) == 0);
  CHECK(facts.st_blocks * 512 < facts.st_size / 2);
  files.docker_writes(7, 7);
  relay->drain();
  std::string log = Files::text(files.target());
  CHECK(std::count(log.begin(), log.end(), '\n') == 2501);
  CHECK(log.ends_with(" stdout F 7\n"));
}
