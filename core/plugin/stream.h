// lotse_stream <-> lotse::Stream, both ways.
#pragma once
#include <functional>

#include "core/base/result.h"
#include "core/base/stream.h"
#include "lotse/abi/runtime.h"

namespace lotse::plugin {

// Opens a stream of a plugin: `open` is the call of the ABI. The sink is called on the plugin's threads, by the
// stream's rules. Destroying the Stream cancels; the sink is held until on_end.
using OpenFn = std::function<int32_t(const lotse_stream_sink* sink, lotse_stream* stream, lotse_error* error)>;
Result<StreamPtr> open_stream(const OpenFn& open, SinkPtr sink);
// The same for a message function; NULL: kMethodNotAllowed.
Result<StreamPtr> open_message_stream(lotse_message_stream_fn fn, void* self, std::string_view request, SinkPtr sink);

// The other way: a plugin opens a stream of ours. `open` makes it for the sink that it is given; returns a lotse_code.
using ServeFn = std::function<Result<StreamPtr>(SinkPtr sink)>;
int32_t serve_stream(const ServeFn& open, const lotse_stream_sink* sink, lotse_stream* stream, lotse_error* error);

}  // namespace lotse::plugin
