// The server's end of a SPDY/3.1 session: frames, streams and flow control, without a socket.
//
// kubectl up to 1.30 speaks this for exec, attach, cp and port-forward, and newer ones still for what they tunnel through
// a WebSocket. Their library keeps no windows: it never sends WINDOW_UPDATE. So windows bind our sending only once the
// peer has spoken of windows at all; until then TCP and the owner's back-pressure (Link::backlog) bound what is held.
#pragma once
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "plugins/transport_rest/link.h"
#include "plugins/transport_rest/spdy_headers.h"

namespace lotse::transport_rest {

enum class SpdyReset : uint32_t { kProtocolError = 1, kInvalidStream = 2, kRefusedStream = 3, kCancel = 5, kInternalError = 6, kFlowControlError = 7 };

class SpdyHandler {
 public:
  virtual ~SpdyHandler() = default;
  // A new stream: reply or reset it before returning. fin: the client will send no data on it.
  virtual void on_stream(uint32_t id, const Headers& headers, bool fin) = 0;
  // Data in order. Say consumed() once it has gone on.
  virtual void on_data(uint32_t id, std::string_view bytes, bool fin) = 0;
  virtual void on_reset(uint32_t id) = 0;
  // The client goes, or broke the protocol: nothing more will come.
  virtual void on_goaway() = 0;
};

class SpdySession {
 public:
  static constexpr size_t kStreamsMax = 512;
  static constexpr int64_t kWindowBytes = 64 * 1024;
  SpdySession(SpdyHandler& handler, Link& link) : handler_(handler), link_(link) {}
  void receive(std::string_view bytes);
  void reply(uint32_t id);
  void data(uint32_t id, std::string_view bytes);
  void fin(uint32_t id);  // after what is queued
  void reset(uint32_t id, SpdyReset why);
  void goaway();
  void consumed(uint32_t id, size_t bytes);
  bool broken() const { return broken_; }
  size_t queued() const { return queued_; }  // waits for the peer's windows
  size_t streams() const { return streams_.size(); }

 private:
  struct Stream {
    int64_t send_window = kWindowBytes;
    size_t unacknowledged = 0;
    std::deque<std::string> queue;
    bool fin_queued = false, local_done = false, remote_done = false;
  };
  void control(uint16_t type, uint8_t flags, std::string_view payload);
  void syn_stream(uint8_t flags, std::string_view payload);
  void settings(std::string_view payload);
  void window_update(std::string_view payload);
  void data_bytes(uint32_t id, std::string_view bytes, bool fin);
  void drop_data(uint32_t id, size_t bytes);
  void pump(uint32_t id, Stream& stream);
  void pump_all();
  void forget_if_done(uint32_t id);
  void frame(uint16_t type, uint8_t flags, std::string_view payload);
  void send_window_update(uint32_t id, size_t bytes);
  void fail();

  SpdyHandler& handler_;
  Link& link_;
  SpdyInflater inflater_;
  SpdyDeflater deflater_;
  std::map<uint32_t, Stream> streams_;
  std::string partial_;        // a frame's head, or a control frame that is not complete
  uint32_t data_id_ = 0;       // the data frame that is being read
  size_t data_left_ = 0;
  bool data_fin_ = false, in_data_ = false;
  uint32_t last_id_ = 0;
  int64_t initial_window_ = kWindowBytes, session_window_ = kWindowBytes;
  size_t session_unacknowledged_ = 0, queued_ = 0;
  bool windows_ = false;       // the peer keeps windows
  bool broken_ = false, said_goaway_ = false;
};

}  // namespace lotse::transport_rest
