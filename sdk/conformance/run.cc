#include "sdk/conformance/run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "sdk/conformance/check_host.h"
#include "sdk/conformance/config.h"
#include "sdk/conformance/load.h"
#include "sdk/isolation/isolated_instance.h"

namespace lotse::check {
namespace {

int report_fd = -1;  // in the child

// One line to the parent: a word and a text.
void say(const char* word, std::string text) {
  for (char& c : text) c = c == '\n' ? ' ' : c;
  text = std::string(word) + " " + text + "\n";
  (void)!write(report_fd, text.data(), text.size());
}

// Forks; fn runs in the child. Returns what it said, and how it ended.
std::string run_apart(const std::function<void()>& fn, int seconds_max, int& wait_status, bool& late) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  fflush(nullptr);
  pid_t pid = fork();
  if (pid == 0) {
    close(fds[0]);
    report_fd = fds[1];
    fn();
    _exit(0);
  }
  close(fds[1]);
  std::string said;
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds_max);
  late = false;
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd ready{fds[0], POLLIN, 0};
    if (left <= 0 || poll(&ready, 1, static_cast<int>(left)) == 0) {
      late = true;
      break;
    }
    char buffer[4096];
    ssize_t got = read(fds[0], buffer, sizeof buffer);
    if (got <= 0) break;
    said.append(buffer, static_cast<size_t>(got));
  }
  close(fds[0]);
  if (late) kill(pid, SIGKILL);
  waitpid(pid, &wait_status, 0);
  return said;
}

void run_here(const Options& options, const Case& c, const std::string& directory) {
  try {
    if (c.before) c.before();
    Subject subject;
    CheckHost host(directory, options.verbose);
    subject.host = &host;
    subject.seed = options.seed;
    subject.path = std::filesystem::absolute(options.plugin);
    subject.plugin = load(options.plugin);
    lotse_error error{};
    error.size = sizeof error;
    if (subject.plugin->init != nullptr && subject.plugin->init(host.c(), &error) != LOTSE_OK) fail(error.message);
    for (const Kind& kind : kinds()) {
      if (c.kind == kind.name) subject.factory = subject.plugin->get_factory(kind.factory_id);
    }
    if (subject.factory == nullptr) fail("the plugin has no factory of the kind " + c.kind);
    subject.config = make_config(*subject.factory, options.config);
    c.run(subject);
    if (subject.plugin->deinit != nullptr) subject.plugin->deinit();
    say("success", "");
  } catch (const Failed& failed) {
    say("failed", failed.why);
    _exit(0);  // what it left running does not matter any more
  } catch (const Skipped& skipped) {
    say("skipped", skipped.why);
    _exit(0);
  } catch (const std::exception& error) {
    say("failed", std::string("an exception: ") + error.what());
    _exit(0);
  }
}

std::string new_directory() {
  std::string text = (std::filesystem::temp_directory_path() / "lotse-check-XXXXXX").string();
  if (mkdtemp(text.data()) == nullptr)
    throw std::runtime_error("no temporary directory: " + std::string(strerror(errno)));
  return text;
}
}  // namespace

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}
void fail(const std::string& why) {
  throw Failed{why};
}
void skip(const std::string& why) {
  throw Skipped{why};
}
void warn(const std::string& what) {
  say("warning", what);
}

const lotse_instance* create(const Subject& subject) {
  lotse_error error{};
  error.size = sizeof error;
  const lotse_instance* made =
      subject.factory->create(subject.host->c(), {subject.config.data(), subject.config.size()}, &error);
  if (made == nullptr) fail(std::string("no instance: ") + error.message);
  return made;
}

const lotse_instance* create_apart(const Subject& subject, const char* kind) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "lotse-plugin-host";
  if (!std::filesystem::exists(program)) skip("there is no lotse-plugin-host beside this program");
  isolation::IsolatedInstance::Settings settings;
  settings.program = program;
  settings.restart = false;
  settings.description = {subject.path, kind, subject.factory->name, subject.host->directory(), subject.host->directory() + "/run", "check", subject.config};
  std::string why;
  int32_t code = LOTSE_OK;
  const lotse_instance* made = isolation::IsolatedInstance::make(std::move(settings), &why, &code);
  if (made == nullptr) fail("no instance: " + why);
  return made;
}

Report run_case(const Options& options, const Case& c) {
  Report report;
  std::string directory = new_directory();
  int status = 0;
  bool late = false;
  auto began = std::chrono::steady_clock::now();
  std::string said = run_apart([&] { run_here(options, c, directory); }, c.seconds_max, status, late);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::filesystem::remove_all(directory);
  report.result = Result::kCrashed;
  report.why = WIFSIGNALED(status) ? std::string("ended by signal ") + strsignal(WTERMSIG(status))
                                   : "ended with code " + std::to_string(WEXITSTATUS(status)) + " before the case did";
  bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  for (size_t at = 0; at < said.size();) {
    size_t end = std::min(said.find('\n', at), said.size());
    std::string line = said.substr(at, end - at);
    at = end + 1;
    std::string word = line.substr(0, line.find(' '));
    std::string text = line.substr(std::min(line.size(), word.size() + 1));
    if (word == "warning") report.warnings.push_back(text);
    if (word == "failed") report.result = Result::kFailed, report.why = text;
    if (word == "skipped") report.result = Result::kSkipped, report.why = text;
    if (word == "success" && clean) report.result = Result::kSuccess, report.why = "";
  }
  if (late) {
    report.result = Result::kFailed;
    report.why = "not finished after " + std::to_string(c.seconds_max) + " s";
  }
  return report;
}

std::vector<std::string> find_kinds(const Options& options, std::string& why) {
  int status = 0;
  bool late = false;
  std::string said = run_apart(
      [&] {
        try {
          const lotse_plugin* plugin = load(options.plugin);
          for (const Kind& kind : kinds()) {
            if (plugin->get_factory(kind.factory_id) != nullptr) say("kind", kind.name);
          }
        } catch (const std::exception& error) {
          say("failed", error.what());
        }
      },
      10, status, late);
  std::vector<std::string> found;
  if (!WIFEXITED(status)) why = "it crashed while it was loaded";
  for (size_t at = 0; at < said.size();) {
    size_t end = std::min(said.find('\n', at), said.size());
    std::string line = said.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("kind ")) found.push_back(line.substr(5));
    if (line.starts_with("failed ")) why = line.substr(7);
  }
  if (found.empty() && why.empty()) why = "it has no factory";
  return found;
}

}  // namespace lotse::check
