// Whatever the file holds: a Config or complaints, each with a place within the file, and none of more than one line.
#include <cstdlib>

#include "core/config/config.h"

using namespace lotse;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  config::Complaints complaints("f");
  config::Config config = config::parse_config(text, "f", &complaints);
  for (const config::Complaint& complaint : complaints.list()) {
    if (complaint.sentence.empty() || complaint.sentence.find('\n') != std::string::npos) std::abort();
    if (complaint.place.line < 0 || size_t(complaint.place.line) > size + 1) std::abort();
  }
  std::vector<config::Key> keys(3);
  keys[0].name = "mode";
  keys[1].name = "nodes";
  keys[1].type = config::KeyType::kInteger;
  keys[2].name = "extra";
  keys[2].type = config::KeyType::kTable;
  MsgValue values = config::check_plugin(config, "runtime", "hollow", keys, &complaints);
  if (!values.is_map() || !MsgValue::parse(values.encode()).ok()) std::abort();
  return 0;
}
