// Any bytes as a plugin's file, and any as the text of its note: facts or a sentence.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "core/plugin/note.h"

using namespace lotse;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto check = [](const Result<plugin::Note>& note) {
    if (!note.ok() && note.status().message.empty()) std::abort();
    if (note.ok() && note->abi_major == 1 && (note->name.empty() || note->kinds.empty())) std::abort();
  };
  check(plugin::parse_note(bytes));
  int fd = ::memfd_create("plugin", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, data, size) != ssize_t(size)) std::abort();
  check(plugin::read_note(fmt::format("/proc/self/fd/{}", fd)));
  ::close(fd);
  return 0;
}
