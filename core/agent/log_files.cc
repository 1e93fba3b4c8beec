#include "core/agent/log_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cerrno>

#include "core/agent/safe_path.h"
#include "core/base/file.h"

namespace lotse::agent {
namespace {

std::vector<std::string> entries(const std::string& dir) {
  std::vector<std::string> out;
  DIR* d = opendir(dir.c_str());
  if (!d) return out;
  while (auto* e = readdir(d)) {
    std::string name = e->d_name;
    if (name != "." && name != "..") out.push_back(std::move(name));
  }
  closedir(d);
  std::sort(out.begin(), out.end());
  return out;
}

// "3.log" and "3.log.20260102-030405" are of attempt 3; -1: no log of ours.
int attempt_of(const std::string& file) {
  size_t digits = 0;
  while (digits < file.size() && file[digits] >= '0' && file[digits] <= '9') ++digits;
  if (digits == 0 || digits > 9 || file.compare(digits, 4, ".log") != 0) return -1;
  return std::stoi(file.substr(0, digits));
}

std::string read_end(const std::string& root, const std::string& file, size_t max) {
  auto fd = open_beneath(root, file, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) return {};
  struct stat st {};
  if (fstat(fd->get(), &st) != 0 || !S_ISREG(st.st_mode)) return {};
  off_t from = st.st_size > static_cast<off_t>(max) ? st.st_size - static_cast<off_t>(max) : 0;
  std::string out(max, '\0');
  ssize_t n = pread(fd->get(), out.data(), max, from);
  out.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return out;
}

std::string read_start(const std::string& root, const std::string& file, size_t max) {
  auto fd = open_beneath(root, file, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) return {};
  struct stat st {};
  if (fstat(fd->get(), &st) != 0 || !S_ISREG(st.st_mode)) return {};
  std::string out(max, '\0');
  ssize_t n = pread(fd->get(), out.data(), max, 0);
  out.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return out;
}

// The text of the last lines, without what the format puts before them.
std::string last_lines(std::string_view raw) {
  std::vector<std::string> lines;
  bool first = true;
  while (!raw.empty()) {
    auto line = raw.substr(0, raw.find('\n'));
    raw.remove_prefix(std::min(line.size() + 1, raw.size()));
    LogLine parsed;
    bool ok = parse_log_line(line, &parsed);
    if (ok) lines.push_back(std::string(parsed.text) + (parsed.partial ? "" : "\n"));
    else if (!first) lines.push_back(std::string(line) + "\n");
    first = false;
  }
  if (lines.size() > size_t(kTerminationLinesMax)) lines.erase(lines.begin(), lines.end() - kTerminationLinesMax);
  std::string out;
  for (const auto& l : lines) out += l;
  return out.size() > kTerminationLogMax ? out.substr(out.size() - kTerminationLogMax) : out;
}

}  // namespace

bool parse_log_line(std::string_view line, LogLine* out) {
  auto a = line.find(' ');
  if (a == std::string_view::npos) return false;
  auto b = line.find(' ', a + 1);
  if (b == std::string_view::npos) return false;
  auto c = line.find(' ', b + 1);
  auto stream = line.substr(a + 1, b - a - 1);
  auto tags = line.substr(b + 1, c == std::string_view::npos ? c : c - b - 1);
  if ((stream != "stdout" && stream != "stderr") || tags.empty()) return false;
  out->time = line.substr(0, a);
  out->is_stderr = stream == "stderr";
  out->partial = tags.substr(0, tags.find(':')) == "P";
  out->text = c == std::string_view::npos ? std::string_view() : line.substr(c + 1);
  return true;
}

Status prepare_container_files(const PodDirs& dirs, const std::string& container, int attempt) {
  LOTSE_CHECK_OK(make_dirs(dirs.logs + "/" + container, 0755));
  LOTSE_CHECK_OK(make_dirs(dirs.container(container), 0755));
  auto path = dirs.termination_log(container, attempt);
  Fd fd(open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!fd) return errno_status("create", path, errno);
  if (fchmod(fd.get(), 0666) != 0) return errno_status("chmod", path, errno);
  for (const auto& name : entries(dirs.logs + "/" + container)) {
    int of = attempt_of(name);
    if (of >= 0 && of < attempt - 1) unlink((dirs.logs + "/" + container + "/" + name).c_str());
  }
  if (attempt >= 2) unlink(dirs.termination_log(container, attempt - 2).c_str());
  return {};
}

std::string termination_message(const PodDirs& dirs, const std::string& container, int attempt, bool fall_back_to_log) {
  auto text = read_start(dirs.container(container), std::to_string(attempt), kTerminationMax);
  if (!text.empty() || !fall_back_to_log) return text;
  return last_lines(read_end(dirs.logs, container + "/" + std::to_string(attempt) + ".log", 16 * 1024));
}

void link_container_log(PodContext& context, const PodDirs& dirs, const PodSpec& spec, const std::string& container,
                        int attempt, const std::string& id) {
  if (context.config.container_log_dir.empty()) return;
  auto dir = context.config.container_log_dir;
  auto link = fmt::format("{}/{}_{}_{}-{}.log", dir, spec.name, spec.ns, container, id);
  on_pool(context, [dir, link, target = dirs.log_of(container, attempt)] {
    if (!make_dirs(dir, 0755).ok()) return;
    unlink(link.c_str());
    (void)!symlink(target.c_str(), link.c_str());
  }, [] {});
}

void remove_dead_links(const std::string& dir) {
  for (const auto& name : entries(dir)) {
    struct stat st {};
    auto path = dir + "/" + name;
    if (lstat(path.c_str(), &st) == 0 && S_ISLNK(st.st_mode) && stat(path.c_str(), &st) != 0 && errno == ENOENT)
      unlink(path.c_str());
  }
}

bool rotate_log(const PodDirs& dirs, const std::string& container, int attempt, int64_t bytes_max, int files_max,
                WallTime now) {
  auto dir = dirs.logs + "/" + container;
  auto current = std::to_string(attempt) + ".log";
  struct stat st {};
  if (lstat((dir + "/" + current).c_str(), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= bytes_max) return false;
  std::vector<std::string> before;  // oldest first
  for (auto& name : entries(dir)) {
    if (name.starts_with(current + ".")) before.push_back(std::move(name));
  }
  for (size_t keep = static_cast<size_t>(std::max(files_max - 2, 0)); before.size() > keep;
       before.erase(before.begin())) {
    unlink((dir + "/" + before.front()).c_str());
  }
  auto stamp = format_micro_time(now);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':' || c == 'T' || c == 'Z' || c == '.'; });
  return rename((dir + "/" + current).c_str(), (dir + "/" + current + "." + stamp).c_str()) == 0;
}

}  // namespace lotse::agent
