#include "plugins/transport_rest/exit_status.h"

#include <lotse/abi/types.h>

#include <lotse/msgpack.hpp>

#include "plugins/transport_rest/refusal.h"

namespace lotse::transport_rest {

std::optional<int> channel_protocol_version(std::string_view name) {
  if (name.empty() || name == "channel.k8s.io") return 1;
  if (name.size() == 17 && name[0] == 'v' && name.substr(2) == ".channel.k8s.io" && name[1] >= '2' && name[1] <= '5') return name[1] - '0';
  return std::nullopt;
}

std::string exit_status(int version, int32_t code, std::string_view payload) {
  const int64_t exit = code == LOTSE_OK ? exit_code_of(payload) : 0;
  std::string message;
  if (code != LOTSE_OK) {
    message = payload.empty() ? "the command's stream ended early" : std::string(payload);
  } else if (exit != 0) {
    message = "command terminated with non-zero exit code: exit status " + std::to_string(exit);
  }
  if (version < 4) return message;
  if (message.empty()) return R"({"metadata":{},"status":"Success"})";
  std::string out = R"({"metadata":{},"status":"Failure","message":")";
  append_json_text(out, message);
  if (code == LOTSE_OK) {
    out += R"(","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":")";
    return out.append(std::to_string(exit)).append("\"}]}}");
  }
  out += R"(","reason":"InternalError","details":{"causes":[{"message":")";
  append_json_text(out, message);
  return out.append("\"}]},\"code\":500}");
}

int64_t exit_code_of(std::string_view payload) {
  try {
    return sdk::Msg::parse(payload)["exit_code"].as_int();
  } catch (const sdk::Failure&) {  // not MessagePack: it says nothing
    return 0;
  }
}

namespace {

std::optional<uint16_t> number_after(std::string_view text, std::string_view key) {
  const size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  size_t i = at + key.size();
  while (i < text.size() && (text[i] == ' ' || text[i] == ':' || text[i] == '\t')) ++i;
  uint32_t value = 0;
  const size_t from = i;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    value = value * 10 + static_cast<uint32_t>(text[i] - '0');
    if (value > 0xFFFF) return std::nullopt;
  }
  return i == from ? std::nullopt : std::optional(static_cast<uint16_t>(value));
}

}  // namespace

std::optional<TerminalSize> take_terminal_size(std::string& text) {
  constexpr size_t kTextMax = 1024;
  std::optional<TerminalSize> last;
  for (size_t end; (end = text.find('}')) != std::string::npos; text.erase(0, end + 1)) {
    const std::string_view one = std::string_view(text).substr(0, end);
    const auto width = number_after(one, "\"Width\""), height = number_after(one, "\"Height\"");
    if (width && height) last = TerminalSize{*width, *height};
  }
  if (text.size() > kTextMax) text.clear();  // no size is that long
  return last;
}

}  // namespace lotse::transport_rest
