#include "tests/integration/rest/fake_streams.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace lotse::fake {

void later(std::function<void()> fn) {
  struct Queue {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> tasks;
    std::thread thread{[this] {
      for (;;) {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [this] { return !tasks.empty(); });
        auto task = std::move(tasks.front());
        tasks.pop_front();
        lock.unlock();
        task();
      }
    }};
  };
  static Queue* const queue = new Queue;  // as long as the process
  std::lock_guard<std::mutex> lock(queue->mutex);
  queue->tasks.push_back(std::move(fn));
  queue->changed.notify_one();
}

namespace {

// Descriptors as a stream: what is read from some goes out as items, what is written goes into one.
class Pumped : public sdk::Producer {
 public:
  Pumped() : Producer([](std::function<void()> fn) { later(std::move(fn)); }) {}

 protected:
  // Reads fd to its end, an item at a time, when there is credit.
  void pump(int fd, uint32_t channel) {
    char buffer[32 * 1024];
    for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;) {
      while (!send(channel, {buffer, static_cast<size_t>(n)})) {
        std::unique_lock<std::mutex> lock(mutex_);
        if (ended()) return;
        credit_.wait_for(lock, std::chrono::milliseconds(200));
      }
    }
  }
  // Writes what comes to fd until its end.
  void drain(int fd) {
    for (;;) {
      std::string piece;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        input_changed_.wait(lock, [this] { return !input_.empty() || input_closed_; });
        if (input_.empty()) return;
        piece = std::move(input_.front());
        input_.pop_front();
      }
      for (size_t at = 0; at < piece.size();) {
        const ssize_t n = ::write(fd, piece.data() + at, piece.size() - at);
        if (n <= 0) break;
        at += static_cast<size_t>(n);
      }
      consumed(piece.size());
    }
  }
  void close_input() {
    std::lock_guard<std::mutex> lock(mutex_);
    input_closed_ = true;
    input_changed_.notify_all();
  }
  void on_credit() override {
    std::lock_guard<std::mutex> lock(mutex_);
    credit_.notify_all();
  }
  bool on_write(uint32_t, std::string_view data) override {
    std::lock_guard<std::mutex> lock(mutex_);
    input_.emplace_back(data);
    input_changed_.notify_all();
    return true;
  }
  void on_half_close(uint32_t) override { close_input(); }

 private:
  std::mutex mutex_;
  std::condition_variable credit_, input_changed_;
  std::deque<std::string> input_;
  bool input_closed_ = false;
};

class Process : public Pumped {
 public:
  Process(std::vector<std::string> command, bool in, bool tty) : command_(std::move(command)), in_(in), tty_(tty) {}
  void on_open() override {
    std::thread([self = std::static_pointer_cast<Process>(shared_from_this())] { self->run(); }).detach();
  }
  bool on_control(uint32_t, const sdk::Msg& size) override {
    later([self = shared_from_this(), text = "size " + std::to_string(size["width"].as_int()) + "x" + std::to_string(size["height"].as_int()) + "\r\n"] {
      self->send(LOTSE_STDOUT, text);
    });
    return tty_;
  }
  void on_cancel() override {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    close_input();
  }

 private:
  void run() {
    int in[2], out[2], err[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) return fail(LOTSE_INTERNAL, "no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, tty_ ? out[1] : err[1], 2);
    std::vector<char*> arguments;
    for (auto& argument : command_) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    pid_t pid = 0;
    const int error = ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]), ::close(out[1]), ::close(err[1]);
    if (error != 0) {
      ::close(in[1]), ::close(out[0]), ::close(err[0]);
      return fail(LOTSE_INVALID, "exec: \"" + command_[0] + "\": executable file not found in $PATH");
    }
    pid_ = pid;
    if (!in_) close_input();
    std::thread writer([&] { drain(in[1]), ::close(in[1]); });
    std::thread errors([&] { pump(err[0], LOTSE_STDERR); });
    pump(out[0], LOTSE_STDOUT);
    errors.join();
    int status = 0;
    ::waitpid(pid, &status, 0);
    close_input();
    writer.join();
    ::close(out[0]), ::close(err[0]);
    end(sdk::Msg::map({{"exit_code", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)}}));
  }
  std::vector<std::string> command_;
  const bool in_, tty_;
  std::atomic<pid_t> pid_{0};
};

class Connected : public Pumped {
 public:
  explicit Connected(uint16_t port) : port_(port) {}
  void on_open() override {
    std::thread([self = std::static_pointer_cast<Connected>(shared_from_this())] { self->run(); }).detach();
  }
  void on_cancel() override {
    if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
    close_input();
  }

 private:
  void run() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port_);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
      ::close(fd);
      return fail(LOTSE_UNAVAILABLE, "connection refused by port " + std::to_string(port_));
    }
    fd_ = fd;
    std::thread writer([&] { drain(fd), ::shutdown(fd, SHUT_WR); });
    pump(fd, LOTSE_STDIN);
    close_input();
    writer.join();
    ::close(fd_.exchange(-1));
    end();
  }
  const uint16_t port_;
  std::atomic<int> fd_{-1};
};

class Events : public sdk::Producer {
 public:
  Events(int count, size_t size, bool ends) : Producer([](std::function<void()> fn) { later(std::move(fn)); }), left_(count), ends_(ends), text_(size, 'x') {}

 protected:
  void on_credit() override {
    std::lock_guard<std::mutex> lock(mutex_);
    while (left_ > 0 && send(0, "{\"type\":\"ADDED\",\"object\":{\"n\":" + std::to_string(left_) + ",\"pad\":\"" + text_ + "\"}}")) --left_;
    if (left_ == 0 && ends_) end();
  }

 private:
  std::mutex mutex_;
  int left_;
  const bool ends_;
  const std::string text_;
};

}  // namespace

std::shared_ptr<sdk::Producer> make_process(std::vector<std::string> command, bool in, bool tty) {
  return std::make_shared<Process>(std::move(command), in, tty);
}
std::shared_ptr<sdk::Producer> make_connection(uint16_t port) { return std::make_shared<Connected>(port); }
std::shared_ptr<sdk::Producer> make_events(int count, size_t size, bool ends) { return std::make_shared<Events>(count, size, ends); }

}  // namespace lotse::fake
