#include "core/daemon/control_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <future>

#include "core/base/file.h"
#include "core/base/frame_io.h"
#include "core/base/ids.h"

using namespace lotse;
using namespace lotse::daemon;

namespace {

struct Folder {
  std::string path = std::filesystem::temp_directory_path() / ("lotse-control-" + make_suffix(8));
  Folder() { REQUIRE(make_dirs(path).ok()); }
  ~Folder() { std::filesystem::remove_all(path); }
};

// A control socket on a loop of its own.
struct Served {
  explicit Served(std::string p, ControlSocket::Limits limits = {}, bool at_once = true) : path(std::move(p)) {
    on_loop([&] {
      auto made = ControlSocket::listen(thread.loop(), workers, path, limits);
      status = made.status();
      if (made.ok()) socket = *std::move(made);
      if (socket && at_once) socket->serve();
    });
  }
  ~Served() {
    on_loop([&] { socket.reset(); });
  }
  void on_loop(std::function<void()> fn) {
    std::promise<void> done;
    thread.loop().post([&] {
      fn();
      done.set_value();
    });
    done.get_future().wait();
  }
  void handle(const std::string& command, ControlHandler handler) {
    on_loop([&] { socket->handle(command, handler); });
  }
  void serve() {
    on_loop([&] { socket->serve(); });
  }
  std::string path;
  Status status;
  WorkerPool workers{"test", 2, 4};
  LoopThread thread{"test"};
  std::unique_ptr<ControlSocket> socket;
};

// All frames that answer a request.
std::vector<MsgValue> ask(const std::string& path, const MsgValue& request) {
  auto fd = connect_unix(path);
  REQUIRE(fd.ok());
  (void)!write_frame(*fd, request).ok();  // it may have been refused already
  std::vector<MsgValue> out;
  while (true) {
    auto frame = read_frame(*fd);
    if (!frame.ok()) break;
    out.push_back(*frame);
  }
  close(*fd);
  return out;
}

}  // namespace

TEST_CASE("a command is answered with text, data and an exit code") {
  Folder folder;
  Served served(folder.path + "/lotse.sock");
  REQUIRE(served.status.ok());
  served.handle("greet", [](const MsgValue& request, ControlReply& reply) {
    reply.out("hello " + std::string(request["name"].as_text()));
    reply.data(std::string(600'000, 'x'));
    return Status();
  });
  auto frames = ask(served.path, MsgValue::map({{"command", "greet"}, {"name", "pilot"}}));
  REQUIRE(frames.size() == 5);
  CHECK(frames[0]["out"].as_text() == "hello pilot");
  CHECK(frames[1]["data"].as_text().size() + frames[2]["data"].as_text().size() + frames[3]["data"].as_text().size() ==
        600'000);
  CHECK(frames[4] == MsgValue::map({{"exit", 0}}));
  struct stat facts;
  REQUIRE(stat(served.path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("what fails, throws or is not known ends with a sentence") {
  Folder folder;
  Served served(folder.path + "/lotse.sock");
  served.handle("fail", [](const MsgValue&, ControlReply&) { return Status(Reason::kNotFound, "no such file"); });
  served.handle("throw", [](const MsgValue&, ControlReply&) -> Status { throw std::runtime_error("ouch"); });
  CHECK(ask(served.path, MsgValue::map({{"command", "fail"}})).back() ==
        MsgValue::map({{"exit", 1}, {"error", "no such file"}, {"reason", "NotFound"}}));
  CHECK(ask(served.path, MsgValue::map({{"command", "throw"}})).back()["error"].as_text() == "lotsed failed: ouch");
  CHECK(ask(served.path, MsgValue::map({{"command", "x"}})).back()["error"].as_text() ==
        "this lotsed knows no command 'x'");
  CHECK(ask(served.path, MsgValue(5)).back()["error"].as_text() == "this lotsed knows no command ''");
}

TEST_CASE("who asks a daemon that is starting is answered when it has started, or told so") {
  Folder folder;
  Served served(folder.path + "/s", {.request_time = std::chrono::milliseconds(50)}, false);
  served.handle("hello", [](const MsgValue&, ControlReply&) { return Status(); });
  auto told = ask(served.path, MsgValue::map({{"command", "hello"}}));
  REQUIRE(told.size() == 1);
  CHECK(told[0]["error"].as_text().find("still starting") != std::string_view::npos);

  Served patient(folder.path + "/p", {}, false);
  patient.handle("hello", [](const MsgValue&, ControlReply&) { return Status(); });
  auto fd = connect_unix(patient.path);
  REQUIRE(fd.ok());
  REQUIRE(write_frame(*fd, MsgValue::map({{"command", "hello"}})).ok());
  patient.serve();
  auto answer = read_frame(*fd);
  ::close(*fd);
  REQUIRE(answer.ok());
  CHECK((*answer)["exit"].as_int(-1) == 0);
}

TEST_CASE("a handler that waits for something else is woken when the daemon ends") {
  Folder folder;
  auto served = std::make_unique<Served>(folder.path + "/s");
  std::promise<void> called;
  served->handle("wait", [&](const MsgValue&, ControlReply& reply) {
    auto woken = std::make_shared<std::promise<void>>();
    reply.when_ending([woken] { woken->set_value(); });
    called.set_value();
    woken->get_future().wait();
    return reply.gone() ? Status() : Status(Reason::kInternalError, "not gone");
  });
  auto fd = connect_unix(served->path);
  REQUIRE(fd.ok());
  REQUIRE(write_frame(*fd, MsgValue::map({{"command", "wait"}})).ok());
  called.get_future().wait();
  served->socket.reset();  // off the loop: it waits for the handler
  auto end = read_frame(*fd);
  ::close(*fd);
  REQUIRE(end.ok());
  CHECK((*end)["exit"].as_int(-1) == 0);
}

TEST_CASE("hostile clients are refused and others are served") {
  Folder folder;
  Served served(folder.path + "/lotse.sock",
                {.connections_max = 3, .request_max = 1000, .request_time = std::chrono::milliseconds(300)});
  served.handle("ok", [](const MsgValue&, ControlReply&) { return Status(); });
  int big = *connect_unix(served.path);
  REQUIRE(send(big, "\x7f\xff\xff\xff", 4, 0) == 4);
  CHECK(read_frame(big)->operator[]("error").as_text() == "the request is too large");
  int garbage = *connect_unix(served.path);
  REQUIRE(send(garbage, std::string("\0\0\0\1\xc1", 5).data(), 5, 0) == 5);
  CHECK(read_frame(garbage)->operator[]("error").as_text() ==
        "the MessagePack message holds a byte that means nothing");
  std::vector<int> silent;
  for (int i = 0; i < 3; i++) silent.push_back(*connect_unix(served.path));
  CHECK(ask(served.path, MsgValue::map({{"command", "ok"}})).back()["error"].as_text() ==
        "too many commands run at the same time");
  for (int fd : silent) CHECK_FALSE(read_frame(fd).ok());  // closed once their time is over
  CHECK(ask(served.path, MsgValue::map({{"command", "ok"}})).back() == MsgValue::map({{"exit", 0}}));
  for (int fd : {big, garbage, silent[0], silent[1], silent[2]}) close(fd);
}

TEST_CASE("a second daemon is refused, a socket left behind is replaced, a deep directory works") {
  Folder folder;
  std::string deep = folder.path + "/" + std::string(100, 'a') + "/" + std::string(100, 'b');
  REQUIRE(make_dirs(deep).ok());
  std::string path = deep + "/lotse.sock";
  int left = *listen_unix(path, 1);
  close(left);
  {
    Served first(path);
    REQUIRE(first.status.ok());
    Served second(path);
    CHECK(second.status.message == "another lotsed serves " + path + " already");
    first.handle("ok", [](const MsgValue&, ControlReply&) { return Status(); });
    CHECK(ask(path, MsgValue::map({{"command", "ok"}})).back() == MsgValue::map({{"exit", 0}}));
  }
  CHECK(connect_unix(path).status().reason == Reason::kNotFound);
}

TEST_CASE("a handler sees that its client has gone or that the daemon ends") {
  Folder folder;
  std::promise<void> entered, left;
  {
    Served served(folder.path + "/lotse.sock");
    served.handle("wait", [&](const MsgValue&, ControlReply& reply) {
      entered.set_value();
      while (!reply.gone()) std::this_thread::yield();
      left.set_value();
      return Status();
    });
    int fd = *connect_unix(served.path);
    REQUIRE(write_frame(fd, MsgValue::map({{"command", "wait"}})).ok());
    entered.get_future().wait();
    close(fd);
    left.get_future().wait();
    entered = {}, left = {};
    fd = *connect_unix(served.path);
    REQUIRE(write_frame(fd, MsgValue::map({{"command", "wait"}})).ok());
    entered.get_future().wait();
    served.on_loop([&] { served.socket.reset(); });
    left.get_future().wait();
    close(fd);
  }
}
