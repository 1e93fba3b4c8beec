#include "core/object/object.h"

#include <catch2/catch.hpp>

using namespace lotse;

static ObjectPtr object(std::string_view text, uint64_t revision = 0) {
  return Object::from_value(*json::parse(text), revision);
}

TEST_CASE("the header has what the document says") {
  auto pod = object(
      R"({"kind":"Pod","apiVersion":"v1","spec":{"containers":[{"name":"c \"}]\\"}],"nodeName":"n1"},"status":{"nodeName":"no"},
    "metadata":{"name":"a","namespace":"ns","uid":"u","resourceVersion":"7","labels":{"b":"2","a":"1","q\"":"\n"},
    "annotations":{"name":"not me"},"finalizers":["f/1"],"creationTimestamp":"2026-01-02T03:04:05Z","deletionTimestamp":null,
    "ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"rs","uid":"ru","controller":true,"blockOwnerDeletion":false}]}})");
  const ObjectHeader& h = pod->header();
  CHECK(h.api_version == "v1");
  CHECK(h.kind == "Pod");
  CHECK(h.ns == "ns");
  CHECK(h.name == "a");
  CHECK(h.uid == "u");
  CHECK(h.labels == Labels{{"a", "1"}, {"b", "2"}, {"q\"", "\n"}});
  CHECK(h.label("b") == "2");
  CHECK(h.label("c") == "");
  CHECK(h.finalizers == std::vector<std::string>{"f/1"});
  CHECK(format_time(h.created) == "2026-01-02T03:04:05Z");
  CHECK(h.deletion == WallTime{});
  CHECK(h.node_name == "n1");
  REQUIRE(h.controller());
  CHECK(h.controller()->name == "rs");
  CHECK(h.owners[0].uid == "ru");
  CHECK_FALSE(h.owners[0].block_owner_deletion);
  CHECK(pod->text().find("resourceVersion") == std::string::npos);
}

TEST_CASE("the revision is spliced in where its key belongs") {
  const auto out = [](std::string_view text) { return object(text, 42)->text(); };
  CHECK(out(R"({"metadata":{"name":"a","uid":"u"}})") ==
        R"({"metadata":{"name":"a","resourceVersion":"42","uid":"u"}})");
  CHECK(out(R"({"metadata":{"uid":"u"}})") == R"({"metadata":{"resourceVersion":"42","uid":"u"}})");
  CHECK(out(R"({"metadata":{"name":"a"},"spec":{}})") ==
        R"({"metadata":{"name":"a","resourceVersion":"42"},"spec":{}})");
  CHECK(out(R"({"metadata":{}})") == R"({"metadata":{"resourceVersion":"42"}})");
  CHECK(out(R"({"kind":"K"})") == R"({"kind":"K","metadata":{"resourceVersion":"42"}})");
  for (std::string_view text :
       {R"({"metadata":{"name":"a","uid":"u"}})", R"({"metadata":{"name":"a"}})", R"({"metadata":{}})"}) {
    CHECK(object(text, 42)->text() == json::write(object(text, 42)->value()));
  }
}

TEST_CASE("bytes that are no object are refused") {
  for (std::string_view text :
       {"", "{", "[]", "{}", R"({"metadata":1})", R"({"metadata":{"resourceVersion":"1"}})", R"({"metadata":{}}x)",
        R"({"metadata":{"labels":{"a)", R"({"metadata":{"ownerReferences":[1]}})"}) {
    INFO(text);
    CHECK_FALSE(Object::from_bytes(Bytes(text), 1).ok());
  }
}
