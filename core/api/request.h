// A request as the API server knows it, and its answer, whatever wire they came over: sdk/include/lotse/abi/transport.h in C++.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/status.h"
#include "core/base/stream.h"
#include "core/security/identity.h"

namespace lotse::api {

enum class Verb : uint8_t {
  kGet = 1, kList, kWatch, kCreate, kUpdate, kPatch, kDelete, kDeleteCollection, kConnect, kHead, kPost, kPut, kOptions
};
std::string_view verb_name(Verb verb);  // "get", ..., for authorization and logs

struct Request {
  Verb verb = Verb::kGet;
  std::string group, version, resource, ns, name, subresource;  // resource empty: a path
  std::string path;      // non-resource; for proxy what follows it
  std::string method;    // connect
  std::vector<std::pair<std::string, std::string>> options;  // as in the URL's query
  std::string content_type, accept, user_agent;
  std::vector<std::pair<std::string, std::string>> headers;
  Bytes body;
  security::Peer peer;
  SteadyTime deadline{};  // zero: the server's own
  // Of the leader's own requests: the revision of the fence (fence.h), a guard of every commit that the request makes. 0: none.
  uint64_t fence = 0;
  std::string_view option(std::string_view name) const;  // "" if absent
  bool has_option(std::string_view name) const;
  std::vector<std::string_view> option_values(std::string_view name) const;
};

enum class Upgrade : uint8_t { kNone, kChannels, kPortForward, kRaw };

// Opens the stream of an answer, once.
using OpenStream = std::function<Result<StreamPtr>(SinkPtr sink)>;

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<Bytes> body;   // a scatter list; small pieces (spliced revisions, commas) are Bytes as well
  OpenStream stream;         // watch, logs, connect
  Upgrade upgrade = Upgrade::kNone;
  std::string text() const;  // the body in one piece (controllers, tests)
};
using Respond = std::function<void(Response)>;

// Whoever answers requests: the server itself (core/api/server.h), or a session to one (core/bus).
class Handler {
 public:
  virtual ~Handler() = default;
  // [any thread] respond comes exactly once, possibly from within, possibly from another thread. Setting *cancelled gives up:
  // respond may then come early with kCancelled.
  virtual void handle(Request request, Respond respond) = 0;
};

Response status_response(const Status& status);  // an object of kind Status
Status status_of(const Response& response);      // back again; ok for 2xx

}  // namespace lotse::api
