#include "plugins/container_engine/tar_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <vector>

#include "lotse/error.hpp"

namespace lotse::container_engine {
namespace {

constexpr uint64_t kBlock = 512;
constexpr size_t kEntriesMax = 65536;
constexpr uint64_t kExtensionMax = 64 << 10;
constexpr size_t kNameMax = 4096;
constexpr int kLinksMax = 8;
constexpr size_t kPiece = 1 << 20;

[[noreturn]] void refuse(const std::string& why) {
  throw sdk::Failure(LOTSE_INVALID, "not a usable tar file: " + why);
}

std::string field_text(const char* field, size_t size) {
  return {field, strnlen(field, size)};
}

// Octal digits, or, with the top bit set, a big-endian number.
uint64_t field_number(const char* field, size_t size) {
  if (static_cast<uint8_t>(field[0]) == 0x80) {
    uint64_t value = 0;
    for (size_t i = 1; i < size; i++) {
      if (value >> 56 != 0) refuse("a number is too large");
      value = value << 8 | static_cast<uint8_t>(field[i]);
    }
    return value;
  }
  uint64_t value = 0;
  for (size_t i = 0; i < size && field[i] != '\0'; i++) {
    if (field[i] == ' ') continue;
    if (field[i] < '0' || field[i] > '7') refuse("a number is not octal");
    value = value << 3 | static_cast<uint64_t>(field[i] - '0');
  }
  return value;
}

}  // namespace

struct TarIndex::Header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8];
  char user[32], group[32], major[8], minor[8], prefix[155], padding[12];

  bool is_empty() const {
    const char* bytes = name;
    for (size_t i = 0; i < kBlock; i++) {
      if (bytes[i] != 0) return false;
    }
    return true;
  }
  bool checksum_holds() const {
    const auto* bytes = reinterpret_cast<const uint8_t*>(this);
    size_t from = offsetof(Header, checksum), to = from + sizeof checksum;
    uint64_t sum = 0;
    for (size_t i = 0; i < kBlock; i++) sum += i >= from && i < to ? ' ' : bytes[i];
    return sum == field_number(checksum, sizeof checksum);
  }
  std::string full_name() const {
    std::string base = field_text(name, sizeof name);
    std::string before = memcmp(magic, "ustar\0", 6) == 0 ? field_text(prefix, sizeof prefix) : "";
    return before.empty() ? base : before + "/" + base;
  }
};

bool normal_path(std::string_view path, std::string* out) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    size_t end = std::min(path.find('/'), path.size());
    std::string_view part = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (parts.empty()) {
      return false;
    } else {
      parts.pop_back();
    }
  }
  std::string normal;  // `path` may be a view of *out
  for (auto part : parts) normal += (normal.empty() ? "" : "/") + std::string(part);
  *out = std::move(normal);
  return true;
}

TarIndex::TarIndex(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {
  struct stat facts {};
  if (fd_ < 0) throw sdk::Failure(LOTSE_NOT_FOUND, "cannot open " + path + ": " + strerror(errno));
  try {
    if (fstat(fd_, &facts) != 0 || !S_ISREG(facts.st_mode)) refuse(path + " is not a regular file");
    file_size_ = static_cast<uint64_t>(facts.st_size);
    scan();
  } catch (...) {
    close(fd_);
    throw;
  }
}

TarIndex::~TarIndex() {
  close(fd_);
}

void TarIndex::read_at(uint64_t offset, char* out, size_t size) const {
  while (size > 0) {
    ssize_t n = pread(fd_, out, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw sdk::Failure(LOTSE_UNAVAILABLE, std::string("cannot read the archive: ") + strerror(errno));
    if (n == 0) refuse("it ends in the middle of an entry");
    out += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<size_t>(n);
  }
}

void TarIndex::scan() {
  char magic[4] = {};
  if (file_size_ >= sizeof magic) read_at(0, magic, sizeof magic);
  if (memcmp(magic, "\x1f\x8b", 2) == 0) refuse("it is compressed as a whole; gunzip it first");
  static_assert(sizeof(Header) == kBlock);
  Header header;
  Pending pending;
  for (uint64_t at = 0; at + kBlock <= file_size_;) {
    read_at(at, reinterpret_cast<char*>(&header), kBlock);
    at += kBlock;
    if (header.is_empty()) return;
    if (!header.checksum_holds()) refuse("the checksum of a header is wrong");
    bool extension = header.type == 'x' || header.type == 'g' || header.type == 'L' || header.type == 'K';
    uint64_t size = !extension && pending.has_size ? pending.size : field_number(header.size, sizeof header.size);
    bool has_data = header.type != '1' && header.type != '2' && header.type != '5';
    if (!has_data) size = 0;
    if (size > file_size_ - at) refuse("an entry is larger than the file");
    if (extension && size > kExtensionMax) refuse("an extended header is too large");
    if (extension) {
      std::string text(size, '\0');
      read_at(at, text.data(), size);
      if (header.type == 'L') pending.name = text.substr(0, text.find('\0'));
      if (header.type == 'K') pending.link = text.substr(0, text.find('\0'));
      if (header.type == 'x') take_pax(text, &pending);
    } else {
      std::string name = pending.name.empty() ? header.full_name() : pending.name;
      std::string link = pending.link.empty() ? field_text(header.link, sizeof header.link) : pending.link;
      std::string wanted;
      if (name.size() > kNameMax || link.size() > kNameMax) refuse("a name is too long");
      if (!normal_path(name, &wanted)) refuse("a name leads out of the archive: " + name);
      if (header.type == '0' || header.type == '\0') add(wanted, {at, size, ""});
      if (header.type == '1' && normal_path(link, &link)) add(wanted, {0, 0, link});
      if (header.type == '2') {
        std::string target =
            wanted.substr(0, wanted.rfind('/') == std::string::npos ? 0 : wanted.rfind('/')) + "/" + link;
        if (link.empty() || link[0] == '/' || !normal_path(target, &link)) refuse("a link leads out of the archive");
        add(wanted, {0, 0, link});
      }
      pending = {};
    }
    at += (size + kBlock - 1) / kBlock * kBlock;
  }
}

// "LENGTH KEY=VALUE\n" each.
void TarIndex::take_pax(const std::string& records, Pending* pending) {
  std::string_view left = records;
  while (!left.empty() && left[0] != '\0') {
    size_t length = 0;
    auto [end, error] = std::from_chars(left.data(), left.data() + left.size(), length);
    size_t digits = static_cast<size_t>(end - left.data());
    if (error != std::errc() || length > left.size() || length < digits + 3 || left[digits] != ' ' ||
        left[length - 1] != '\n') {
      refuse("an extended header cannot be read");
    }
    std::string_view record = left.substr(digits + 1, length - digits - 2);
    left.remove_prefix(length);
    size_t equals = record.find('=');
    if (equals == std::string_view::npos) refuse("an extended header cannot be read");
    std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (value.find('\0') != std::string_view::npos) refuse("an extended header holds a NUL");
    if (key == "path") pending->name = value;
    if (key == "linkpath") pending->link = value;
    if (key == "size") {
      auto parsed = std::from_chars(value.data(), value.data() + value.size(), pending->size);
      if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size()) refuse("a size is not a number");
      pending->has_size = true;
    }
  }
}

void TarIndex::add(const std::string& name, Entry entry) {
  if (entries_.size() >= kEntriesMax) refuse("it has too many entries");
  if (!entries_.emplace(name, std::move(entry)).second) refuse("it names an entry twice: " + name);
}

const TarIndex::Entry* TarIndex::find(std::string_view name) const {
  for (int links = 0; links < kLinksMax; links++) {
    auto it = entries_.find(name);
    if (it == entries_.end()) return nullptr;
    if (it->second.link.empty()) return &it->second;
    name = it->second.link;
  }
  refuse("its links go in a circle");
}

std::string TarIndex::read(std::string_view name, uint64_t size_max) const {
  const Entry* entry = find(name);
  if (entry == nullptr) throw sdk::Failure(LOTSE_INVALID, "the archive lacks " + std::string(name));
  if (entry->size > size_max)
    throw sdk::Failure(LOTSE_INVALID, "in the archive, " + std::string(name) + " is too large");
  return read(*entry, 0, entry->size);
}

std::string TarIndex::read(const Entry& entry, uint64_t from, size_t size) const {
  std::string out(static_cast<size_t>(std::min<uint64_t>(size, entry.size - std::min(from, entry.size))), '\0');
  read_at(entry.offset + from, out.data(), out.size());
  return out;
}

void TarIndex::each_piece(const Entry& entry, const std::function<void(std::string_view)>& take) const {
  for (uint64_t at = 0; at < entry.size; at += kPiece) take(read(entry, at, kPiece));
}

}  // namespace lotse::container_engine
