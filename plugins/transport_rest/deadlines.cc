#include "plugins/transport_rest/deadlines.h"

namespace lotse::transport_rest {
namespace {

void unlink(Deadlines::Entry& entry) {
  if (!entry.next) return;
  entry.previous->next = entry.next;
  entry.next->previous = entry.previous;
  entry.previous = entry.next = nullptr;
  entry.what = Wait::kNothing;
}

}  // namespace

Deadlines::Entry::~Entry() { unlink(*this); }

Deadlines::Deadlines(const Lengths& lengths, std::function<void(Clock::time_point)> set_timer) : lengths_(lengths), set_timer_(std::move(set_timer)) {
  for (Entry& head : heads_) head.previous = head.next = &head;
}

void Deadlines::arm(Entry& entry, Wait what, Clock::time_point now) {
  unlink(entry);
  if (what == Wait::kNothing) return;
  entry.what = what;
  entry.at = now + lengths_[static_cast<size_t>(what)];
  Entry& head = heads_[static_cast<size_t>(what)];
  entry.previous = head.previous;
  entry.next = &head;
  head.previous->next = &entry;
  head.previous = &entry;
  if (entry.at < timer_at_) {
    timer_at_ = entry.at;
    set_timer_(timer_at_);
  }
}

void Deadlines::expire(Clock::time_point now, const std::function<void(void*, Wait)>& fn) {
  for (Entry& head : heads_) {
    while (head.next != &head && head.next->at <= now) {
      Entry& entry = *head.next;
      const Wait what = entry.what;
      unlink(entry);
      fn(entry.owner, what);
    }
  }
  set_timer();
}

void Deadlines::set_timer() {
  timer_at_ = Clock::time_point::max();
  for (const Entry& head : heads_) {
    if (head.next != &head) timer_at_ = std::min(timer_at_, head.next->at);
  }
  if (timer_at_ != Clock::time_point::max()) set_timer_(timer_at_);
}

}  // namespace lotse::transport_rest
