#include "core/plugin/note.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "core/base/file.h"
#include "core/config/config.h"
#include "lotse/abi/entry.h"

namespace lotse::plugin {
namespace {

constexpr size_t kSegmentsMax = 128;
constexpr size_t kNotesMax = 64 * 1024;
constexpr size_t kLinesMax = 64;

Status wrong(std::string sentence) {
  return Status(Reason::kInvalid, std::move(sentence));
}

class File {
 public:
  explicit File(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), error_(errno) {
    struct stat facts;
    if (fd_ >= 0 && ::fstat(fd_, &facts) == 0 && S_ISREG(facts.st_mode)) size_ = uint64_t(facts.st_size);
  }
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool is_open() const { return fd_ >= 0; }
  int error() const { return error_; }
  // False: not all of it lies within the file.
  bool read(uint64_t offset, void* out, size_t size) const {
    if (offset > size_ || size > size_ - offset) return false;
    return ::pread(fd_, out, size, off_t(offset)) == ssize_t(size);
  }

 private:
  int fd_;
  int error_;
  uint64_t size_ = 0;
};

size_t round_up(size_t size) {
  return (size + 3) & ~size_t(3);
}

// The description of the note of ours in a segment of notes, or nothing. Sizes are checked before they are added.
std::optional<std::string> find_note(std::string_view notes) {
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr head;
    std::memcpy(&head, notes.data(), sizeof head);
    notes.remove_prefix(sizeof head);
    if (head.n_namesz > kNotesMax || head.n_descsz > kNotesMax) return std::nullopt;
    size_t owner_size = round_up(head.n_namesz);
    if (owner_size > notes.size() || head.n_descsz > notes.size() - owner_size) return std::nullopt;
    std::string_view owner = notes.substr(0, head.n_namesz);
    std::string_view description = notes.substr(owner_size, head.n_descsz);
    if (head.n_type == LOTSE_NOTE_TYPE && owner == std::string_view(LOTSE_NOTE_OWNER, sizeof LOTSE_NOTE_OWNER)) {
      return std::string(description);
    }
    notes.remove_prefix(std::min(notes.size(), owner_size + round_up(head.n_descsz)));
  }
  return std::nullopt;
}

Status take_line(std::string_view line, Note* note) {
  size_t equal = line.find('=');
  if (equal == std::string_view::npos) return wrong("its ELF note holds a line that is no key=value");
  std::string_view key = line.substr(0, equal), value = line.substr(equal + 1);
  for (char c : value) {
    if (uint8_t(c) < 0x20 || c == 0x7f) return wrong("its ELF note holds control characters");
  }
  if (key == "name")
    note->name = value;
  else if (key == "version")
    note->version = value;
  else if (key == "summary")
    note->summary = value;
  else if (key == "kind")
    note->kinds.emplace_back(value);
  else if (key == "requires")
    note->needs.emplace_back(value);
  else if (key == "threads") {
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), note->threads);
    if (error != std::errc() || end != value.data() + value.size() || note->threads < 0 || note->threads > 1000) {
      return wrong(fmt::format("its ELF note gives no sensible number of threads, but '{}'", value.substr(0, 40)));
    }
  }
  return {};  // other keys are of a later version
}

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 63) return false;
  for (char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) return false;
  }
  return true;
}

}  // namespace

Result<Note> parse_note(std::string_view description) {
  Note note;
  if (description.size() < 8) return wrong("its ELF note is too short for an ABI version");
  std::memcpy(&note.abi_major, description.data(), 4);
  std::memcpy(&note.abi_minor, description.data() + 4, 4);
  // Of another major only the version can be believed.
  if (note.abi_major != LOTSE_ABI_MAJOR) return note;
  std::string_view text = description.substr(8);
  while (!text.empty() && text.back() == '\0') text.remove_suffix(1);
  for (size_t lines = 0; !text.empty(); lines++) {
    if (lines == kLinesMax) return wrong("its ELF note holds too many lines");
    size_t end = std::min(text.find('\n'), text.size());
    LOTSE_CHECK_OK(take_line(text.substr(0, end), &note));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  if (!is_name(note.name)) return wrong("its ELF note holds no proper name");
  if (note.kinds.empty()) return wrong("its ELF note names no kind");
  const auto& known = config::plugin_kinds();
  for (const std::string& kind : note.kinds) {
    if (std::find(known.begin(), known.end(), kind) == known.end()) {
      return wrong(fmt::format("its ELF note names the unknown kind '{}'", kind.substr(0, 40)));
    }
  }
  return note;
}

Result<Note> read_note(const std::string& path) {
  File file(path);
  if (!file.is_open()) return errno_status("open", path, file.error());
  Elf64_Ehdr elf;
  if (!file.read(0, &elf, sizeof elf) || std::memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0)
    return wrong("it is no ELF file");
  if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB || elf.e_type != ET_DYN) {
    return wrong("it is no shared object for this machine");
  }
  if (elf.e_phentsize != sizeof(Elf64_Phdr) || elf.e_phnum > kSegmentsMax) return wrong("its ELF header is damaged");
  for (size_t i = 0; i < elf.e_phnum; i++) {
    Elf64_Phdr segment;
    if (elf.e_phoff > UINT64_MAX / 2 || !file.read(elf.e_phoff + i * sizeof segment, &segment, sizeof segment)) {
      return wrong("its ELF header is damaged");
    }
    if (segment.p_type != PT_NOTE || segment.p_filesz > kNotesMax) continue;
    std::string notes(size_t(segment.p_filesz), '\0');
    if (!file.read(segment.p_offset, notes.data(), notes.size())) return wrong("its ELF notes lie outside of the file");
    if (auto description = find_note(notes)) return parse_note(*description);
  }
  return wrong("it has no Lotse note, so it is no plugin of Lotse");
}

std::string version_problem(uint32_t abi_major, uint32_t abi_minor) {
  if (abi_major != LOTSE_ABI_MAJOR) {
    return fmt::format(
        "it speaks plugin ABI {}.{}, but lotse {} speaks ABI {}.{}: another major version cannot be loaded", abi_major,
        abi_minor, LOTSE_VERSION, LOTSE_ABI_MAJOR, LOTSE_ABI_MINOR);
  }
  if (abi_minor > LOTSE_ABI_MINOR) {
    return fmt::format("it needs plugin ABI {}.{}, but lotse {} offers ABI {}.{} only: it takes a newer lotse",
                       abi_major, abi_minor, LOTSE_VERSION, LOTSE_ABI_MAJOR, LOTSE_ABI_MINOR);
  }
  return "";
}

}  // namespace lotse::plugin
