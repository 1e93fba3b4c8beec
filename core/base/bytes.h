// Bytes: an immutable, shared byte string: one allocation, one atomic count, cheap to copy between threads. Objects,
// frames and bodies are passed in this form and never copied.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace lotse {

class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(std::string_view text);
  // Joins the parts in one allocation.
  static Bytes join(std::initializer_list<std::string_view> parts);
  static Bytes take(std::string text);  // without a copy
  // Bytes that somebody else holds: release(ctx) is called with the last reference, on whatever thread that is.
  static Bytes adopt(std::string_view text, void (*release)(void*), void* ctx);
  Bytes(const Bytes& o) noexcept : block_(o.block_) { if (block_) block_->count.fetch_add(1, std::memory_order_relaxed); }
  Bytes(Bytes&& o) noexcept : block_(o.block_) { o.block_ = nullptr; }
  Bytes& operator=(Bytes o) noexcept { std::swap(block_, o.block_); return *this; }
  ~Bytes() { if (block_ && block_->count.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(block_); }
  std::string_view view() const { return block_ ? std::string_view(block_->data, block_->size) : std::string_view(); }
  operator std::string_view() const { return view(); }
  const char* data() const { return view().data(); }
  size_t size() const { return block_ ? block_->size : 0; }
  bool empty() const { return size() == 0; }
  friend bool operator==(const Bytes& a, const Bytes& b) { return a.block_ == b.block_ || a.view() == b.view(); }

 private:
  struct Block {
    std::atomic<uint32_t> count{1};
    size_t size = 0;
    const char* data = nullptr;  // behind the block, or somebody else's
    void (*release)(void*) = nullptr;
    void* ctx = nullptr;
  };
  static void destroy(Block* block);
  static Block* make(size_t size);
  Block* block_ = nullptr;
};

}  // namespace lotse
