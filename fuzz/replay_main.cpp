// SPDX-License-Identifier: Apache-2.0
// Runs a fuzzer's entry point without libFuzzer: every file of the corpus, then a fixed number of seeded
// mutations of it. So the corpus is a regression test for every compiler, and the same seed always tries the
// same inputs.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "core/base/rng.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr int kMutationsPerInput = 200;
constexpr int kRandomInputs = 2000;

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return Bytes{std::istreambuf_iterator<char>{file}, {}};
}

void mutate(Bytes& bytes, amphora::Rng& rng) {
  const std::uint32_t edits = 1 + rng.below(4);
  for (std::uint32_t i = 0; i < edits && !bytes.empty(); ++i) {
    const std::uint32_t at = rng.below(static_cast<std::uint32_t>(bytes.size()));
    switch (rng.below(4)) {
      case 0:
        bytes[at] = static_cast<std::uint8_t>(rng.next());
        break;
      case 1:
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1U << rng.below(8)));
        break;
      case 2:
        bytes.erase(bytes.begin() + at);
        break;
      default:
        bytes.insert(bytes.begin() + at, static_cast<std::uint8_t>(rng.next()));
        break;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  amphora::Rng rng{1};
  int runs = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      std::fprintf(stderr, "corpus folder is missing: %s\n", argv[i]);
      return 1;
    }
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator{argv[i]}) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& path : files) {
      const Bytes original = read_file(path);
      (void)LLVMFuzzerTestOneInput(original.data(), original.size());
      for (int m = 0; m < kMutationsPerInput; ++m) {
        Bytes changed = original;
        mutate(changed, rng);
        (void)LLVMFuzzerTestOneInput(changed.data(), changed.size());
      }
      runs += 1 + kMutationsPerInput;
    }
  }
  for (int i = 0; i < kRandomInputs; ++i, ++runs) {
    Bytes noise(rng.below(600));
    for (std::uint8_t& byte : noise) {
      byte = static_cast<std::uint8_t>(rng.next());
    }
    (void)LLVMFuzzerTestOneInput(noise.data(), noise.size());
  }
  std::printf("replayed %d inputs without a finding\n", runs);
  return 0;
}
