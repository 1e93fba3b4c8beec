#include <unistd.h>

#include <fstream>

#include "sdk/conformance/runtime/cases.h"

namespace lotse::conformance {
namespace {

using Table = lotse_runtime;

Msg image_map(const std::string& image) {
  return Msg::map({{"image", image}});
}

bool listed(RuntimeBed& bed, const std::string& name) {
  Msg list = bed.must(&Table::image_list, Msg::map());
  for (auto& image : list["items"].items()) {
    for (auto& one : image["names"].items()) {
      if (one.as_text() == name) return true;
    }
  }
  return false;
}

void comes_and_goes(RuntimeBed& bed) {
  const std::string& name = bed.setting().archive_image;
  bed.must(&Table::image_remove, image_map(name));
  require(bed.ask(&Table::image_status, image_map(name)).code == LOTSE_NOT_FOUND,
          "an image that is not there has a status");
  for (int i = 0; i < 3; i++) {
    Msg images = bed.must(&Table::image_import, Msg::map({{"path", bed.setting().archive}}))["images"];
    require(images.items().size() == 1 && images.items()[0].as_text() == name, "image_import named other images");
  }
  Msg status = bed.must(&Table::image_status, image_map(name));
  require(status["bytes"].as_int() > 0 && !status["id"].as_text().empty(), "the image's status lacks something");
  require(bed.must(&Table::image_status, image_map(status["id"].str()))["id"] == status["id"],
          "the image is not found by id");
  require(listed(bed, name), "the image is not listed");
  for (int i = 0; i < 3; i++) bed.must(&Table::image_remove, image_map(name));
  require(!listed(bed, name), "the image is still listed");
}

void runs_what_was_imported(RuntimeBed& bed) {
  const std::string& name = bed.setting().archive_image;
  bed.must(&Table::image_import, Msg::map({{"path", bed.setting().archive}}));
  Msg wanted = bed.container_request(bed.sandbox("imported"), "main", {"sh", "-c", "exit 6"});
  wanted.set("image", name);
  std::string id = bed.container(wanted);
  bed.must(&Table::container_start, Msg::map({{"id", id}}));
  require(bed.until(id, "exited")["exit_code"].as_int() == 6, "what was imported does not run");
}

void refuses_bad_archives(RuntimeBed& bed) {
  std::ifstream file(bed.setting().archive, std::ios::binary);
  std::string good((std::istreambuf_iterator<char>(file)), {});
  std::string path = bed.setting().directory + "/bad.tar";
  auto refused = [&](const std::string& bytes, const char* what) {
    std::ofstream(path, std::ios::binary) << bytes;
    Answer answer = bed.ask(&Table::image_import, Msg::map({{"path", path}}));
    require(answer.code == LOTSE_INVALID,
            std::string(what) + " ended with code " + std::to_string(answer.code) + " " + answer.text);
  };
  refused("", "an empty file");
  refused(std::string(4096, 'x'), "a file that is no tar");
  refused(good.substr(0, good.size() / 2), "half an archive");
  std::string bent = good;
  bent[20] = static_cast<char>(bent[20] ^ 1);
  refused(bent, "an archive with a flipped bit in a header");
  if (!bed.setting().corrupt_archive.empty()) {
    Answer answer = bed.ask(&Table::image_import, Msg::map({{"path", bed.setting().corrupt_archive}}));
    require(answer.code == LOTSE_INVALID, "a layer that is not what it is said to be ended with code " +
                                              std::to_string(answer.code) + " " + answer.text);
  }
  refused(std::string(1024, '\0'), "an archive with nothing in it");
  require(bed.ask(&Table::image_import, Msg::map({{"path", "/no/such/file"}})).code == LOTSE_NOT_FOUND,
          "a missing file is not told");
  require(!bed.ask(&Table::image_import, Msg::map({{"path", "/dev/zero"}})).ok(), "/dev/zero was read");
  unlink(path.c_str());
}

void measures_its_disk(RuntimeBed& bed) {
  for (int i = 0; i < 200; i++) {  // measured in the background
    Answer answer = bed.ask(&Table::image_fs, Msg::map());
    if (answer.ok()) {
      require(!answer.value["path"].as_text().empty() && answer.value["used_bytes"].as_int() >= 0,
              "image_fs lacks something");
      return;
    }
    usleep(100'000);
  }
  throw Wrong{"image_fs never answered"};
}

void pull_fails_clearly(RuntimeBed& bed) {
  Stream stream(bed.runtime(), bed.runtime()->image_pull, image_map("127.0.0.1:9/no/such:image"));
  require(stream.opened() == LOTSE_OK, stream.refusal());
  stream.grant(1 << 20);
  Answer end = stream.end();
  require(!end.ok() && !end.text.empty(), "a pull from nowhere did not fail");
}

}  // namespace

std::vector<RuntimeCase> image_cases() {
  return {{"images", "images come, are listed and go", true, comes_and_goes},
          {"imported", "what was imported runs", true, runs_what_was_imported},
          {"bad-archives", "bad archives are refused", true, refuses_bad_archives},
          {"image-fs", "measures its disk", false, measures_its_disk},
          {"pull", "a pull that cannot succeed says so", true, pull_fails_clearly}};
}

}  // namespace lotse::conformance
