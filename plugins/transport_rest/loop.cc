#include "plugins/transport_rest/loop.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>

#include "plugins/transport_rest/connection.h"

namespace lotse::transport_rest {
namespace {

Deadlines::Lengths lengths_of(const Settings& settings) {
  Deadlines::Lengths lengths;
  for (size_t i = 0; i < lengths.size(); ++i) lengths[i] = settings.limit_of(static_cast<Wait>(i));
  return lengths;
}

// Timers may be late by this much: many deadlines then share one wake-up.
constexpr std::chrono::milliseconds kTimerSlack{100};

}  // namespace

Loop::Loop(const sdk::Host& host, const Settings& settings, Outstanding& outstanding, std::function<void()> on_closed)
    : host_(host), settings_(settings), outstanding_(outstanding), on_closed_(std::move(on_closed)),
      deadlines_(lengths_of(settings), [this](Deadlines::Clock::time_point when) { set_timer(when); }) {}

Loop::~Loop() { stop(); }

void Loop::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "rest");
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (;;) {
      bool ended = false;
      host_.protect([&] {
        io_.run();
        ended = true;
      }, "a connection");
      if (ended) return;
    }
  });
}

void Loop::stop() {
  if (!thread_.joinable()) return;
  post([this] {
    while (!connections_.empty()) connections_.begin()->second->abort();
    // After what the aborts have queued: then nothing refers to a connection any more.
    post([this] { io_.stop(); });
  });
  thread_.join();
}

void Loop::post(std::function<void()> task) { boost::asio::post(io_, std::move(task)); }

void Loop::adopt(int fd, std::string address, std::shared_ptr<const TlsContext> context) {
  post([this, fd, address = std::move(address), context = std::move(context)] {
    std::shared_ptr<Connection> connection;
    try {
      connection = std::make_shared<Connection>(*this, fd, address, context);
    } catch (...) {
      ::close(fd);
      on_closed_();
      throw;
    }
    connections_.emplace(connection.get(), connection);
    connection->start();
  });
}

void Loop::forget(Connection* connection) {
  if (connections_.erase(connection) > 0) on_closed_();
}

Door Loop::door() { return Door{host_.api(), this, &outstanding_, &settings_}; }

void Loop::wait(Deadlines::Entry& entry, Wait what) { deadlines_.arm(entry, what, Deadlines::Clock::now()); }

void Loop::set_timer(Deadlines::Clock::time_point when) {
  timer_.expires_at(when + kTimerSlack);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    deadlines_.expire(Deadlines::Clock::now(), [](void* owner, Wait what) { static_cast<Connection*>(owner)->expire(what); });
  });
}

void Loop::rotate(uint32_t generation) {
  post([this, generation] {
    generation_ = generation;
    bool any = false;
    for (const auto& [raw, connection] : connections_) {
      if (!connection->is_older_than(generation)) continue;
      any = true;
      connection->wind_down(false);
    }
    if (any && !age_timer_set_) set_age_timer();
  });
}

void Loop::set_age_timer() {
  age_timer_set_ = true;
  aging_generation_ = generation_;
  age_timer_.expires_after(settings_.connection_age);
  age_timer_.async_wait([this](const boost::system::error_code& error) {
    age_timer_set_ = false;
    if (error) return;
    std::vector<std::shared_ptr<Connection>> old;
    bool more = false;
    for (const auto& [raw, connection] : connections_) {
      if (connection->is_older_than(aging_generation_)) old.push_back(connection);
      else more = more || connection->is_older_than(generation_);
    }
    for (const auto& connection : old) connection->abort();
    if (more) set_age_timer();
  });
}

void Loop::drain(bool force) {
  post([this, force] {
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [raw, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) {
      if (force) connection->abort();
      else connection->wind_down(true);
    }
  });
}

}  // namespace lotse::transport_rest
