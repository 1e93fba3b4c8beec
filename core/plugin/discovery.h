// Which plugins there are: every .so in the directories that are searched, with the facts of its note, or the sentence
// that says why it cannot be used. Runs no code of theirs. [worker]
#pragma once
#include <string>
#include <vector>

#include "core/plugin/note.h"

namespace lotse::plugin {

struct Found {
  std::string path;
  Note note;
  std::string problem;  // "" or why it is refused; names the file
};

// Directories in order; one that does not exist is left out, one that comes twice counts once.
std::vector<Found> discover(const std::vector<std::string>& directories);
// plugin_path and, after it, ../lib/lotse/plugins beside the running binary.
std::vector<std::string> search_path(const std::vector<std::string>& plugin_path);

}  // namespace lotse::plugin
