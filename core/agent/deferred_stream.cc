#include "core/agent/deferred_stream.h"

namespace lotse::agent {

std::shared_ptr<Stream> DeferredStream::Core::inner() {
  std::lock_guard lock(mutex_);
  return inner_;
}

bool DeferredStream::Core::cancelled() {
  std::lock_guard lock(mutex_);
  return cancelled_;
}

// What was kept goes first: nobody may pass it by, so the lock is held over it. The stream behind never calls back from
// within (the rule of streams), so nobody waits for us meanwhile.
void DeferredStream::Core::attach(StreamPtr stream) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Stream> shared = std::move(stream);
  if (granted_ > 0) shared->grant(granted_);
  for (auto& w : writes_) {
    if (w.close) shared->half_close(w.channel);
    else shared->write(w.channel, std::move(w.data));
  }
  for (auto& o : orders_) shared->control(o.kind, std::move(o.payload));
  writes_.clear();
  orders_.clear();
  if (cancelled_) shared->cancel();
  else inner_ = std::move(shared);
}

void DeferredStream::Core::fail(Status status) {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(failed_, true) || inner_) return;
    writes_.clear();
  }
  sink_->on_end(std::move(status), Bytes());
}

std::unique_ptr<DeferredStream> DeferredStream::make(SinkPtr sink) {
  return std::unique_ptr<DeferredStream>(new DeferredStream(std::make_shared<Core>(std::move(sink))));
}

DeferredStream::~DeferredStream() {
  std::shared_ptr<Stream> inner;
  std::lock_guard lock(core_->mutex_);
  core_->cancelled_ = true;
  inner = std::move(core_->inner_);
}

void DeferredStream::grant(uint64_t bytes) {
  {
    std::lock_guard lock(core_->mutex_);
    if (!core_->inner_) {
      core_->granted_ += bytes;
      return;
    }
  }
  if (auto s = core_->inner()) s->grant(bytes);
}

bool DeferredStream::write(uint32_t channel, Bytes data) {
  {
    std::lock_guard lock(core_->mutex_);
    if (!core_->inner_) {
      if (core_->failed_ || core_->cancelled_ || core_->written_ >= kStreamWindow) return false;
      core_->written_ += std::max<size_t>(data.size(), 1);
      core_->writes_.push_back({channel, std::move(data), false});
      return true;
    }
  }
  auto s = core_->inner();
  return s && s->write(channel, std::move(data));
}

void DeferredStream::half_close(uint32_t channel) {
  {
    std::lock_guard lock(core_->mutex_);
    if (!core_->inner_) {
      core_->writes_.push_back({channel, Bytes(), true});
      return;
    }
  }
  if (auto s = core_->inner()) s->half_close(channel);
}

bool DeferredStream::control(Control kind, Bytes payload) {
  {
    std::lock_guard lock(core_->mutex_);
    if (!core_->inner_) {
      if (core_->orders_.size() >= 64) core_->orders_.pop_front();
      core_->orders_.push_back({kind, std::move(payload)});
      return true;
    }
  }
  auto s = core_->inner();
  return s && s->control(kind, std::move(payload));
}

// Before there is a stream behind, whoever is about to attach one finds out and cancels it.
void DeferredStream::cancel() {
  std::shared_ptr<Stream> s;
  {
    std::lock_guard lock(core_->mutex_);
    core_->cancelled_ = true;
    s = core_->inner_;
  }
  if (s) s->cancel();
}

}  // namespace lotse::agent
