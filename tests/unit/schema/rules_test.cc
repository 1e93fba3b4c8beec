// rules.txt: an object, an edit of it, and the one cause that this must have.
#include <catch2/catch.hpp>
#include <sstream>

#include "unit/schema/edit.h"

using namespace lotse;
using namespace lotse::schema;

namespace {

struct Row {
  int line;
  Operation operation = Operation::kCreate;
  std::string edits, field, reason, message;
};

std::vector<std::string> columns(const std::string& line) {
  std::vector<std::string> out;
  for (size_t at = 0;;) {
    const size_t end = std::min(line.find(" | ", at), line.size());
    out.push_back(line.substr(at, end - at));
    if (end == line.size()) return out;
    at = end + 3;
  }
}

std::vector<Cause> causes_of(const json::Value& base, const Row& row) {
  const ResourceInfo& resource = resource_of(base);
  if (row.operation == Operation::kCreate) {
    json::Value object = base;
    edit(&object, row.edits);
    object = admitted(resource, std::move(object), nullptr, row.operation);
    return validate(resource, object, nullptr, row.operation);
  }
  const json::Value old = admitted(resource, base, nullptr, Operation::kCreate);
  json::Value object = old;
  edit(&object, row.edits);
  object = admitted(resource, std::move(object), &old, row.operation);
  return validate(resource, object, &old, row.operation);
}

void check_row(const json::Value& base, const Row& row) {
  const std::vector<Cause> causes = causes_of(base, row);
  std::string all;
  for (const Cause& c : causes) all += "\n  " + c.field + " | " + c.reason + " | " + c.message;
  INFO("rules.txt:" << row.line << ": " << row.edits << all);
  if (row.field == "ok") {
    CHECK(causes.empty());
    return;
  }
  const bool found = std::any_of(causes.begin(), causes.end(), [&](const Cause& c) {
    return c.field == row.field && c.reason == "FieldValue" + row.reason && c.message.starts_with(row.message);
  });
  CHECK(found);
  CHECK(causes.size() <= 3);  // a rule broken once does not raise an avalanche
}

Row parse_row(const std::string& line, int number) {
  const std::vector<std::string> c = columns(line);
  INFO("rules.txt:" << number << ": " << line);
  REQUIRE((c.size() == 4 || (c.size() == 2 && c[1] == "ok")));
  Row row{number, Operation::kCreate, c[0], c[1], c.size() > 2 ? c[2] : "", c.size() > 3 ? c[3] : ""};
  constexpr std::pair<std::string_view, Operation> kPrefixes[] = {{"update: ", Operation::kUpdate},
                                                                  {"status: ", Operation::kUpdateStatus},
                                                                  {"resize: ", Operation::kResize},
                                                                  {"ephemeral: ", Operation::kEphemeralContainers}};
  for (auto [prefix, operation] : kPrefixes) {
    if (row.edits.starts_with(prefix)) row.operation = operation, row.edits = row.edits.substr(prefix.size());
  }
  return row;
}

}  // namespace

TEST_CASE("every rule of rules.txt holds") {
  std::istringstream in(read_file(LOTSE_SOURCE_DIR "/tests/unit/schema/rules.txt"));
  json::Value base;
  std::string line, document;
  int number = 0, rows = 0;
  while (std::getline(in, line)) {
    ++number;
    if (line.starts_with("  ")) {
      document += line.substr(2) + "\n";
      continue;
    }
    if (!document.empty()) {
      base = yaml(document);
      document.clear();
      check_row(base, Row{number, Operation::kCreate, "", "ok", "", ""});
    }
    if (line.empty() || line[0] == '#') continue;
    check_row(base, parse_row(line, number));
    ++rows;
  }
  CHECK(rows >= 200);
}
