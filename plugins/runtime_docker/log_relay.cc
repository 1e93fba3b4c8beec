#include "plugins/runtime_docker/log_relay.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/container_engine/json.h"
#include "plugins/container_engine/process_file.h"

namespace lotse::runtime_docker {
namespace {

using container_engine::Json;

constexpr size_t kChunk = 256 << 10;
constexpr size_t kLineMax = 4 << 20;      // Docker's have at most 16 KiB of text
constexpr uint64_t kSaveEach = 64 << 10;  // what has to be counted again after a crash, at most
constexpr uint64_t kFreeEach = 16 << 20;  // and `docker logs` still reads a log that is shorter
constexpr int64_t kRetryNs = 1'000'000'000;

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

}  // namespace

std::string cri_line(std::string_view json) {
  Json line = Json::parse(json);
  std::string text = line["log"].text(), stream = line["stream"].text(), time = line["time"].text();
  if (time.empty() || (stream != "stdout" && stream != "stderr")) return {};
  bool whole = !text.empty() && text.back() == '\n';
  if (whole) text.pop_back();
  return time + " " + stream + (whole ? " F " : " P ") + text + "\n";
}

LogRelay::LogRelay(std::string source, std::string target, std::string position_file)
    : source_(std::move(source)), target_(std::move(target)), position_file_(std::move(position_file)) {}

LogRelay::~LogRelay() {
  if (in_ >= 0) close(in_);
  if (out_ >= 0) close(out_);
}

bool LogRelay::open_source() {
  if (in_ < 0) in_ = open(source_.c_str(), O_RDWR | O_CLOEXEC);
  return in_ >= 0;
}

bool LogRelay::open_target() {
  if (out_ >= 0) return true;
  if (!placed_) find_place();
  out_ = open(target_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  return out_ >= 0;
}

void LogRelay::find_place() {
  placed_ = true;
  unsigned long long offset = 0, inode = 0, size = 0;
  auto text = container_engine::read_small_file(position_file_);
  if (text) sscanf(text->c_str(), "%llu %llu %llu", &offset, &inode, &size);
  offset_ = saved_ = offset;
  struct stat facts {};
  std::string log = stat(target_.c_str(), &facts) == 0 && (inode == 0 || facts.st_ino == inode) ? target_ : "";
  if (log.empty() && inode != 0) {  // it was moved away, and nobody could tell us
    if (DIR* dir = opendir(directory_of(target_).c_str())) {
      while (dirent* entry = readdir(dir)) {
        if (entry->d_ino == inode) log = directory_of(target_) + "/" + entry->d_name;
      }
      closedir(dir);
    }
  }
  if (!log.empty()) skip_ = count_lines(log, size);
}

// Also cuts off a line that has no end.
uint64_t LogRelay::count_lines(const std::string& path, uint64_t from) {
  int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return 0;
  std::string buffer(kChunk, '\0');
  uint64_t lines = 0, at = from, end = from;
  ssize_t n;
  while ((n = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(at))) > 0) {
    for (ssize_t i = 0; i < n; i++) {
      if (buffer[static_cast<size_t>(i)] != '\n') continue;
      lines++;
      end = at + static_cast<uint64_t>(i) + 1;
    }
    at += static_cast<uint64_t>(n);
  }
  if (at > end && ftruncate(fd, static_cast<off_t>(end)) != 0) lines++;  // then the torn line stays, and counts
  close(fd);
  return lines;
}

bool LogRelay::flush(std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    ssize_t n = write(out_, text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    written += static_cast<size_t>(n);
  }
  if (written == text.size()) {
    text.clear();
    return true;
  }
  // All or nothing, so that lines can be counted.
  off_t end = lseek(out_, 0, SEEK_END);
  if (end >= static_cast<off_t>(written) && ftruncate(out_, end - static_cast<off_t>(written)) == 0) return false;
  close(out_);
  out_ = -1;
  placed_ = false;  // the place is found anew, by counting
  return false;
}

bool LogRelay::drain() {
  if (!open_source()) return true;  // not there yet, or gone
  if (!open_target()) return false;
  std::string pending, out;
  uint64_t read_to = offset_, taken_to = offset_;
  uint64_t skip = skip_;
  std::string buffer(kChunk, '\0');
  for (;;) {
    ssize_t n = pread(in_, buffer.data(), buffer.size(), static_cast<off_t>(read_to));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    read_to += static_cast<uint64_t>(n);
    pending.append(buffer.data(), static_cast<size_t>(n));
    size_t start = 0, end;
    while ((end = pending.find('\n', start)) != std::string::npos) {
      std::string line = cri_line(std::string_view(pending).substr(start, end - start));
      taken_to += end + 1 - start;
      start = end + 1;
      if (line.empty()) continue;
      if (skip > 0) {
        skip--;
      } else {
        out += line;
      }
    }
    pending.erase(0, start);
    if (pending.size() > kLineMax) {  // no line of Docker's
      taken_to += pending.size();
      pending.clear();
    }
    if (!flush(out)) return false;
    offset_ = taken_to;
    skip_ = skip;
    if (offset_ - saved_ >= kSaveEach) save();
    give_back();
  }
  return true;
}

void LogRelay::save() {
  if (!placed_ || out_ < 0 || skip_ > 0) return;
  struct stat facts {};
  if (fstat(out_, &facts) != 0) return;
  std::string text = std::to_string(offset_) + " " + std::to_string(facts.st_ino) + " " + std::to_string(facts.st_size);
  if (container_engine::replace_file(position_file_, text + "\n")) saved_ = offset_;
}

void LogRelay::give_back() {
  if (saved_ < freed_ + kFreeEach) return;
  uint64_t until = saved_ / 4096 * 4096;
  fallocate(in_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(freed_),
            static_cast<off_t>(until - freed_));
  freed_ = until;
}

bool LogRelay::reopen() {
  drain();
  if (!placed_) find_place();
  if (out_ >= 0) close(out_);
  out_ = open(target_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  save();
  return out_ >= 0;
}

LogRelays::LogRelays(Reactor& reactor, const sdk::Host& host, std::string state_dir)
    : reactor_(reactor), host_(host), state_dir_(std::move(state_dir)) {
  mkdir(state_dir_.c_str(), 0700);
  inotify_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

LogRelays::~LogRelays() {
  if (inotify_ >= 0) close(inotify_);
}

void LogRelays::begin(const std::string& id, const std::string& source, const std::string& target) {
  if (source.empty() || target.empty()) return;
  if (watch_ == 0) watch_ = reactor_.watch(inotify_, EPOLLIN, [this](uint32_t) { ready(); });
  auto& entry = relays_[id];
  if (!entry.relay) {
    entry.relay = std::make_unique<LogRelay>(source, target, state_dir_ + "/" + id);
    entry.watch = inotify_add_watch(inotify_, directory_of(source).c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO);
    if (entry.watch >= 0) by_watch_[entry.watch] = id;
    if (entry.watch < 0) host_.warn("log.watch", "cannot watch a container's log: " + source + ": " + strerror(errno));
  }
  drain(id, entry);
}

void LogRelays::drain(const std::string& id, Entry& entry) {
  if (entry.relay->drain()) return;
  host_.warn("log.write", std::string("cannot write a container's log: ") + strerror(errno), {{"container", id}});
  if (retry_ != 0) return;
  retry_ = reactor_.timer(kRetryNs, [this] {
    retry_ = 0;
    for (auto& [other, one] : relays_) drain(other, one);
  });
}

void LogRelays::ready() {
  alignas(inotify_event) std::array<char, 16 << 10> buffer;
  std::set<std::string> changed;
  ssize_t n;
  while ((n = read(inotify_, buffer.data(), buffer.size())) > 0) {
    for (ssize_t at = 0; at < n;) {
      auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if (event->mask & IN_Q_OVERFLOW) {
        for (auto& [id, entry] : relays_) changed.insert(id);
      }
      auto it = by_watch_.find(event->wd);
      if (it != by_watch_.end()) changed.insert(it->second);
    }
  }
  for (auto& id : changed) {
    if (auto it = relays_.find(id); it != relays_.end()) drain(id, it->second);
  }
}

void LogRelays::end(const std::string& id) {
  auto it = relays_.find(id);
  if (it == relays_.end()) return;
  drain(id, it->second);
  it->second.relay->save();
}

void LogRelays::reopen(const std::string& id) {
  auto it = relays_.find(id);
  if (it == relays_.end()) return;
  if (!it->second.relay->reopen()) {
    throw sdk::Failure(LOTSE_UNAVAILABLE, std::string("cannot open the log anew: ") + strerror(errno));
  }
}

void LogRelays::drop(const std::string& id) {
  auto it = relays_.find(id);
  if (it == relays_.end()) return;
  if (it->second.watch >= 0) {
    inotify_rm_watch(inotify_, it->second.watch);
    by_watch_.erase(it->second.watch);
  }
  relays_.erase(it);
}

void LogRelays::removed(const std::string& id) {
  drop(id);
  unlink((state_dir_ + "/" + id).c_str());
}

void LogRelays::keep_only(const std::set<std::string>& ids) {
  std::set<std::string> gone;
  for (auto& [id, entry] : relays_) {  // one that has just been made may not be among the ids
    if (ids.count(id) == 0 && access(directory_of(entry.relay->source()).c_str(), F_OK) != 0) gone.insert(id);
  }
  if (DIR* dir = opendir(state_dir_.c_str())) {
    while (dirent* entry = readdir(dir)) {
      std::string id = entry->d_name;
      if (id[0] != '.' && ids.count(id) == 0 && relays_.count(id) == 0) gone.insert(id);
    }
    closedir(dir);
  }
  for (auto& id : gone) removed(id);
}

void LogRelays::stop() {
  for (auto& [id, entry] : relays_) {
    entry.relay->drain();
    entry.relay->save();
  }
  if (retry_ != 0) reactor_.timer_stop(retry_);
  if (watch_ != 0) reactor_.unwatch(watch_);
  relays_.clear();
}

}  // namespace lotse::runtime_docker
