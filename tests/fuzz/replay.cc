// Runs a fuzz target on every file of a corpus, and on mutations of each from a fixed seed: quick enough for every
// test run, and the same every time. A crash names the input by having written it to standard error before.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutationsPerFile = 300;

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

std::string mutated(std::string input, std::mt19937* random) {
  const auto below = [random](size_t n) { return static_cast<size_t>((*random)() % n); };
  for (size_t i = 1 + below(4); i > 0 && !input.empty(); --i) {
    const size_t at = below(input.size());
    switch (below(5)) {
      case 0:
        input[at] = static_cast<char>(below(256));
        break;
      case 1:
        input.erase(at, 1 + below(8));
        break;
      case 2:
        input.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 3:
        input.insert(at, input.substr(below(input.size()), below(32)));
        break;
      case 4:
        input.resize(at);
        break;
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s CORPUS\n", argv[0]), 2;
  std::vector<std::filesystem::path> files;
  for (auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::mt19937 random(1);
  for (auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string input((std::istreambuf_iterator<char>(in)), {});
    std::fprintf(stderr, "%s\n", file.filename().c_str());
    run(input);
    for (int i = 0; i < kMutationsPerFile; ++i) run(mutated(input, &random));
  }
  std::printf("%zu files, %zu inputs\n", files.size(), files.size() * (kMutationsPerFile + 1));
  return files.empty() ? 1 : 0;
}
