// The cells of single kinds for Table output, as upstream's printers compute them. Private to this room.
#pragma once
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/object/json.h"

namespace lotse::schema {

using Cells = std::vector<json::Value>;

std::string age(const json::Value& time, WallTime now);  // "5d3h", or "<unknown>"
std::string or_none(std::string text);                   // "<none>" for nothing
std::string label_text(const json::Value& map);          // "a=1,b=2"
// Containers, Images and Selector of a workload.
void append_workload(const json::Value& object, Cells* cells);

Cells row_pod(const json::Value& pod, WallTime now);
Cells row_service(const json::Value& service, WallTime now);
Cells row_endpoints(const json::Value& endpoints, WallTime now);
Cells row_endpoint_slice(const json::Value& slice, WallTime now);
Cells row_node(const json::Value& node, WallTime now);
Cells row_event(const json::Value& event, WallTime now);
Cells row_binding(const json::Value& binding, WallTime now);
Cells row_quota(const json::Value& quota, WallTime now);

}  // namespace lotse::schema
