#include <zlib.h>

#include <catch2/catch.hpp>

#include "plugins/transport_rest/gzip_source.h"

using namespace lotse::transport_rest;

namespace {

struct Scattered {
  std::vector<std::string> texts;
  std::vector<lotse_bytes> parts;
  int released = 0;
  explicit Scattered(std::vector<std::string> t) : texts(std::move(t)) {
    for (const auto& text : texts) parts.push_back({text.data(), text.size()});
  }
  Body body() {
    return Body(parts.data(), parts.size(), [](void* ctx) { ++static_cast<Scattered*>(ctx)->released; }, this);
  }
};

std::string drain(Output& output, size_t step) {
  std::string all;
  for (;;) {
    std::string piece(step, '\0');
    piece.resize(output.copy(piece.data(), step));
    if (piece.empty()) return all;
    all += piece;
    output.consume(piece.size());
  }
}

std::string gunzip_chunked(std::string_view chunked) {
  std::string packed, out;
  for (;;) {
    const size_t line = chunked.find("\r\n");
    REQUIRE(line != std::string_view::npos);
    const size_t size = std::stoul(std::string(chunked.substr(0, line)), nullptr, 16);
    packed += chunked.substr(line + 2, size);
    chunked.remove_prefix(line + 2 + size + 2);
    if (size == 0) break;
  }
  CHECK(chunked.empty());
  z_stream z{};
  inflateInit2(&z, 15 + 16);
  z.next_in = reinterpret_cast<Bytef*>(packed.data());
  z.avail_in = static_cast<uInt>(packed.size());
  int result = Z_OK;
  while (result == Z_OK) {
    char buffer[8192];
    z.next_out = reinterpret_cast<Bytef*>(buffer);
    z.avail_out = sizeof buffer;
    result = inflate(&z, Z_NO_FLUSH);
    out.append(buffer, sizeof buffer - z.avail_out);
  }
  inflateEnd(&z);
  CHECK(result == Z_STREAM_END);
  return out;
}

}  // namespace

TEST_CASE("texts and scatter lists come out in order, and a list is released with its last byte") {
  for (size_t step : {1u, 3u, 5u, 100u}) {
    Scattered list({"one", "", "two", "three", ""});
    Output output;
    output.add("head ");
    output.add(list.body());
    output.add(" tail");
    CHECK(output.size() == 5 + 11 + 5);
    iovec vectors[8];
    CHECK(output.gather(vectors, 8) == 5);
    CHECK(drain(output, step) == "head onetwothree tail");
    CHECK(output.size() == 0);
    CHECK(output.empty());
    CHECK(list.released == 1);
  }
}

TEST_CASE("a body that is given up is released too") {
  Scattered list({"one"});
  Output output;
  output.add(list.body());
  CHECK(list.released == 0);
  output.clear();
  CHECK(list.released == 1);
  Scattered empty({});
  output.add(empty.body());
  CHECK(output.empty());
  CHECK(empty.released == 1);
}

TEST_CASE("a large list is compressed while it is sent") {
  std::vector<std::string> texts;
  std::string want;
  for (int i = 0; i < 3000; ++i) {
    texts.push_back("{\"metadata\":{\"name\":\"config-" + std::to_string(i * 7919) + "\"},\"data\":{\"k\":\"" + std::string(200, static_cast<char>('a' + i % 26)) + "\"}}");
    want += texts.back();
  }
  Scattered list(std::move(texts));
  Output output;
  output.add("HEAD\r\n\r\n");
  output.add(make_gzip_source(list.body()));
  const std::string sent = drain(output, 10000);
  REQUIRE(sent.starts_with("HEAD\r\n\r\n"));
  CHECK(sent.size() < want.size() / 4);
  CHECK(gunzip_chunked(std::string_view(sent).substr(8)) == want);
  CHECK(list.released == 1);
  CHECK(output.empty());
}
