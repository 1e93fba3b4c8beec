// The table of contents of a tar file that somebody handed us. Nothing is unpacked: entries are found by name and read
// from the file where they lie. Whatever is not a well-formed archive of a reasonable size of contents is refused with
// LOTSE_INVALID.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace lotse::container_engine {

class TarIndex {
 public:
  struct Entry {
    uint64_t offset = 0;
    uint64_t size = 0;
    std::string link;  // not empty: another entry's name
  };

  explicit TarIndex(const std::string& path);  // throws sdk::Failure
  ~TarIndex();
  TarIndex(const TarIndex&) = delete;
  TarIndex& operator=(const TarIndex&) = delete;

  // The file of that name, through links; null: there is none.
  const Entry* find(std::string_view name) const;
  // A small file whole. LOTSE_INVALID if it is missing or larger than that.
  std::string read(std::string_view name, uint64_t size_max) const;
  std::string read(const Entry& entry, uint64_t from, size_t size) const;
  // All of an entry in pieces.
  void each_piece(const Entry& entry, const std::function<void(std::string_view)>& take) const;
  size_t size() const { return entries_.size(); }

 private:
  struct Header;
  struct Pending {  // what extension headers say of the entry after them
    std::string name, link;
    bool has_size = false;
    uint64_t size = 0;
  };
  void scan();
  void take_pax(const std::string& records, Pending* pending);
  void add(const std::string& name, Entry entry);
  void read_at(uint64_t offset, char* out, size_t size) const;

  int fd_ = -1;
  uint64_t file_size_ = 0;
  std::map<std::string, Entry, std::less<>> entries_;
};

// "./a//b/../c" -> "a/c". False: it leads out of the archive.
bool normal_path(std::string_view path, std::string* out);

}  // namespace lotse::container_engine
