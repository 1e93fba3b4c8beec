#include "plugins/transport_rest/output.h"

#include <cstring>

namespace lotse::transport_rest {
namespace {
constexpr size_t kJoinBelow = 4096;  // short texts in a row become one
}

Body::Body(const lotse_bytes* parts, size_t count, void (*release)(void*), void* ctx)
    : parts_(parts), count_(count), release_(release), ctx_(ctx) {
  for (size_t i = 0; i < count; ++i) size_ += parts[i].size;
}

Body& Body::operator=(Body&& other) noexcept {
  if (this != &other) {
    reset();
    parts_ = std::exchange(other.parts_, nullptr);
    count_ = std::exchange(other.count_, 0);
    size_ = std::exchange(other.size_, 0);
    release_ = std::exchange(other.release_, nullptr);
    ctx_ = std::exchange(other.ctx_, nullptr);
  }
  return *this;
}

void Body::reset() {
  if (release_) std::exchange(release_, nullptr)(ctx_);
  parts_ = nullptr;
  count_ = 0;
  size_ = 0;
}

void Output::add(std::string text) {
  if (text.empty()) return;
  size_ += text.size();
  if (!items_.empty()) {
    if (auto* last = std::get_if<Text>(&items_.back()); last && last->text.size() + text.size() <= kJoinBelow) {
      last->text += text;
      return;
    }
  }
  items_.emplace_back(Text{std::move(text), 0});
}

void Output::add(Body body) {
  if (body.size() == 0) return;
  size_ += body.size();
  items_.emplace_back(Scatter{std::move(body), 0, 0});
}

void Output::add(std::unique_ptr<Source> source) { items_.emplace_back(Made{std::move(source), {}, 0, true}); }

std::string_view Output::front_of(Item& item) {
  if (auto* text = std::get_if<Text>(&item)) return std::string_view(text->text).substr(text->at);
  if (auto* scatter = std::get_if<Scatter>(&item)) {
    while (scatter->part < scatter->body.count() && scatter->at == scatter->body.part(scatter->part).size()) {
      ++scatter->part;
      scatter->at = 0;
    }
    return scatter->part < scatter->body.count() ? scatter->body.part(scatter->part).substr(scatter->at) : std::string_view();
  }
  auto& made = std::get<Made>(item);
  while (made.at == made.text.size() && made.more) {
    made.text.clear();
    made.at = 0;
    made.more = made.source->more(made.text);
    size_ += made.text.size();
  }
  return std::string_view(made.text).substr(made.at);
}

std::string_view Output::front() {
  while (!items_.empty()) {
    const std::string_view bytes = front_of(items_.front());
    if (!bytes.empty()) return bytes;
    items_.pop_front();
  }
  return {};
}

size_t Output::gather(iovec* vectors, size_t max) {
  if (front().empty()) return 0;
  size_t n = 0;
  for (size_t i = 0; i < items_.size() && n < max; ++i) {
    if (i > 0 && std::holds_alternative<Made>(items_[i])) break;
    std::string_view bytes = front_of(items_[i]);
    vectors[n++] = {const_cast<char*>(bytes.data()), bytes.size()};
    if (auto* scatter = std::get_if<Scatter>(&items_[i])) {
      for (size_t p = scatter->part + 1; p < scatter->body.count() && n < max; ++p) {
        bytes = scatter->body.part(p);
        if (!bytes.empty()) vectors[n++] = {const_cast<char*>(bytes.data()), bytes.size()};
      }
    }
  }
  return n;
}

size_t Output::copy(char* to, size_t max) {
  iovec vectors[64];
  const size_t n = gather(vectors, 64);
  size_t copied = 0;
  for (size_t i = 0; i < n && copied < max; ++i) {
    const size_t take = std::min(vectors[i].iov_len, max - copied);
    std::memcpy(to + copied, vectors[i].iov_base, take);
    copied += take;
  }
  return copied;
}

void Output::consume(size_t bytes) {
  while (bytes > 0) {
    const size_t here = std::min(front().size(), bytes);
    auto& item = items_.front();
    if (auto* text = std::get_if<Text>(&item)) text->at += here;
    else if (auto* scatter = std::get_if<Scatter>(&item)) scatter->at += here;
    else std::get<Made>(item).at += here;
    size_ -= here;
    bytes -= here;
  }
  // Lets go of what is finished at once: a body must not wait for the next request to be released.
  while (!items_.empty() && !std::holds_alternative<Made>(items_.front()) && front_of(items_.front()).empty()) items_.pop_front();
  if (auto* made = items_.empty() ? nullptr : std::get_if<Made>(&items_.front())) {
    if (!made->more && made->at == made->text.size()) items_.pop_front();
  }
}

void Output::clear() {
  items_.clear();
  size_ = 0;
}

}  // namespace lotse::transport_rest
