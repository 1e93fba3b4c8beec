// DNS messages as hostile bytes: a question that is read can be answered within its limit, and what is read of a response
// can be written and read again.
#include <cstdlib>

#include "core/network/dns_zone.h"

using namespace lotse::network;
using namespace lotse::network::dns;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Services services("n1");
  static const Zone zone("cluster.local", services);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto query = parse_query(bytes)) {
    if (query->name.size() > 253 || query->size_max < 512 || query->size_max > 1232) std::abort();
    std::string ask_for;
    Answer answer = zone.answer(*query, &ask_for).value_or(Answer{});
    const std::string out = write(*query, answer, query->size_max);
    if (out.size() > query->size_max) std::abort();
    auto back = parse_response(out);
    if (!back || back->id != query->id || back->question != query->name) std::abort();
  }
  if (auto response = parse_response(bytes)) {
    Query query;
    query.id = response->id;
    query.raw_name = wire_name(response->question);
    Answer answer;
    answer.answers = response->answers;
    (void)write(query, answer, 0);
    (void)write(query, answer, 512);
  }
  return 0;
}
