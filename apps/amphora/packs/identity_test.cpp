// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/packs/identity.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace amphora::packs_command {
namespace {

constexpr WallTime kWall{1'764'000'000'000};

struct Folder {
  Folder() {
    std::string name = ::testing::TempDir() + "amphora-packs-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

void write(const std::filesystem::path& path, const std::string& text, mode_t mode = 0600) {
  std::ofstream{path} << text;
  ASSERT_EQ(::chmod(path.c_str(), mode), 0);
}

TEST(PacksIdentity, TheNumberOfAMachineIsStableAndItsOwn) {
  EXPECT_EQ(hardware_of_machine("a"), hardware_of_machine("a"));
  EXPECT_NE(hardware_of_machine("a"), hardware_of_machine("b"));
  EXPECT_EQ(hardware_text(0xA1B2'C3D4'E5F6U), "0000a1b2c3d4e5f6");
}

TEST(PacksIdentity, AKeyFileIsPrivateAndHoldsAKey) {
  const Folder folder;
  const std::string path = folder.path / "key";
  EXPECT_THROW((void)read_bus_key(path), std::runtime_error);
  write(path, std::string(62, '0') + "ff\n");
  EXPECT_EQ(read_bus_key(path)[31], 0xFF);
  write(path, std::string(64, '0'), 0640);
  EXPECT_THROW((void)read_bus_key(path), std::runtime_error) << "others may read it";
  for (const std::string& text :
       {std::string(63, '0'), std::string(65, '0'), std::string(64, 'x'), std::string{}}) {
    write(path, text);
    EXPECT_THROW((void)read_bus_key(path), std::runtime_error) << text;
  }
}

TEST(PacksIdentity, TheCounterGoesOnWhereItWas) {
  const Folder folder;
  const std::filesystem::path state = folder.path / "deep" / "state";
  {
    CounterFile first{state, 0x12, kWall};
    EXPECT_EQ(first.counter(), 1'764'000'000'000U) << "without a file: the wall clock";
    EXPECT_TRUE(first.store(1'764'000'000'064U));
  }
  {
    const CounterFile again{state, 0x12, WallTime{5}};
    EXPECT_EQ(again.counter(), 1'764'000'000'064U) << "a clock that was set back changes nothing";
  }
  const CounterFile other{state, 0x13, WallTime{5}};
  EXPECT_EQ(other.counter(), 5U) << "each gateway has its own";
}

TEST(PacksIdentity, AnUnreadableCounterIsNotReplaced) {
  const Folder folder;
  write(folder.path / "packs-0000000000000012.counter", "12x\n");
  EXPECT_THROW((CounterFile{folder.path, 0x12, kWall}), std::runtime_error);
  write(folder.path / "packs-0000000000000012.counter", "281474976710656\n");
  EXPECT_THROW((CounterFile{folder.path, 0x12, kWall}), std::runtime_error) << "beyond 48 bits";
  EXPECT_THROW((CounterFile{"/proc/none", 0x12, kWall}), std::runtime_error);
}

}  // namespace
}  // namespace amphora::packs_command
