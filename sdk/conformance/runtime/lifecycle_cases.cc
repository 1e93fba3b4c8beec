// Sandboxes and containers from creation to removal.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "sdk/conformance/runtime/cases.h"

namespace lotse::conformance {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
using Table = lotse_runtime;

Msg id_map(const std::string& id) {
  return Msg::map({{"id", id}});
}

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void until_file_has(const std::string& path, const std::string& text) {
  for (int i = 0; i < 200; i++) {
    if (file_text(path).find(text) != std::string::npos) return;
    usleep(50'000);
  }
  throw Wrong{path + " never held \"" + text + "\" but \"" + file_text(path) + "\""};
}

size_t listed(RuntimeBed& bed, lotse_message_fn Table::*list, const Msg& request) {
  return bed.must(list, request)["items"].items().size();
}

void tells_about_itself(RuntimeBed& bed) {
  Msg info = bed.must(&Table::info, Msg::map());
  require(!info["name"].as_text().empty(), "info names no runtime");
  auto network = info["network"].as_text();
  require(network == "own" || network == "given" || network == "none",
          "info's network is \"" + std::string(network) + "\"");
  require(info["ready"].as_bool(), "the runtime is not ready: " + info["message"].str());
}

void done_ten_times(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("ten");
  Msg wanted = bed.container_request(sandbox, "main", {"sh", "-c", "exec sleep 1000"});
  std::string id = bed.container(wanted);
  for (int i = 0; i < 9; i++) {
    require(bed.must(&Table::sandbox_run, bed.sandbox_request("ten"))["id"].as_text() == sandbox,
            "sandbox_run made another");
    require(bed.must(&Table::container_create, wanted)["id"].as_text() == id, "container_create made another");
  }
  for (int i = 0; i < 10; i++) bed.must(&Table::container_start, id_map(id));
  Msg running = bed.until(id, "running");
  for (int i = 0; i < 3; i++) bed.must(&Table::container_start, id_map(id));
  require(bed.status(id)["started"].as_int() == running["started"].as_int(), "container_start started it anew");
  for (int i = 0; i < 10; i++) bed.must(&Table::container_stop, Msg::map({{"id", id}, {"timeout_ns", 0}}));
  require(bed.status(id)["state"].as_text() == "exited", "a stopped container is not exited");
  for (int i = 0; i < 10; i++) bed.must(&Table::container_remove, id_map(id));
  for (int i = 0; i < 10; i++) bed.must(&Table::sandbox_stop, id_map(sandbox));
  require(bed.must(&Table::sandbox_status, id_map(sandbox))["state"].as_text() == "notready",
          "a stopped sandbox is ready");
  for (int i = 0; i < 10; i++) bed.must(&Table::sandbox_remove, id_map(sandbox));
}

void says_what_it_was_told(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("facts");
  Msg s = bed.must(&Table::sandbox_status, id_map(sandbox));
  require(
      s["uid"].as_text() == "uid-facts" && s["namespace"].as_text() == "lotse-check" && s["name"].as_text() == "facts",
      "the sandbox's metadata differs");
  require(s["labels"]["app"].as_text() == "check" && s["labels"].members().size() == 1, "the sandbox's labels differ");
  require(s["annotations"]["note"].as_text() == "kept" && s["annotations"].members().size() == 1,
          "its annotations differ");
  require(s["created"].as_int() > 1'600'000'000 * kSecond, "the sandbox's creation time is not in ns");
  std::string id = bed.running(sandbox, "main", {"sh", "-c", "exec sleep 1000"});
  Msg c = bed.until(id, "running");
  require(c["sandbox"].as_text() == sandbox && c["name"].as_text() == "main", "the container's metadata differs");
  require(c["image"].as_text() == bed.setting().image, "the container's image is \"" + c["image"].str() + "\"");
  require(c["labels"]["tier"].as_text() == "one" && c["labels"].members().size() == 1, "the container's labels differ");
  require(c["started"].as_int() >= c["created"].as_int() && c["finished"].as_int() == 0, "its times are not in order");
}

void restart_finds_everything(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("again");
  std::string id = bed.running(sandbox, "main", {"sh", "-c", "exec sleep 1000"});
  Msg before = bed.until(id, "running");
  bed.restart();
  Msg after = bed.status(id);
  require(after["state"].as_text() == "running", "after a restart the container is " + after["state"].str());
  require(after["started"].as_int() == before["started"].as_int(), "after a restart its start differs");
  require(bed.must(&Table::sandbox_run, bed.sandbox_request("again"))["id"].as_text() == sandbox,
          "after a restart it is made again");
  require(listed(bed, &Table::sandbox_list, Msg::map({{"uid", "uid-again"}})) == 1,
          "after a restart the sandbox is not listed");
  require(listed(bed, &Table::container_list, Msg::map({{"sandbox", sandbox}})) == 1,
          "after a restart the container is not listed");
}

void exit_codes_and_reasons(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("exits");
  Msg fine = bed.until(bed.running(sandbox, "fine", {"true"}), "exited");
  require(fine["exit_code"].as_int() == 0 && fine["reason"].as_text() == "Completed",
          "true ended as " + fine["reason"].str());
  Msg bad = bed.until(bed.running(sandbox, "bad", {"sh", "-c", "exit 7"}), "exited");
  require(bad["exit_code"].as_int() == 7 && bad["reason"].as_text() == "Error",
          "exit 7 ended as " + bad["reason"].str());
  require(bad["finished"].as_int() >= bad["started"].as_int(), "it finished before it started");
  Answer none = bed.ask(&Table::container_start,
                        id_map(bed.container(bed.container_request(sandbox, "none", {"/no/such/program"}))));
  require(!none.ok() && none.text.find("/no/such/program") != std::string::npos,
          "a missing program is not named: " + none.text);
}

void stop_signals(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("signals");
  const std::string script = "trap 'exit 3' TERM; trap 'exit 4' USR1; echo up; while true; do sleep 0.1; done";
  std::string id = bed.running(sandbox, "polite", {"sh", "-c", script});
  until_file_has(bed.log_path("polite"), "up");
  bed.must(&Table::container_stop, Msg::map({{"id", id}, {"timeout_ns", 20 * kSecond}}));
  require(bed.status(id)["exit_code"].as_int() == 3, "TERM did not reach it first");
  Msg wanted = bed.container_request(sandbox, "usr1", {"sh", "-c", script});
  wanted.set("stop_signal", "SIGUSR1");
  id = bed.container(wanted);
  bed.must(&Table::container_start, id_map(id));
  until_file_has(bed.log_path("usr1"), "up");
  bed.must(&Table::container_stop, Msg::map({{"id", id}, {"timeout_ns", 20 * kSecond}}));
  require(bed.status(id)["exit_code"].as_int() == 4, "its own stop signal did not reach it");
  id = bed.running(sandbox, "deaf", {"sh", "-c", "trap '' TERM; echo up; while true; do sleep 0.1; done"});
  until_file_has(bed.log_path("deaf"), "up");
  bed.must(&Table::container_stop, Msg::map({{"id", id}, {"timeout_ns", 1 * kSecond}}));
  require(bed.status(id)["exit_code"].as_int() == 137, "it was not killed after the timeout");
}

void logs_in_cri_format(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("logs");
  std::string id = bed.running(
      sandbox, "writer",
      {"sh", "-c",
       "echo out; echo err >&2; printf half; read x < /etc/never; while true; do sleep 0.2; echo more; done"});
  std::string path = bed.log_path("writer");
  until_file_has(path, "more");
  std::istringstream lines(file_text(path));
  std::string time, stream, tag, rest;
  bool out = false, err = false;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    fields >> time >> stream >> tag;
    std::getline(fields, rest);
    require(
        time.size() > 20 && time[10] == 'T' && (stream == "stdout" || stream == "stderr") && (tag == "F" || tag == "P"),
        "a line of the log is not in CRI's form: " + line);
    out |= stream == "stdout" && rest == " out";
    err |= stream == "stderr" && rest == " err";
  }
  require(out && err, "the log lacks a line");
  std::string old = path + ".old";
  require(rename(path.c_str(), old.c_str()) == 0, "the log file is not where it should be");
  bed.must(&Table::container_reopen_log, id_map(id));
  until_file_has(path, "more");
}

void out_of_memory(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("oom");
  Msg wanted = bed.container_request(sandbox, "eater", {"sh", "-c", "sleep 0.3; tail /dev/zero"});
  wanted.set("resources", Msg::map({{"memory_bytes", 16 << 20}}));
  std::string id = bed.container(wanted);
  bed.must(&Table::container_start, id_map(id));
  Msg ended = bed.until(id, "exited");
  require(ended["reason"].as_text() == "OOMKilled" && ended["exit_code"].as_int() == 137,
          "it ended as " + ended["reason"].str() + " with " + std::to_string(ended["exit_code"].as_int()));
}

void limits_while_it_runs(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("limits");
  Msg wanted = bed.container_request(sandbox, "main", {"sh", "-c", "exec sleep 1000"});
  wanted.set("resources", Msg::map({{"memory_bytes", 64 << 20}, {"cpu_shares", 256}}));
  std::string id = bed.container(wanted);
  bed.must(&Table::container_start, id_map(id));
  const char* show = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";
  auto limit = [&] {
    return bed
        .must(&Table::exec_sync,
              Msg::map(
                  {{"id", id}, {"command", Msg::strings({"sh", "-c", show})}, {"timeout_ns", 20 * kSecond}}))["stdout"]
        .str();
  };
  require(limit() == "67108864\n", "the memory limit is " + limit());
  bed.must(&Table::container_update,
           Msg::map({{"id", id}, {"resources", Msg::map({{"memory_bytes", 96 << 20}, {"cpu_shares", 512}})}}));
  require(limit() == "100663296\n", "the new memory limit is " + limit());
}

void stats_of_it(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("stats");
  std::string id = bed.running(sandbox, "busy", {"sh", "-c", "while true; do :; done"});
  int64_t first = -1;
  for (int i = 0; i < 100; i++) {
    Msg items = bed.must(&Table::container_stats, Msg::map({{"sandbox", sandbox}}))["items"];
    require(items.items().size() <= 1, "there are stats of more than it");
    if (items.items().size() == 1) {
      const Msg& one = items.items()[0];
      require(one["id"].as_text() == id && one["sandbox"].as_text() == sandbox, "the stats are of another");
      if (first < 0) first = one["cpu_ns"].as_int();
      if (one["cpu_ns"].as_int() > first && one["memory_bytes"].as_int() > 0) return;
    }
    usleep(50'000);
  }
  throw Wrong{"a busy container's CPU time does not grow"};
}

void removal_leaves_nothing(RuntimeBed& bed) {
  std::string sandbox = bed.sandbox("gone");
  std::string id = bed.running(sandbox, "main", {"sh", "-c", "exec sleep 1000"});
  int64_t pid = bed.until(id, "running")["pid"].as_int();
  bed.must(&Table::sandbox_stop, id_map(sandbox));
  require(bed.status(id)["state"].as_text() == "exited", "sandbox_stop left a container running");
  bed.must(&Table::sandbox_remove, id_map(sandbox));
  require(listed(bed, &Table::sandbox_list, Msg::map({{"uid", "uid-gone"}})) == 0, "the sandbox is still listed");
  require(listed(bed, &Table::container_list, Msg::map({{"sandbox", sandbox}})) == 0, "the container is still listed");
  require(bed.ask(&Table::container_status, id_map(id)).code == LOTSE_NOT_FOUND, "the container still has a status");
  require(bed.ask(&Table::sandbox_status, id_map(sandbox)).code == LOTSE_NOT_FOUND, "the sandbox still has a status");
  struct stat facts;
  if (pid > 1 && bed.setting().processes)
    require(stat(("/proc/" + std::to_string(pid)).c_str(), &facts) != 0, "its process lives");
}

}  // namespace

std::vector<RuntimeCase> lifecycle_cases() {
  return {{"info", "tells about itself", false, tells_about_itself},
          {"ten-times", "done ten times has the effect of done once", false, done_ten_times},
          {"facts", "says of things what it was told", false, says_what_it_was_told},
          {"restart", "finds everything after a restart", true, restart_finds_everything},
          {"exit-codes", "tells how a container ended", true, exit_codes_and_reasons},
          {"stop-signals", "stops with the right signal, and kills after the timeout", true, stop_signals},
          {"logs", "writes logs in CRI's form, and opens them anew", true, logs_in_cri_format},
          {"oom", "tells that a container ran out of memory", true, out_of_memory},
          {"limits", "sets limits, also while it runs", true, limits_while_it_runs},
          {"stats", "measures", true, stats_of_it},
          {"removal", "leaves nothing behind", false, removal_leaves_nothing}};
}

}  // namespace lotse::conformance
