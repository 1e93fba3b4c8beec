// lotse-plugin-check: how a suite looks.
//
// A suite is a folder with a plugin kind's name; its files register cases, each a sentence of the kind's contract:
//
//   LOTSE_CHECK(state, "commit.delete-absent", "a delete of a key that does not exist is OK and makes no revision") {
//     ...
//     expect(outcome.code == LOTSE_OK, "code is " + std::to_string(outcome.code));
//   }
//
// Ids are stable: scripts name them. Every case runs in a process of its own with a time limit and an empty data
// directory. A case that returns has succeeded; expect() and fail() end it, skip() too, with a reason; warn() does not.
#pragma once

#include <lotse/abi/entry.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace lotse::check {

class CheckHost;

// What a case is run with.
struct Subject {
  const lotse_plugin* plugin = nullptr;
  const lotse_factory* factory = nullptr;  // of the suite's kind
  CheckHost* host = nullptr;
  std::string config;  // MessagePack, as create() takes it
  std::string path;    // of the plugin
  uint64_t seed = 0;
};

struct Case {
  std::string kind;      // "state"
  std::string id;        // "commit.guards": shown as state.commit.guards
  std::string sentence;  // what must be true
  std::function<void(const Subject&)> run;
  int seconds_max = 60;
  std::function<void()> before;  // in the case's process, before it has any thread but the first
};
std::vector<Case>& cases();

struct Failed {
  std::string why;
};
struct Skipped {
  std::string why;
};
[[noreturn]] void fail(const std::string& why);
[[noreturn]] void skip(const std::string& why);
void warn(const std::string& what);
inline void expect(bool holds, const std::string& why) {
  if (!holds) fail(why);
}
template <class A, class B>
void expect_equal(const A& is, const B& should, const std::string& what) {
  if (!(is == should)) fail(what + " is " + std::to_string(is) + " and should be " + std::to_string(should));
}
inline void expect_text(std::string_view is, std::string_view should, const std::string& what) {
  if (is != should)
    fail(what + " is '" + std::string(is.substr(0, 80)) + "' and should be '" + std::string(should.substr(0, 80)) +
         "'");
}

// Runs an instance of the subject's factory; ends the case with the plugin's sentence if there is none.
const lotse_instance* create(const Subject& subject);
// The same in a lotse-plugin-host; skips the case where that program is not beside this one.
const lotse_instance* create_apart(const Subject& subject, const char* kind);

struct Registration {
  Registration(const char* kind, const char* id, const char* sentence, std::function<void(const Subject&)> run) {
    cases().push_back({kind, id, sentence, std::move(run)});
  }
};

}  // namespace lotse::check

#define LOTSE_CHECK_JOIN2(a, b) a##b
#define LOTSE_CHECK_JOIN(a, b) LOTSE_CHECK_JOIN2(a, b)
#define LOTSE_CHECK_(KIND, ID, SENTENCE, FN)                                                    \
  static void FN([[maybe_unused]] const ::lotse::check::Subject& subject);                      \
  static const ::lotse::check::Registration LOTSE_CHECK_JOIN(FN, _at)(#KIND, ID, SENTENCE, FN); \
  static void FN([[maybe_unused]] const ::lotse::check::Subject& subject)
#define LOTSE_CHECK(KIND, ID, SENTENCE) LOTSE_CHECK_(KIND, ID, SENTENCE, LOTSE_CHECK_JOIN(lotse_check_, __LINE__))
