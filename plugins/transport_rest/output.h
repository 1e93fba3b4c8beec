// What a connection has yet to send: text of its own, scatter lists of the host (sent without a copy and released when
// the last byte has left) and sources that make more when asked (compression). Used by one thread only.
#pragma once
#include <lotse/abi/transport.h>
#include <sys/uio.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace lotse::transport_rest {

// A response's scatter list. Releases it when it goes.
class Body {
 public:
  Body() = default;
  Body(const lotse_bytes* parts, size_t count, void (*release)(void*), void* ctx);
  Body(Body&& other) noexcept { *this = std::move(other); }
  Body& operator=(Body&& other) noexcept;
  ~Body() { reset(); }
  void reset();
  uint64_t size() const { return size_; }
  size_t count() const { return count_; }
  std::string_view part(size_t i) const { return {static_cast<const char*>(parts_[i].data), parts_[i].size}; }

 private:
  const lotse_bytes* parts_ = nullptr;
  size_t count_ = 0;
  uint64_t size_ = 0;
  void (*release_)(void*) = nullptr;
  void* ctx_ = nullptr;
};

class Source {
 public:
  virtual ~Source() = default;
  // Appends the next bytes; false when these were the last.
  virtual bool more(std::string& out) = 0;
};

class Output {
 public:
  void add(std::string text);
  void add(Body body);
  void add(std::unique_ptr<Source> source);
  bool empty() const { return items_.empty(); }
  // Bytes that are ready to go; a source counts with what it has made so far.
  uint64_t size() const { return size_; }
  // The next contiguous bytes; asks sources. Empty only if there is nothing at all.
  std::string_view front();
  // Fills up to `max` vectors without consuming; returns how many.
  size_t gather(iovec* vectors, size_t max);
  // Copies up to `max` bytes to `to` without consuming.
  size_t copy(char* to, size_t max);
  void consume(size_t bytes);
  void clear();

 private:
  struct Text {
    std::string text;
    size_t at = 0;
  };
  struct Scatter {
    Body body;
    size_t part = 0, at = 0;
  };
  struct Made {
    std::unique_ptr<Source> source;
    std::string text;
    size_t at = 0;
    bool more = true;
  };
  using Item = std::variant<Text, Scatter, Made>;
  std::string_view front_of(Item& item);
  std::deque<Item> items_;
  uint64_t size_ = 0;
};

}  // namespace lotse::transport_rest
