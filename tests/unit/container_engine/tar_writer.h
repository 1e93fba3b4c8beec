// Tar files and image archives for tests, made by hand so that they can be wrong.
#pragma once
#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

namespace lotse::container_engine {

struct TarEntry {
  std::string name, data;
  char type = '0';
  std::string link;
};

inline void finish_header(std::string& header) {
  memset(header.data() + 148, ' ', 8);
  unsigned sum = 0;
  for (char c : header) sum += static_cast<unsigned char>(c);
  snprintf(header.data() + 148, 8, "%06o", sum);
  header[155] = ' ';
}

inline std::string tar_entry(const TarEntry& e) {
  std::string header(512, '\0');
  memcpy(header.data(), e.name.data(), std::min<size_t>(e.name.size(), 100));
  memcpy(header.data() + 100, "0000644", 7);
  snprintf(header.data() + 124, 12, "%011zo", e.data.size());
  header[156] = e.type;
  memcpy(header.data() + 157, e.link.data(), std::min<size_t>(e.link.size(), 100));
  memcpy(header.data() + 257, "ustar\00000", 8);
  finish_header(header);
  return header + e.data + std::string((512 - e.data.size() % 512) % 512, '\0');
}

inline std::string tar_bytes(const std::vector<TarEntry>& entries) {
  std::string out;
  for (auto& e : entries) out += tar_entry(e);
  return out + std::string(1024, '\0');
}

// A file that is gone at the end of the scope.
class TempFile {
 public:
  explicit TempFile(const std::string& bytes) {
    char name[] = "/tmp/lotse-unit-XXXXXX";
    close(mkstemp(name));
    path = name;
    std::ofstream(path, std::ios::binary) << bytes;
  }
  ~TempFile() { unlink(path.c_str()); }
  std::string path;
};

}  // namespace lotse::container_engine
