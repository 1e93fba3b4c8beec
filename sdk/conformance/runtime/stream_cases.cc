// exec, attach, port_forward and events.
#include <unistd.h>

#include "sdk/conformance/runtime/cases.h"

namespace lotse::conformance {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint64_t kMuch = 64 << 20;
using Table = lotse_runtime;

Msg exec_request(const std::string& id, const std::vector<std::string>& command, bool in, bool tty = false) {
  return Msg::map({{"id", id},
                   {"command", Msg::strings(command)},
                   {"stdin", in},
                   {"stdout", true},
                   {"stderr", !tty},
                   {"tty", tty}});
}

std::string idle(RuntimeBed& bed, const std::string& name) {
  return bed.running(bed.sandbox(name), "main", {"sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done"});
}

void exec_half_close(RuntimeBed& bed) {
  std::string id = idle(bed, "half-close");
  std::string data;
  for (int i = 0; data.size() < (1 << 20); i++) data += std::to_string(i) + "\n";
  for (int round = 0; round < 3; round++) {
    Stream stream(bed.runtime(), bed.runtime()->exec, exec_request(id, {"cat"}, true));
    require(stream.opened() == LOTSE_OK, stream.refusal());
    stream.grant(kMuch);
    stream.write_all(data);
    stream.half_close();
    Answer end = stream.end();
    require(end.ok(), "cat failed: " + end.text);
    require(end.value["exit_code"].as_int() == 0, "cat ended with " + std::to_string(end.value["exit_code"].as_int()));
    require(stream.output(LOTSE_STDOUT) == data, "of " + std::to_string(data.size()) + " bytes, " +
                                                     std::to_string(stream.output(LOTSE_STDOUT).size()) + " came back");
  }
  for (int round = 0; round < 10; round++) {  // the end of file may come before the process is there
    Stream stream(bed.runtime(), bed.runtime()->exec, exec_request(id, {"cat"}, true));
    stream.grant(kMuch);
    stream.write("short");
    stream.half_close();
    require(stream.end().ok() && stream.output(LOTSE_STDOUT) == "short", "a short input was lost");
  }
}

void exec_codes_and_channels(RuntimeBed& bed) {
  std::string id = idle(bed, "codes");
  Stream stream(bed.runtime(), bed.runtime()->exec,
                exec_request(id, {"sh", "-c", "echo $GREETING; echo wrong >&2; exit 42"}, false));
  stream.grant(kMuch);
  Answer end = stream.end();
  require(end.ok() && end.value["exit_code"].as_int() == 42, "exit 42 came as " + end.text);
  require(stream.output(LOTSE_STDOUT) == "hello\n" && stream.output(LOTSE_STDERR) == "wrong\n",
          "the channels are mixed up");
  Stream none(bed.runtime(), bed.runtime()->exec, exec_request("no-such-container", {"true"}, false));
  if (none.opened() == LOTSE_OK) none.grant(kMuch);
  int32_t code = none.opened() == LOTSE_OK ? none.end().code : none.opened();
  require(code == LOTSE_NOT_FOUND, "exec in no container ended with code " + std::to_string(code));
  Stream missing(bed.runtime(), bed.runtime()->exec, exec_request(id, {"/no/such/program"}, false));
  missing.grant(kMuch);
  require(!missing.end().ok(), "exec of no program succeeded");
}

void exec_terminal(RuntimeBed& bed) {
  std::string id = idle(bed, "terminal");
  Stream stream(bed.runtime(), bed.runtime()->exec, exec_request(id, {"sh"}, true, true));
  stream.grant(kMuch);
  Msg size = Msg::map({{"width", 123}, {"height", 45}});
  require(stream.control(LOTSE_CONTROL_RESIZE, size) == LOTSE_OK, "a terminal takes no size");
  stream.write_all("tty; echo term=$TERM\n");
  stream.wait_output(LOTSE_STDOUT, "term=xterm");
  require(stream.control(LOTSE_CONTROL_RESIZE, size) == LOTSE_OK, "a terminal takes no size");
  for (int i = 0; i < 50 && stream.output(LOTSE_STDOUT).find("45 123") == std::string::npos; i++) {
    stream.write_all("stty size\n");
    usleep(100'000);
  }
  stream.wait_output(LOTSE_STDOUT, "45 123");
  stream.write_all("exit 9\n");
  Answer end = stream.end();
  require(end.ok() && end.value["exit_code"].as_int() == 9, "the shell ended with " + end.text);
}

void exec_credit(RuntimeBed& bed) {
  std::string id = idle(bed, "credit");
  Stream stream(bed.runtime(), bed.runtime()->exec,
                exec_request(id, {"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x"}, false));
  stream.grant(1000);
  usleep(500'000);
  size_t came = stream.output(LOTSE_STDOUT).size();
  require(came > 0 && came <= 1000 + (128 << 10), "with a credit of 1000, " + std::to_string(came) + " bytes came");
  require(!stream.ended(), "it ended before all had been taken");
  stream.grant(kMuch);
  const auto end = stream.end();
  came = stream.output(LOTSE_STDOUT).size();
  require(end.ok(), "a slow reader got no good end: " + end.text);
  require(came == 1'000'000, "of 1000000 bytes a slow reader got " + std::to_string(came));
}

void exec_cancel(RuntimeBed& bed) {
  std::string id = idle(bed, "cancel");
  Stream stream(bed.runtime(), bed.runtime()->exec, exec_request(id, {"sh", "-c", "echo up; exec sleep 1000"}, true));
  stream.grant(kMuch);
  stream.wait_output(LOTSE_STDOUT, "up");
  stream.cancel();
  require(stream.end().code == LOTSE_CANCELLED, "a cancelled exec did not end as cancelled");
}

void exec_sync_rules(RuntimeBed& bed) {
  std::string id = idle(bed, "sync");
  auto sync = [&](const char* script, int64_t timeout) {
    return bed.ask(&Table::exec_sync,
                   Msg::map({{"id", id}, {"command", Msg::strings({"sh", "-c", script})}, {"timeout_ns", timeout}}));
  };
  Answer answer = sync("echo one; echo two >&2; exit 3", 20 * kSecond);
  require(answer.ok() && answer.value["exit_code"].as_int() == 3, "exit 3 came as " + answer.text);
  require(answer.value["stdout"].as_text() == "one\n" && answer.value["stderr"].as_text() == "two\n",
          "its output differs");
  answer = sync("head -c 1000000 /dev/zero | tr '\\0' x", 20 * kSecond);
  require(answer.ok() && answer.value["stdout"].as_text().size() == 16384, "long output is not cut at 16 KiB");
  answer = sync("sleep 1000 & echo left", 20 * kSecond);
  require(answer.ok() && answer.value["stdout"].as_text() == "left\n",
          "a child that holds the output open holds up the answer");
  answer = sync("echo $$ > /tmp/pid; exec sleep 1000", kSecond);
  require(answer.code == LOTSE_DEADLINE, "a timeout ended with code " + std::to_string(answer.code));
  answer = sync("for i in 1 2 3 4 5 6 7 8 9; do kill -0 $(cat /tmp/pid) 2>/dev/null || exit 0; sleep 0.2; done; exit 1",
                20 * kSecond);
  require(answer.ok() && answer.value["exit_code"].as_int() == 0, "after the timeout the process lives");
  require(sync("true", 20 * kSecond).ok() && bed.status(id)["state"].as_text() == "running", "the container suffered");
}

void attach_half_close(RuntimeBed& bed) {
  Msg wanted = bed.container_request(bed.sandbox("attach"), "cat", {"cat"});
  wanted.set("stdin", true).set("stdin_once", true);
  std::string id = bed.container(wanted);
  bed.must(&Table::container_start, Msg::map({{"id", id}}));
  Stream stream(bed.runtime(), bed.runtime()->attach,
                Msg::map({{"id", id}, {"stdin", true}, {"stdout", true}, {"stderr", true}, {"tty", false}}));
  require(stream.opened() == LOTSE_OK, stream.refusal());
  stream.grant(kMuch);
  stream.write_all("through\n");
  stream.wait_output(LOTSE_STDOUT, "through\n");
  stream.half_close();
  Answer end = stream.end();
  require(end.ok(), "attach ended with " + end.text);
  require(bed.until(id, "exited")["exit_code"].as_int() == 0, "cat did not end of itself");
}

void attach_terminal(RuntimeBed& bed) {
  Msg wanted = bed.container_request(bed.sandbox("attach-tty"), "sh", {"sh"});
  wanted.set("stdin", true).set("tty", true);
  std::string id = bed.container(wanted);
  bed.must(&Table::container_start, Msg::map({{"id", id}}));
  Stream stream(bed.runtime(), bed.runtime()->attach,
                Msg::map({{"id", id}, {"stdin", true}, {"stdout", true}, {"tty", true}}));
  stream.grant(kMuch);
  stream.control(LOTSE_CONTROL_RESIZE, Msg::map({{"width", 111}, {"height", 33}}));
  for (int i = 0; i < 50 && stream.output(LOTSE_STDOUT).find("33 111") == std::string::npos; i++) {
    stream.write_all("stty size\n");
    usleep(100'000);
  }
  stream.wait_output(LOTSE_STDOUT, "33 111");
  stream.write_all("exit 5\n");
  require(stream.end().ok() && bed.until(id, "exited")["exit_code"].as_int() == 5, "the shell did not end");
}

void port_forwarding(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("ports");
  bed.running(
      sandbox, "web",
      {"sh", "-c",
       "mkdir -p /srv; head -c 300000 /dev/zero | tr '\\0' y > /srv/page; echo up; exec httpd -f -p 8080 -h /srv"});
  Msg there = Msg::map({{"sandbox", sandbox}, {"port", 8080}});
  std::string page;
  for (int i = 0; i < 50 && page.empty(); i++) {
    Stream stream(bed.runtime(), bed.runtime()->port_forward, there);
    require(stream.opened() == LOTSE_OK, stream.refusal());
    stream.grant(kMuch);
    stream.write("GET /page HTTP/1.0\r\n\r\n");
    if (stream.end().ok()) page = stream.output(LOTSE_STDIN);
    if (page.empty()) usleep(100'000);
  }
  require(page.find("200 OK") != std::string::npos, "the page did not come: " + page.substr(0, 100));
  require(page.size() > 300'000 && page.back() == 'y', "the page came in part");
  Stream closed(bed.runtime(), bed.runtime()->port_forward, Msg::map({{"sandbox", sandbox}, {"port", 8081}}));
  closed.grant(kMuch);
  require(!closed.end().ok() && !closed.output(LOTSE_ERROR).empty(), "a closed port was not complained of");
}

void tells_events(RuntimeBed& bed) {
  Stream events(bed.runtime(), bed.runtime()->events, Msg::map());
  require(events.opened() == LOTSE_OK, events.refusal());
  events.grant(kMuch);
  std::vector<std::string> seen;
  // What runs before this may come first; a first resync says from when on nothing is lost.
  if (events.next_item()["kind"].as_text() != "resync") throw Wrong{"the first item is no resync"};
  std::string sandbox = bed.sandbox("events");
  std::string id = bed.running(sandbox, "main", {"sh", "-c", "exec sleep 1000"});
  bed.must(&Table::container_stop, Msg::map({{"id", id}, {"timeout_ns", 0}}));
  bed.must(&Table::container_remove, Msg::map({{"id", id}}));
  bed.must(&Table::sandbox_stop, Msg::map({{"id", sandbox}}));
  bed.must(&Table::sandbox_remove, Msg::map({{"id", sandbox}}));
  std::string of_container, of_sandbox;
  while (of_sandbox.find("removed") == std::string::npos) {
    Msg event = events.next_item();
    std::string what = event["event"].str() + " ";
    if (event["id"].as_text() == id) {
      require(event["kind"].as_text() == "container" && event["sandbox"].as_text() == sandbox,
              "an event is of the wrong kind");
      of_container += what;
    }
    if (event["id"].as_text() == sandbox) {
      require(event["kind"].as_text() == "sandbox", "an event is of the wrong kind");
      of_sandbox += what;
    }
  }
  require(of_container == "created started exited removed ", "the container's events were: " + of_container);
  require(of_sandbox == "created started exited removed ", "the sandbox's events were: " + of_sandbox);
}

void exit_event_is_true(RuntimeBed& bed) {
  Stream events(bed.runtime(), bed.runtime()->events, Msg::map());
  events.grant(kMuch);
  events.next_item();
  std::string sandbox = bed.sandbox("truth");
  for (int i = 0; i < 5; i++) {
    std::string id = bed.running(sandbox, "short" + std::to_string(i), {"sh", "-c", "exit 1"});
    Msg event;
    do event = events.next_item();
    while (event["id"].as_text() != id || event["event"].as_text() != "exited");
    require(bed.status(id)["state"].as_text() == "exited", "when \"exited\" came, the status said otherwise");
  }
}

}  // namespace

std::vector<RuntimeCase> stream_cases() {
  return {{"exec-half-close", "an exec's input has an end", true, exec_half_close},
          {"exec-codes", "exec tells exit codes and keeps the channels apart", true, exec_codes_and_channels},
          {"exec-terminal", "exec has terminals, which are resized", true, exec_terminal},
          {"exec-credit", "a slow reader of exec holds it up, and loses nothing", true, exec_credit},
          {"exec-cancel", "exec can be cancelled", true, exec_cancel},
          {"exec-sync", "exec_sync keeps its limits", true, exec_sync_rules},
          {"attach", "attach's input has an end", true, attach_half_close},
          {"attach-terminal", "attach has terminals", true, attach_terminal},
          {"port-forward", "port_forward reaches the pod's loopback", true, port_forwarding},
          {"events", "tells what happens, in order", false, tells_events},
          {"exit-event", "an exit that was told is in the status", true, exit_event_is_true}};
}

}  // namespace lotse::conformance
