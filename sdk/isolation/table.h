// Table: a kind's struct of functions, each of which is forwarded to a NearEnd: what the daemon takes for the instance.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "sdk/isolation/near_end.h"

namespace lotse::isolation {

class Table {
 public:
  // `functions` lives as long as the table.
  explicit Table(const Functions& functions);
  virtual ~Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  const lotse_instance* instance() const { return reinterpret_cast<const lotse_instance*>(memory_.data()); }

 protected:
  // [any] The end to forward to, or nullptr with the reason.
  virtual std::shared_ptr<NearEnd> near(std::string* why) = 0;
  virtual void destroy() = 0;                                             // [init]
  virtual int32_t reconfigure(lotse_bytes config, lotse_error* error) = 0;  // [worker]

 private:
  template <size_t Index>
  static void call_c(void* self, lotse_bytes request, const lotse_call* call);
  template <size_t Index>
  static int32_t open_c(void* self, lotse_bytes request, const lotse_stream_sink* sink, lotse_stream* stream,
                        lotse_error* error);
  template <class Fn>
  void set(size_t offset, Fn fn);
  template <size_t... I>
  void fill_calls(const Functions& functions, std::index_sequence<I...>);
  template <size_t... I>
  void fill_streams(const Functions& functions, std::index_sequence<I...>);

  std::vector<uint64_t> memory_;
};

}  // namespace lotse::isolation
