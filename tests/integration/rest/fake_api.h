// lotse.host.api/1 with canned resources: enough for kubectl's exec, cp and port-forward, for load, and for tests that
// want to see what a transport made of a request (resource "echoes" says it back).
#pragma once
#include <lotse/abi/transport.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace lotse::sdk {
class Producer;
}

namespace lotse::fake {

class Api {
 public:
  Api(size_t configmaps, size_t bytes);
  const lotse_host_api* table() const { return &table_; }

 private:
  struct Reply;
  static uint64_t submit(void* self, const lotse_api_request* request, const lotse_api_reply* reply);
  static void cancel(void* self, uint64_t id);
  static int32_t open(void* self, uint64_t stream_id, const lotse_stream_sink* sink, lotse_stream* stream);
  void answer(const lotse_api_request& request, const lotse_api_reply& reply, uint64_t id);
  std::shared_ptr<sdk::Producer> stream_for(const lotse_api_request& request, uint32_t* upgrade);

  lotse_host_api table_;
  std::mutex mutex_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, std::shared_ptr<sdk::Producer>> streams_;  // not opened yet
  std::vector<std::string> configmaps_;
  std::vector<lotse_bytes> list_;
  std::string list_head_, list_tail_;
};

}  // namespace lotse::fake
