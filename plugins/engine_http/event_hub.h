// EventHub: the plugin's one subscription to the engine's events, and who listens: the `events` streams, exec sessions
// that wait for the end of their process, and the log of a container that has ended.
//
// It asks for events from the moment of its asking, so none is lost between the answer and the first one. Each time it
// has connected it looks what containers there are and then tells the streams to list; when the engine goes, they end.
//
// Threads: the reactor's.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "lotse/stream.hpp"
#include "plugins/container_engine/co.h"
#include "plugins/engine_http/facts.h"
#include "plugins/engine_http/http_api.h"

namespace lotse::engine_http {

class HttpEngine;
class EventStream;

class EventHub {
 public:
  explicit EventHub(HttpEngine& engine) : engine_(engine) {}

  void start();  // once
  void stop();

  sdk::ProducerPtr open();
  // Called when that exec has ended, or one of that container of which the engine does not say which (then it may be
  // called again), unless unwatched before.
  void watch_exec(const std::string& container, const std::string& exec_id, std::function<void()> ended);
  void unwatch_exec(const std::string& exec_id) { execs_.erase(exec_id); }

 private:
  friend class EventStream;
  struct Known {
    std::string sandbox;  // "": it is one
  };

  Co<Done> run();
  Co<Done> once();
  Co<Done> look_around();
  void received(std::string_view piece);
  void handle(const EngineEvent& event);
  void disconnected(const std::string& why);

  HttpEngine& engine_;
  std::shared_ptr<HttpExchange> exchange_;
  std::string line_;
  std::function<void(Done)> waiter_;
  std::map<std::string, Known> known_;
  std::deque<EngineEvent> early_;  // came before the look around was over
  std::set<EventStream*> streams_;
  struct Exec {
    std::string container;
    std::function<void()> ended;
  };
  std::map<std::string, Exec> execs_;
  int64_t since_ = 0;
  bool looked_ = false, stopped_ = false;
};

}  // namespace lotse::engine_http
