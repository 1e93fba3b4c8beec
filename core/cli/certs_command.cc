#include "core/cli/cluster.h"
#include "core/operator/certificates.h"

namespace lotse::cli {

int show_certificates(const std::string& data_dir, WallTime now, Format format, Streams streams) {
  const auto list = ops::certificates(data_dir);
  if (list.empty()) {
    streams.err << "lotse: there are no certificates in " << data_dir << ": they are on the masters (a worker is known by its key, which has no end), and may be read by root only\n";
    return kExitFailed;
  }
  bool good = true;
  std::vector<std::vector<std::string>> rows = {{"NAME", "EXPIRES", "MADE ANEW AFTER", "STATE", "WHAT"}};
  for (const auto& c : list) {
    good = good && ops::age(c, now) == ops::Age::kGood;
    rows.push_back({c.name, c.problem.empty() ? format_time(c.until) : "-", c.renewed == WallTime{} ? "-" : format_time(c.renewed), ops::describe(c, now), c.purpose});
  }
  streams.out << (format == Format::kText ? table(rows) : write_facts(ops::as_json(list, now), format));
  return good ? kExitOk : kExitFailed;
}

}  // namespace lotse::cli
