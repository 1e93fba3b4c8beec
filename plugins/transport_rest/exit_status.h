// How an exec or attach ended, in the words of Kubernetes' remote command protocol.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lotse::transport_rest {

// "v4.channel.k8s.io" -> 4, "channel.k8s.io" and "" -> 1; nothing for others. base64 variants are not spoken.
std::optional<int> channel_protocol_version(std::string_view name);

// What goes to the error channel at the end. `code` is an enum lotse_code; the payload of LOTSE_OK is MessagePack
// {"exit_code": int}, otherwise a sentence. Version 4 and above: a metav1.Status as JSON, also for success; below: a
// sentence, or nothing for success.
std::string exit_status(int version, int32_t code, std::string_view payload);

// "exit_code" out of the MessagePack map; 0 if it does not say.
int64_t exit_code_of(std::string_view payload);

// {"Width":80,"Height":24} as clients send it on the resize channel; several may follow each other without space, and
// one may come in pieces: `text` keeps what is incomplete. Returns the last complete one.
struct TerminalSize {
  uint16_t width = 0, height = 0;
};
std::optional<TerminalSize> take_terminal_size(std::string& text);

}  // namespace lotse::transport_rest
