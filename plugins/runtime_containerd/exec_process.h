// A further process in a container, by containerd's Tasks service.
//
// Its streams are FIFOs in a directory of ours: the shim copies between them and the process. stdin has a real end:
// once all input is written we close our end and ask for CloseIO, and the process reads its end of file. Output is read
// only while its taker has room, so a slow one holds up the process and nothing else.
//
// Threads: the reactor's. One short-lived thread opens stdin's FIFO, because only a blocking open tells when the shim
// has opened the other end; closing before that would lose what was written.
#pragma once
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "plugins/container_engine/exec_stream.h"
#include "plugins/runtime_containerd/engine.h"

namespace lotse::runtime_containerd {

class ExecProcess : public ExecSession, public std::enable_shared_from_this<ExecProcess> {
 public:
  ExecProcess(Engine& engine, ExecRequest request, std::weak_ptr<ExecTaker> taker);
  ~ExecProcess() override;

  void start(int64_t start_deadline_ns) override;
  void write(std::string_view data) override;
  void close_stdin() override;
  void resize(uint32_t width, uint32_t height) override;
  void signal(int number) override;
  void kill() override;
  void room_again() override;

 private:
  struct Output {
    int fd = -1;
    uint64_t watch = 0;
    bool hung_up = false;
  };

  Co<Done> run(int64_t start_deadline_ns);
  Co<Outcome<int>> steps(int64_t start_deadline_ns);
  Co<Outcome<int>> exit_of();
  Co<Done> drain();
  void make_fifos();
  void open_output(uint32_t channel);
  void read_output(uint32_t channel);
  void close_output(uint32_t channel);
  bool outputs_ended() const { return outputs_[0].fd < 0 && outputs_[1].fd < 0; }
  void open_stdin();
  void stdin_opened(int fd);
  void write_stdin();
  void finish_stdin();
  void join_opener();
  void clean_up();
  std::string fifo(const char* name) const { return directory_ + "/" + name; }
  void fire_and_forget(const char* method, std::string request);

  Engine& engine_;
  const ExecRequest request_;
  const std::weak_ptr<ExecTaker> taker_;
  std::string exec_id_;
  std::string directory_;
  Output outputs_[2];  // stdout, stderr
  uint64_t bytes_out_ = 0;
  std::function<void(Done)> outputs_waiter_;

  int stdin_fd_ = -1;
  uint64_t stdin_watch_ = 0;
  std::string stdin_pending_;
  size_t stdin_written_ = 0;  // of stdin_pending_
  bool stdin_closing_ = false;
  bool stdin_done_ = false;
  bool stdin_close_sent_ = false;
  std::thread opener_;

  bool started_ = false;
  bool exited_ = false;
  bool killed_ = false;
  uint32_t width_ = 0, height_ = 0;
};

}  // namespace lotse::runtime_containerd
