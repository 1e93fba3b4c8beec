// How a command prints what it found out: a table for people, JSON or YAML for programs, all from one document.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/msgpack.h"
#include "core/base/result.h"
#include "core/cli/commands.h"
#include "core/object/json.h"

namespace lotse::cli {

// "json", "yaml"; every other word (and none) is for people.
Format format_of(std::string_view name);

// Block style; texts that YAML might read as something else are quoted as in JSON.
std::string yaml(const json::Value& value);
// As `format` wants it; REQUIRES: not kText.
std::string write_facts(const json::Value& value, Format format);

// Columns as wide as their widest cell, three spaces between them.
std::string table(const std::vector<std::vector<std::string>>& rows);

// A command of the daemon that answers {"output": "json"} with a document.
int ask_for_facts(const std::string& data_dir, MsgValue request, Format format, Streams streams);

}  // namespace lotse::cli
