#include "core/base/bytes.h"

#include <cstring>
#include <new>

namespace lotse {

Bytes::Block* Bytes::make(size_t size) {
  void* memory = ::operator new(sizeof(Block) + size);
  Block* block = new (memory) Block;
  block->size = size;
  block->data = reinterpret_cast<const char*>(block + 1);
  return block;
}

void Bytes::destroy(Block* block) {
  if (block->release) block->release(block->ctx);
  block->~Block();
  ::operator delete(block);
}

Bytes::Bytes(std::string_view text) {
  if (text.empty()) return;
  block_ = make(text.size());
  std::memcpy(const_cast<char*>(block_->data), text.data(), text.size());
}

Bytes Bytes::join(std::initializer_list<std::string_view> parts) {
  size_t size = 0;
  for (std::string_view part : parts) size += part.size();
  Bytes joined;
  if (size == 0) return joined;
  joined.block_ = make(size);
  char* out = const_cast<char*>(joined.block_->data);
  for (std::string_view part : parts) {
    if (!part.empty()) std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
  return joined;
}

Bytes Bytes::take(std::string text) {
  if (text.empty()) return {};
  auto* held = new std::string(std::move(text));
  return adopt(*held, [](void* ctx) { delete static_cast<std::string*>(ctx); }, held);
}

Bytes Bytes::adopt(std::string_view text, void (*release)(void*), void* ctx) {
  Bytes adopted;
  adopted.block_ = make(0);
  adopted.block_->size = text.size();
  adopted.block_->data = text.data();
  adopted.block_->release = release;
  adopted.block_->ctx = ctx;
  return adopted;
}

}  // namespace lotse
