// DNS messages (RFC 1035, 2782, 3596, 6891): what a query asks, and how an answer is put together. Parsing trusts nothing: every
// length is checked, compression pointers only go backwards.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lotse::network::dns {

enum Type : uint16_t { kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kTxt = 16, kAaaa = 28, kSrv = 33, kOpt = 41, kAny = 255 };
enum Code : uint8_t { kNoError = 0, kFormErr = 1, kServFail = 2, kNxDomain = 3, kNotImp = 4, kRefused = 5 };

struct Query {
  uint16_t id = 0;
  bool recursion = false;
  std::string name;      // lower case, without the last dot; "" is the root
  std::string raw_name;  // as it was asked (case kept), in wire form
  uint16_t type = 0, cls = 0;
  bool edns = false;
  uint16_t size_max = 512;
};

struct Record {
  std::string name;
  uint16_t type = 0;
  uint32_t ttl = 0;
  std::string data;  // as it stands on the wire, names uncompressed
};

struct Answer {
  Code code = kNoError;
  bool authoritative = true;
  std::vector<Record> answers, authority, additional;
};

// nullopt: not a query that deserves an answer.
std::optional<Query> parse_query(std::string_view message);
// Cut to size_max with the TC bit if it does not fit; size_max 0: 64 KiB (TCP).
std::string write(const Query& query, const Answer& answer, size_t size_max);
// A query to ask another server.
std::string write_query(uint16_t id, std::string_view name, uint16_t type);
// The answer section of somebody's response, with names written out. nullopt: damaged.
struct Response { uint16_t id = 0; Code code = kNoError; bool truncated = false; std::string question; uint16_t type = 0; std::vector<Record> answers; };
std::optional<Response> parse_response(std::string_view message);

std::string wire_name(std::string_view name);  // "a.b" -> 1a1b0
std::string address_data(std::string_view ip);  // 4 or 16 bytes; empty: not an address
Record address(std::string name, std::string_view ip, uint32_t ttl);
Record srv(std::string name, uint16_t port, std::string_view target, uint32_t ttl);

}  // namespace lotse::network::dns
