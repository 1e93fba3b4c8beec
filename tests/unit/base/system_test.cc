#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/base/process.h"

using namespace lotse;
namespace fs = std::filesystem;

namespace {
struct Folder {
  std::string path = fs::temp_directory_path() / ("lotse-base-" + make_suffix(8));
  Folder() { REQUIRE(make_dirs(path).ok()); }
  ~Folder() { fs::remove_all(path); }
};
}  // namespace

TEST_CASE("a file is written whole, with its mode, and nothing else stays behind") {
  Folder folder;
  std::string path = folder.path + "/a/b/c.txt";
  CHECK(write_file_atomically(path, "x").reason == Reason::kNotFound);
  REQUIRE(make_dirs(folder.path + "/a/b", 0700).ok());
  REQUIRE(make_dirs(folder.path + "/a/b", 0700).ok());
  REQUIRE(write_file_atomically(path, "one", 0640).ok());
  REQUIRE(write_file_atomically(path, "two", 0600).ok());
  CHECK(*read_file(path) == "two");
  struct stat facts;
  REQUIRE(stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK(std::distance(fs::directory_iterator(folder.path + "/a/b"), {}) == 1);
  CHECK_FALSE(make_dirs(path + "/d").ok());
  CHECK(remove_file(path).ok());
  CHECK(remove_file(path).ok());
  CHECK(read_file(path).status().reason == Reason::kNotFound);
  CHECK(read_file(path).status().message == "open " + path + ": No such file or directory");
}

TEST_CASE("a file that is larger than allowed is refused") {
  Folder folder;
  std::string path = folder.path + "/f";
  REQUIRE(write_file_atomically(path, std::string(10000, 'x')).ok());
  CHECK(read_file(path, 10000)->size() == 10000);
  CHECK(read_file(path, 9999).status().reason == Reason::kRequestEntityTooLarge);
  CHECK(read_file("/proc/self/status").ok());
  CHECK_FALSE(read_file(folder.path).ok());
}

TEST_CASE("a program gets its arguments and input as they are") {
  auto end = run_program({.args = {"printf", "%s|", "a b", "$HOME", "'"}, .env = {}, .directory = {}, .input = {}});
  REQUIRE(end.ok());
  CHECK(end->out == "a b|$HOME|'|");
  std::string big(300'000, 'x');
  end = run_program({.args = {"cat"}, .env = {}, .directory = {}, .input = big});
  REQUIRE(end.ok());
  CHECK(end->out == big);
  end =
      run_program({.args = {"sh", "-c", "pwd; echo $K >&2; exit 3"}, .env = {{"K=v"}}, .directory = "/", .input = {}});
  REQUIRE(end.ok());
  CHECK(end->out == "/\n");
  CHECK(end->err == "v\n");
  CHECK(end->exit_code == 3);
}

TEST_CASE("output beyond the limit is dropped, and a program that hangs is killed with its children") {
  auto end = run_program({.args = {"head", "-c", "100000", "/dev/zero"}, .env = {}, .directory = {}, .input = {}},
                         {.output_max = 10});
  REQUIRE(end.ok());
  CHECK(end->out.size() == 10);
  CHECK(end->cut);
  end = run_program({.args = {"sh", "-c", "sleep 600 & sleep 600"}, .env = {}, .directory = {}, .input = {}},
                    {.time = std::chrono::milliseconds(50)});
  CHECK(end.status().reason == Reason::kTimeout);
}

TEST_CASE("a program that is not there or fails is a sentence") {
  CHECK(run_program({.args = {"/no/such"}, .env = {}, .directory = {}, .input = {}}).status().message ==
        "start /no/such: No such file or directory");
  auto text =
      run_program_ok({.args = {"sh", "-c", "echo broken >&2; exit 2"}, .env = {}, .directory = {}, .input = {}});
  CHECK(text.status().message == "sh ended with exit code 2: broken");
}

TEST_CASE("a program may be started in a session of its own with a log") {
  Folder folder;
  auto pid = start_program({.args = {"sh", "-c", "ps -o sid= -p $$; echo $$"}, .env = {}, .directory = {}, .input = {}},
                           folder.path + "/log");
  REQUIRE(pid.ok());
  std::optional<int> code;
  while (!(code = reap_program(*pid))) std::this_thread::yield();
  CHECK(*code == 0);
  std::string log = *read_file(folder.path + "/log");
  CHECK(log.find(std::to_string(*pid)) != log.rfind(std::to_string(*pid)));
}
