#include "core/plugin/discovery.h"

#include <fmt/format.h>

#include <filesystem>

namespace lotse::plugin {
namespace {

namespace fs = std::filesystem;
constexpr size_t kFilesMax = 1000;

std::vector<std::string> libraries_in(const std::string& directory) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end && out.size() < kFilesMax;
       it.increment(error)) {
    if (it->path().extension() == ".so") out.push_back(it->path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Found look_at(const std::string& path) {
  Found found{path, {}, ""};
  auto note = read_note(path);
  std::string why;
  if (note.ok()) {
    found.note = *note;
    why = version_problem(note->abi_major, note->abi_minor);
  } else {
    why = note.status().message;
  }
  if (!why.empty()) found.problem = fmt::format("{}: {}", path, why);
  return found;
}

// Neither of two with one name is used: which of them would win should not depend on the order of directories.
void refuse_doubles(std::vector<Found>* all) {
  std::map<std::pair<std::string, std::string>, Found*> first;
  for (Found& found : *all) {
    if (!found.problem.empty()) continue;
    for (const std::string& kind : found.note.kinds) {
      auto [it, fresh] = first.try_emplace({kind, found.note.name}, &found);
      if (fresh || it->second == &found) continue;
      std::string sentence = fmt::format("there are two plugins for {} '{}', {} and {}: remove one of them", kind,
                                         found.note.name, it->second->path, found.path);
      found.problem = sentence;
      it->second->problem = sentence;
      break;
    }
  }
}

}  // namespace

std::vector<Found> discover(const std::vector<std::string>& directories) {
  std::vector<Found> out;
  std::set<std::string> seen;
  for (const std::string& directory : directories) {
    for (const std::string& path : libraries_in(directory)) {
      std::error_code error;
      fs::path real = fs::canonical(path, error);
      if (!error && !seen.insert(real.string()).second) continue;
      out.push_back(look_at(path));
    }
  }
  refuse_doubles(&out);
  return out;
}

std::vector<std::string> search_path(const std::vector<std::string>& plugin_path) {
  std::vector<std::string> out = plugin_path;
  std::error_code error;
  fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (!error) out.push_back((self.parent_path().parent_path() / "lib/lotse/plugins").string());
  return out;
}

}  // namespace lotse::plugin
