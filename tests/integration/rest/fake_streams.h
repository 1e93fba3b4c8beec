// Streams of the fake host: a process for exec, a TCP connection for port-forward, events for watch. They block on
// threads of their own, which is fine in a test and nowhere else.
#pragma once
#include <lotse/stream.hpp>

#include <string>
#include <vector>

namespace lotse::fake {

// Runs `command` of this machine, as exec does in a pod.
std::shared_ptr<sdk::Producer> make_process(std::vector<std::string> command, bool in, bool tty);
std::shared_ptr<sdk::Producer> make_connection(uint16_t port);
// Sends `count` events of `size` bytes as credit allows, then ends, or stays open.
std::shared_ptr<sdk::Producer> make_events(int count, size_t size, bool ends);

// Runs a function on a thread of its own queue, in order.
void later(std::function<void()> fn);

}  // namespace lotse::fake
