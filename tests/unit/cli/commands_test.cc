#include "core/cli/commands.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

#include "core/base/file.h"
#include "core/base/frame_io.h"
#include "core/base/ids.h"

using namespace lotse;
using namespace lotse::cli;

namespace {

struct Terminal {
  std::ostringstream out, err;
  Streams streams() { return {out, err}; }
};

struct Folder {
  std::string path = std::filesystem::temp_directory_path() / ("lotse-cli-" + make_suffix(8));
  Folder() { REQUIRE(make_dirs(path).ok()); }
  ~Folder() { std::filesystem::remove_all(path); }
};

// Answers one request with the given frames.
struct FakeDaemon {
  FakeDaemon(const std::string& dir, std::vector<MsgValue> frames) : listener(*listen_unix(dir + "/lotse.sock", 1)) {
    thread = std::thread([this, frames = std::move(frames)] {
      int fd = -1;
      while ((fd = ::accept(listener, nullptr, nullptr)) < 0) std::this_thread::yield();
      if (auto got = read_frame(fd); got.ok()) request = *got;
      for (const MsgValue& frame : frames) (void)!write_frame(fd, frame).ok();
      ::close(fd);
    });
  }
  ~FakeDaemon() { ::close(listener); }
  MsgValue asked() {
    thread.join();
    return request;
  }
  int listener;
  MsgValue request;
  std::thread thread;
};

plugin::Found good() {
  plugin::Found found{"/p/state_lmdb.so", {}, ""};
  found.note = {1, 0, "lmdb", "0.1.0", "a \"file\"", {"state"}, {}, 1};
  return found;
}

}  // namespace

TEST_CASE("plugins are shown as a table, and refused ones apart") {
  Terminal t;
  CHECK(show_plugins({good(), {"/p/x.so", {}, "/p/x.so: it is no ELF file"}}, false, t.streams()) == kExitOk);
  CHECK(t.out.str().find("KIND    NAME   VERSION   ABI   THREADS   FILE ") == 0);
  CHECK(t.out.str().find("state   lmdb   0.1.0     1.0   1         /p/state_lmdb.so   a \"file\"\n") !=
        std::string::npos);
  CHECK(t.err.str() == "refused: /p/x.so: it is no ELF file\n");
  Terminal none;
  show_plugins({}, false, none.streams());
  CHECK(none.out.str() == "No plugins were found.\n");
}

TEST_CASE("plugins are shown as JSON") {
  Terminal t;
  show_plugins({good(), {"/p/x.so", {}, "no\n"}}, true, t.streams());
  CHECK(
      t.out.str() ==
      R"({"plugins":[{"name":"lmdb","kinds":["state"],"version":"0.1.0","abi":"1.0","threads":1,"requires":[],"summary":"a \"file\"","file":"/p/state_lmdb.so"}],"refused":[{"file":"/p/x.so","reason":"no\u000a"}]})"
      "\n");
}

TEST_CASE("a faulty configuration is one exit code and all its complaints") {
  Folder folder;
  std::string file = folder.path + "/l.toml";
  REQUIRE(write_file_atomically(file, "[daemon]\nrolls = 1\n[bus]\nlisten = 5\n").ok());
  Terminal t;
  CHECK(check_config(file, {}, t.streams()) == kExitFailed);
  CHECK(t.err.str() == file + ":2:1: unknown key 'rolls' in [daemon]; did you mean 'roles'?\n" + file +
                           ":4:10: 'listen' in [bus] must be a string, not an integer\n");
  Terminal gone;
  CHECK(check_config(folder.path + "/none", {}, gone.streams()) == kExitFailed);
  CHECK(gone.err.str() == "open " + folder.path + "/none: No such file or directory\n");
}

TEST_CASE("without a daemon there is a sentence and an exit code of its own") {
  Folder folder;
  Terminal t;
  CHECK(ask_daemon(folder.path, MsgValue::map({{"command", "status"}}), "", t.streams()) == kExitNotReachable);
  CHECK(t.err.str().find("lotse: no lotsed runs with the data directory " + folder.path) == 0);
}

TEST_CASE("a daemon's text, data and exit code come through") {
  Folder folder;
  std::string file = folder.path + "/backup";
  FakeDaemon daemon(folder.path,
                    {MsgValue::map({{"out", "working\n"}}), MsgValue::map({{"data", MsgValue::bin("abc")}}),
                     MsgValue::map({{"data", MsgValue::bin("def")}}), MsgValue::map({{"exit", 0}})});
  Terminal t;
  CHECK(ask_daemon(folder.path, MsgValue::map({{"command", "backup"}}), file, t.streams()) == kExitOk);
  CHECK(daemon.asked()["command"].as_text() == "backup");
  CHECK(t.out.str() == "working\n");
  CHECK(*read_file(file) == "abcdef");
}

TEST_CASE("a backup that breaks off leaves no file") {
  Folder folder;
  std::string file = folder.path + "/backup";
  {
    FakeDaemon daemon(folder.path, {MsgValue::map({{"data", MsgValue::bin("abc")}})});
    Terminal t;
    CHECK(ask_daemon(folder.path, MsgValue::map({{"command", "backup"}}), file, t.streams()) == kExitFailed);
    daemon.asked();
    CHECK(t.err.str() == "lotse: lotsed has not finished its answer: the other side has closed the connection\n");
  }
  FakeDaemon daemon(folder.path, {MsgValue::map({{"data", MsgValue::bin("abc")}}),
                                  MsgValue::map({{"exit", 1}, {"error", "disk full"}})});
  Terminal t;
  CHECK(ask_daemon(folder.path, MsgValue::map({{"command", "backup"}}), file, t.streams()) == kExitFailed);
  daemon.asked();
  CHECK(t.err.str() == "lotse: disk full\n");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);  // the socket
}
