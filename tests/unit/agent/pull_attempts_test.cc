#include "core/agent/pull_attempts.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

using namespace lotse;
using namespace lotse::agent;

namespace {

MsgValue login(const std::string& user) {
  return MsgValue::map({{"username", user}, {"password", "p"}});
}

std::vector<std::string> told(const std::vector<PullAttempt>& attempts) {
  std::vector<std::string> out;
  for (const auto& a : attempts) {
    std::string text = a.server;
    if (a.mirror) text += " mirror";
    if (a.from["insecure"].as_bool()) text += " insecure";
    if (a.from.has("ca")) text += " ca";
    if (a.auth.has("username")) text += " " + std::string(a.auth["username"].as_text());
    if (!a.problem.ok()) text += " problem";
    out.push_back(text);
  }
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("without a section an image comes from its registry, with the pod's credentials one after another") {
  CHECK(told(pull_attempts("nginx", {}, {})) == Texts{"docker.io"});
  CHECK(pull_attempts("nginx", {}, {})[0].from.is_nil());
  CHECK(told(pull_attempts("a.example/b", {login("x"), login("y")}, {})) == Texts{"a.example x", "a.example y"});
}

TEST_CASE("the pod's credentials are tried before the node's") {
  Registry r{"a.example", {}, "", "node", "p", "", false};
  CHECK(told(pull_attempts("a.example/b", {login("pod")}, {r})) == Texts{"a.example pod", "a.example node"});
  CHECK(told(pull_attempts("a.example/b", {}, {r})) == Texts{"a.example node"});
  CHECK(told(pull_attempts("b.example/b", {}, {r})) == Texts{"b.example"});
}

TEST_CASE("mirrors come first, each as its own section says, and never see the credentials of another") {
  Registry own{"docker.io", {"m.example:5000", "n.example/proxy"}, "", "hub", "p", "", false};
  Registry mirror{"m.example:5000", {}, "", "mirror", "p", "", true};
  auto attempts = pull_attempts("nginx", {login("pod")}, {own, mirror});
  CHECK(told(attempts) ==
        Texts{"m.example:5000 mirror insecure mirror", "n.example/proxy mirror", "docker.io pod", "docker.io hub"});
  CHECK(attempts[1].from["server"].as_text() == "n.example/proxy");
  CHECK(attempts[1].auth.is_nil());
}

TEST_CASE("files are read at each pull; what cannot be read, or others can, is a problem") {
  char name[] = "/tmp/lotse-pull-XXXXXX";
  REQUIRE(mkdtemp(name) != nullptr);
  std::string password = std::string(name) + "/password", ca = std::string(name) + "/ca";
  std::ofstream(password) << "secret\n";
  std::ofstream(ca) << "pem";
  chmod(password.c_str(), 0600);
  Registry r{"a.example", {}, ca, "node", "", password, false};
  auto attempts = pull_attempts("a.example/b", {}, {r});
  CHECK(told(attempts) == Texts{"a.example ca node"});
  CHECK(attempts[0].auth["password"].as_text() == "secret");
  chmod(password.c_str(), 0644);
  CHECK(told(pull_attempts("a.example/b", {}, {r})) == Texts{"a.example ca problem"});
  std::filesystem::remove_all(name);
  CHECK(told(pull_attempts("a.example/b", {login("pod")}, {r})) == Texts{"a.example pod problem", "a.example problem"});
}
