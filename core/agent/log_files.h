// The files of containers: logs in the CRI format, links to them, termination messages. [worker] unless tagged.
#pragma once
#include <string>

#include "core/agent/pod_context.h"
#include "core/agent/pod_dirs.h"
#include "core/agent/pod_spec.h"

namespace lotse::agent {

inline constexpr size_t kTerminationMax = 4096, kTerminationLogMax = 2048;
inline constexpr int kTerminationLinesMax = 80;

// The directory for its log, an empty termination-log file; logs of attempts before the last one go.
Status prepare_container_files(const PodDirs& dirs, const std::string& container, int attempt);
// What the container wrote into its termination-log, or the end of its log.
std::string termination_message(const PodDirs& dirs, const std::string& container, int attempt, bool fall_back_to_log);
// [loop] /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log -> its log.
void link_container_log(PodContext& context, const PodDirs& dirs, const PodSpec& spec, const std::string& container,
                        int attempt, const std::string& id);
// Links that lead nowhere any more.
void remove_dead_links(const std::string& dir);

// A log over the limit is moved to FILE.TIMESTAMP, and the oldest go until there are at most `files_max` with the
// current one. True: it was moved, and its container must open its log anew.
bool rotate_log(const PodDirs& dirs, const std::string& container, int attempt, int64_t bytes_max, int files_max,
                WallTime now);

// One line of the CRI format: "TIME stdout|stderr P|F text".
struct LogLine {
  std::string_view time, text;
  bool is_stderr = false, partial = false;
};
bool parse_log_line(std::string_view line, LogLine* out);  // without its newline

}  // namespace lotse::agent
