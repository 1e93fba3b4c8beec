// exec and attach on a connection that the engine hands over: input goes in as it is, output comes in frames that say
// which channel they are of (a terminal's comes as it is).
//
// The end of input is a real one: our half of the connection is shut down. Output is read while there is room. The end
// of an exec is the end of its connection; if a child of the process holds that open after the process has ended (an
// event tells), it is waited for one silent second.
//
// Threads: the reactor's.
#pragma once
#include <memory>
#include <string>

#include "plugins/container_engine/exec_stream.h"
#include "plugins/engine_http/http_engine.h"

namespace lotse::engine_http {

// Takes frames of {channel, 0, 0, 0, size (4 bytes, big-endian)} apart, however they are cut.
class FrameReader {
 public:
  void feed(std::string_view data, const std::function<void(uint32_t channel, std::string_view)>& take);

 private:
  std::string head_;
  uint32_t left_ = 0, channel_ = 0;
};

class HttpSession : public ExecSession, public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(HttpEngine& engine, ExecRequest request, std::weak_ptr<ExecTaker> taker, bool attach);

  void start(int64_t start_deadline_ns) override;
  void write(std::string_view data) override;
  void close_stdin() override;
  void resize(uint32_t width, uint32_t height) override;
  void signal(int number) override;
  void kill() override;
  void room_again() override;

 private:
  Co<Done> run(int64_t deadline_ns);
  Co<ExecEnd> steps(int64_t deadline_ns);
  Co<ExecEnd> exec_end(int64_t deadline_ns);
  Co<ExecEnd> attach_end(int64_t deadline_ns);
  Co<Done> stream(HttpRequest request);
  Co<Done> send_resize();
  Co<Done> send_signal(int number);
  void received(std::string_view data);
  void deliver(uint32_t channel, std::string_view data);
  void process_ended();
  Co<Done> look_whether_ended();
  void watch_silence();
  void wake();
  bool has_room() const;

  HttpEngine& engine_;
  const ExecRequest request_;
  const std::weak_ptr<ExecTaker> taker_;
  const bool attach_;
  bool raw_ = false;  // output has no frames
  std::string exec_id_;
  std::shared_ptr<HttpExchange> exchange_;
  FrameReader frames_;
  Verdict stream_end_ = Done{};
  int status_ = 0;
  std::string refusal_;    // the body of an answer that was not a stream
  std::string complaint_;  // what may be the engine's sentence instead of output
  uint32_t complaint_channel_ = LOTSE_STDOUT;
  bool may_complain_ = false;
  std::string pending_in_;
  uint64_t bytes_out_ = 0, silence_ = 0;
  bool in_closed_ = false, killed_ = false, streaming_ = false, ended_ = false, over_ = false;
  uint32_t width_ = 0, height_ = 0;
  std::function<void(Done)> waiter_;
};

}  // namespace lotse::engine_http
