// What is wrong with a configuration: a sentence and its place, in the form of a compiler's diagnostics, and as many at
// once as there are.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace lotse::config {

struct Place {
  int line = 0, column = 0;  // from 1; 0: nowhere in particular
};

struct Complaint {
  std::string file;
  Place place;
  std::string sentence;
  std::string text() const;  // "lotse.toml:12:3: unknown key ..."
};

class Complaints {
 public:
  explicit Complaints(std::string file = "lotse.toml") : file_(std::move(file)) {}
  const std::string& file() const { return file_; }
  // Beyond kMax they are counted only.
  void add(Place place, std::string sentence);
  bool empty() const { return list_.empty(); }
  const std::vector<Complaint>& list() const { return list_; }
  std::string text() const;  // one a line, in the order of the file
  Status status() const;     // kInvalid with text(); ok when there are none

  static constexpr size_t kMax = 50;

 private:
  std::string file_;
  std::vector<Complaint> list_;
  size_t dropped_ = 0;
};

// "; did you mean 'socket'?" or "" where nothing is near. `quote` stands around it: "''", "[]".
std::string suggestion(std::string_view wrong, const std::vector<std::string>& known, std::string_view quote = "''");

}  // namespace lotse::config
