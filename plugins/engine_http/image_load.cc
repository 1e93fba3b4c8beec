#include "plugins/engine_http/image_load.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <set>

#include "plugins/container_engine/digest.h"
#include "plugins/engine_http/runtime_steps.h"

namespace lotse::engine_http {
namespace {

constexpr uint64_t kBlock = 512;
constexpr size_t kAnswerMax = 1 << 20;
constexpr uint64_t kConfigMax = 4 << 20;

// A connection on which this thread may block: the archive may be of any size.
class Upload {
 public:
  Upload(const std::string& socket, int64_t deadline_ns, const std::function<bool()>& cancelled)
      : deadline_(deadline_ns), cancelled_(cancelled) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.size() >= sizeof address.sun_path) throw sdk::Failure(LOTSE_INVALID, "the path is too long: " + socket);
    memcpy(address.sun_path, socket.data(), socket.size());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0 || connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot connect to " + socket + ": " + strerror(errno));
    }
  }
  ~Upload() {
    if (fd_ >= 0) close(fd_);
  }
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  // False: the engine takes no more; its answer says why.
  bool send(std::string_view data) {
    while (!data.empty()) {
      ssize_t n = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
      if (n > 0) data.remove_prefix(static_cast<size_t>(n));
      if (n >= 0 || errno == EINTR) continue;
      if (errno != EAGAIN) return false;
      wait(POLLOUT);
    }
    return true;
  }

  std::string answer() {
    std::string out;
    std::array<char, 16 << 10> buffer;
    while (out.size() < kAnswerMax) {
      ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
      if (n > 0) out.append(buffer.data(), static_cast<size_t>(n));
      if (n > 0 || (n < 0 && errno == EINTR)) continue;
      if (n == 0 || errno != EAGAIN) break;
      wait(POLLIN);
    }
    return out;
  }

 private:
  void wait(short what) {
    constexpr int64_t kLook = 250'000'000;  // how soon a cancelled call is noticed
    for (;;) {
      int64_t left = deadline_ - Reactor::now_ns();
      if (left <= 0) throw sdk::Failure(LOTSE_DEADLINE, "the image was not taken in time");
      if (cancelled_()) throw sdk::Failure(LOTSE_CANCELLED, "cancelled");
      pollfd one{fd_, what, 0};
      if (poll(&one, 1, static_cast<int>(std::min(left, kLook) / 1'000'000) + 1) > 0) return;
    }
  }

  int fd_ = -1;
  const int64_t deadline_;
  const std::function<bool()>& cancelled_;
};

// Engines answer with status 200 and tell a failure in the lines that follow.
void judge(const std::string& answer) {
  size_t head = answer.find("\r\n\r\n");
  int status = 0;
  if (sscanf(answer.c_str(), "HTTP/%*d.%*d %d", &status) != 1 || head == std::string::npos) {
    throw sdk::Failure(LOTSE_UNKNOWN, "the engine's connection broke while it took the image");
  }
  std::string body = answer.substr(head + 4);
  size_t error = body.find("\"errorDetail\"");
  if (status < 400 && error == std::string::npos) return;
  size_t brace = status < 400 ? body.rfind('{', error) : body.find('{');
  std::string line = brace == std::string::npos ? body : body.substr(brace, body.find('\n', brace) - brace);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.pop_back();
  Json told = Json::parse(line);
  std::string why = told["errorDetail"]["message"].text();
  if (why.empty()) why = told["error"].text();
  if (why.empty()) why = told["message"].text();
  if (why.empty()) why = line.substr(0, 512);
  throw sdk::Failure(LOTSE_INVALID, "the engine refused the image: " + why);
}

void wait_until_ready(HttpEngine& engine, int64_t deadline) {
  std::mutex mutex;
  std::condition_variable answered;
  std::optional<Verdict> verdict;
  engine.reactor.post([&] {
    spawn<Done>(engine.ready(deadline), [&](std::optional<Done>, std::exception_ptr error) {
      Verdict outcome = Done{};
      try {
        if (error) std::rethrow_exception(error);
      } catch (...) {
        auto caught = sdk::caught("image_import");
        outcome = Failure{caught.code, caught.sentence};
      }
      std::lock_guard lock(mutex);
      verdict = outcome;
      answered.notify_one();
    });
  });
  std::unique_lock lock(mutex);
  answered.wait(lock, [&] { return verdict.has_value(); });
  if (!verdict->ok()) verdict->failure().raise();
}

std::string hex_of(const std::string& digest) {
  return digest.substr(digest.find(':') + 1);
}

}  // namespace

void check_digests(const TarIndex& tar, const std::vector<ArchiveImage>& images) {
  std::set<std::string> checked;
  auto check = [&](const ArchiveBlob& blob, const std::string& digest) {
    if (blob.entry == nullptr || !checked.insert(digest).second) return;
    Sha256 sum;
    tar.each_piece(*blob.entry, [&](std::string_view piece) { sum.add(piece); });
    if ("sha256:" + sum.hex() == digest) return;
    throw sdk::Failure(LOTSE_INVALID,
                       "the image archive is wrong: a layer or file is not what its digest says: " + digest);
  };
  for (auto& image : images) {
    check(image.manifest, image.manifest.digest);
    check(image.config, image.config.digest);
    for (size_t i = 0; i < image.layers.size(); i++) {
      auto& layer = image.layers[i];
      check(layer, layer.digest);
      bool packed = tar.read(*layer.entry, 0, std::min<uint64_t>(2, layer.size)) == "\x1f\x8b";
      if (!packed) check(layer, image.diff_ids.at(i));
    }
  }
}

std::vector<TarPart> docker_archive_parts(const TarIndex& tar, const std::vector<ArchiveImage>& images) {
  std::vector<TarPart> parts;
  std::set<std::string> have;
  auto add = [&](const std::string& name, const ArchiveBlob& blob, std::string bytes) {
    if (!have.insert(name).second) return;
    TarPart part;
    part.name = name;
    part.entry = bytes.empty() ? blob.entry : nullptr;
    part.bytes = std::move(bytes);
    parts.push_back(std::move(part));
  };
  Msg list = Msg::array();
  for (auto& image : images) {
    std::string config = hex_of(image.config.digest) + ".json";
    add(config, image.config, tar.read(*image.config.entry, 0, std::min(image.config.size, kConfigMax)));
    Msg layers = Msg::array();
    for (auto& layer : image.layers) {
      std::string name = hex_of(layer.digest) + ".tar";
      add(name, layer, "");
      layers.push(name);
    }
    list.push(Msg::map({{"Config", config}, {"RepoTags", Msg::strings(image.names)}, {"Layers", std::move(layers)}}));
  }
  TarPart manifest;
  manifest.name = "manifest.json";
  manifest.bytes = json_text(list);
  parts.push_back(std::move(manifest));
  return parts;
}

std::string tar_header(const std::string& name, uint64_t size) {
  std::string out(kBlock, '\0');
  memcpy(out.data(), name.data(), std::min<size_t>(name.size(), 100));
  memcpy(out.data() + 100, "0000644", 7);
  memcpy(out.data() + 108, "0000000", 7);
  memcpy(out.data() + 116, "0000000", 7);
  if (size < (uint64_t{1} << 33)) {
    snprintf(out.data() + 124, 12, "%011llo", static_cast<unsigned long long>(size));
  } else {  // GNU's base 256
    out[124] = static_cast<char>(0x80);
    for (size_t i = 0; i < 8; i++) out[135 - i] = static_cast<char>(size >> (8 * i) & 0xff);
  }
  memcpy(out.data() + 136, "00000000000", 11);
  out[156] = '0';
  memcpy(out.data() + 257, "ustar\00000", 8);
  memset(out.data() + 148, ' ', 8);
  unsigned sum = 0;
  for (char c : out) sum += static_cast<unsigned char>(c);
  snprintf(out.data() + 148, 8, "%06o", sum);
  out[155] = ' ';
  return out;
}

uint64_t tar_size(const std::vector<TarPart>& parts) {
  uint64_t size = 2 * kBlock;
  for (auto& part : parts) size += kBlock + (part.size() + kBlock - 1) / kBlock * kBlock;
  return size;
}

std::vector<std::string> load_archive(HttpEngine& engine, const std::string& path, int64_t deadline_ns,
                                      const std::function<bool()>& cancelled) {
  TarIndex tar(path);
  std::vector<ArchiveImage> images = images_of(tar);
  check_digests(tar, images);
  auto parts = docker_archive_parts(tar, images);
  wait_until_ready(engine, deadline_ns);
  Upload upload(engine.settings.socket, deadline_ns, cancelled);
  std::string head = "POST " + engine.settings.prefix + "/images/load?quiet=1 HTTP/1.0\r\nHost: engine\r\n" +
                     "Content-Type: application/x-tar\r\nContent-Length: " + std::to_string(tar_size(parts)) +
                     "\r\n\r\n";
  bool taken = upload.send(head);
  for (auto& part : parts) {
    if (!taken) break;
    taken = upload.send(tar_header(part.name, part.size()));
    if (part.entry != nullptr) {
      tar.each_piece(*part.entry, [&](std::string_view piece) { taken = taken && upload.send(piece); });
    } else {
      taken = taken && upload.send(part.bytes);
    }
    taken = taken && upload.send(std::string((kBlock - part.size() % kBlock) % kBlock, '\0'));
  }
  if (taken) upload.send(std::string(2 * kBlock, '\0'));
  judge(upload.answer());
  std::vector<std::string> names;
  for (auto& image : images) keep_file(engine.imported_file(image.config.digest), "imported\n");
  for (auto& image : images) names.insert(names.end(), image.names.begin(), image.names.end());
  return names;
}

}  // namespace lotse::engine_http
