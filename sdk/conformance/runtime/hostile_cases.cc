// Requests that make no sense must be refused in a sentence, and change nothing.
#include "sdk/conformance/runtime/cases.h"

namespace lotse::conformance {
namespace {

using Table = lotse_runtime;
struct Named {
  const char* name;
  lotse_message_fn Table::*function;
};
constexpr Named kNeedKeys[] = {{"sandbox_run", &Table::sandbox_run},
                               {"sandbox_stop", &Table::sandbox_stop},
                               {"sandbox_remove", &Table::sandbox_remove},
                               {"sandbox_status", &Table::sandbox_status},
                               {"container_create", &Table::container_create},
                               {"container_start", &Table::container_start},
                               {"container_stop", &Table::container_stop},
                               {"container_remove", &Table::container_remove},
                               {"container_status", &Table::container_status},
                               {"container_update", &Table::container_update},
                               {"container_reopen_log", &Table::container_reopen_log},
                               {"exec_sync", &Table::exec_sync},
                               {"image_import", &Table::image_import},
                               {"image_status", &Table::image_status},
                               {"image_remove", &Table::image_remove}};

void refuses_nonsense(RuntimeBed& bed) {
  std::string deep(100'000, '\x91');
  Msg wrong_types = Msg::map();
  for (const char* key :
       {"id", "uid", "sandbox", "image", "path", "name", "namespace", "command", "timeout_ns", "attempt"}) {
    wrong_types.set(key, Msg::map({{"a", Msg::array({1, 2})}}));
  }
  const std::pair<const char*, std::string> requests[] = {
      {"no bytes of MessagePack", std::string("\xc1\xc1\xc1")},
      {"half a map", std::string("\x82\xa2id")},
      {"an announced length of 4 GiB", std::string("\xdf\xff\xff\xff\xff")},
      {"100,000 levels", deep},
      {"an array", Msg::array({1}).encode()},
      {"a number", Msg(7).encode()},
      {"an empty map", Msg::map().encode()},
      {"values of other types", wrong_types.encode()}};
  for (auto& function : kNeedKeys) {
    for (auto& [what, bytes] : requests) {
      Answer answer = call(bed.runtime(), bed.runtime()->*function.function, bytes);
      require(answer.code == LOTSE_INVALID, std::string(function.name) + " answered " + what + " with code " +
                                                std::to_string(answer.code) + " " + answer.text);
      require(!answer.text.empty(), std::string(function.name) + " refused " + what + " without a sentence");
    }
  }
}

void refuses_to_open_nonsense(RuntimeBed& bed) {
  for (auto open :
       {bed.runtime()->exec, bed.runtime()->attach, bed.runtime()->port_forward, bed.runtime()->image_pull}) {
    for (const Msg& request :
         {Msg::map(), Msg::map({{"id", 7}, {"sandbox", 7}, {"image", 7}, {"port", "x"}}), Msg(1)}) {
      Stream stream(bed.runtime(), open, request);
      int32_t code = stream.opened() == LOTSE_OK ? stream.end().code : stream.opened();
      require(code == LOTSE_INVALID, "a stream was opened by nonsense: " + std::to_string(code));
    }
  }
}

void what_is_not_there(RuntimeBed& bed) {
  Msg none = Msg::map({{"id", "0123456789abcdef"}, {"timeout_ns", 0}});
  for (auto function :
       {&Table::sandbox_stop, &Table::sandbox_remove, &Table::container_stop, &Table::container_remove}) {
    require(bed.ask(function, none).ok(), "stopping or removing what is not there is not fine");
  }
  for (auto function : {&Table::sandbox_status, &Table::container_status, &Table::container_start}) {
    int32_t code = bed.ask(function, none).code;
    require(code == LOTSE_NOT_FOUND, "asking for what is not there ended with code " + std::to_string(code));
  }
}

void odd_names(RuntimeBed& bed) {
  for (const char* id : {"../../etc/passwd", "a\nb", "-x", "a/b", " ", "\xff\xfe"}) {
    require(!bed.ask(&Table::container_status, Msg::map({{"id", id}})).ok(), "an odd id has a status");
    require(!bed.ask(&Table::container_start, Msg::map({{"id", id}})).ok(), "an odd id was started");
  }
  Msg nul = Msg::map({{"id", std::string("a\0b", 3)}});
  require(bed.ask(&Table::container_status, nul).code == LOTSE_INVALID, "an id with a NUL was taken");
}

}  // namespace

std::vector<RuntimeCase> hostile_cases() {
  return {{"nonsense", "requests that make no sense are refused", false, refuses_nonsense},
          {"nonsense-streams", "streams are not opened by nonsense", false, refuses_to_open_nonsense},
          {"not-there", "what is not there can be stopped and removed, not asked for", false, what_is_not_there},
          {"odd-names", "odd names do no harm", false, odd_names}};
}

}  // namespace lotse::conformance
