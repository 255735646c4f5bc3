// SPDX-License-Identifier: Apache-2.0
// A master of libmodbus against `amphora emulate modbus-bms`: the device that others test against is judged
// by an implementation that is not ours.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <modbus/modbus.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/system/runtime/process.hpp"

namespace amphora {
namespace {

namespace fs = std::filesystem;

std::string program() {
  const char* path = std::getenv("AMPHORA");
  return path == nullptr ? "build/bin/amphora" : path;
}

// The emulator and libmodbus at the two ends of a pseudo-terminal.
class Emulated : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "amphora-modbus-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    if (context_ != nullptr) {
      modbus_close(context_);
      modbus_free(context_);
    }
    device_.reset();
    fs::remove_all(folder_);
  }

  void start(std::vector<std::string> options, int address = 1) {
    const std::string link = (folder_ / "bms").string();
    std::vector<std::string> arguments{program(), "emulate", "modbus-bms", "--pty", link};
    arguments.insert(arguments.end(), options.begin(), options.end());
    device_ = std::make_unique<test::Process>(arguments);
    // A bound for hangs, never a measure.
    for (int i = 0; i < 3'000 && !fs::exists(link); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    ASSERT_TRUE(fs::exists(link));
    context_ = modbus_new_rtu(link.c_str(), 9600, 'N', 8, 1);
    ASSERT_NE(context_, nullptr);
    ASSERT_EQ(modbus_set_slave(context_, address), 0);
    ASSERT_EQ(modbus_set_response_timeout(context_, 20, 0), 0);
    ASSERT_EQ(modbus_connect(context_), 0) << modbus_strerror(errno);
  }

  // The error number of a read; 0 when it went well.
  int read(int first, int count) {
    values_.fill(0);
    return modbus_read_registers(context_, first, count, values_.data()) == count ? 0 : errno;
  }

  fs::path folder_;
  std::unique_ptr<test::Process> device_;
  modbus_t* context_ = nullptr;
  std::array<std::uint16_t, MODBUS_MAX_READ_REGISTERS> values_{};
};

TEST_F(Emulated, GivesTheRegistersOfItsFile) {
  const std::string file = (folder_ / "registers.txt").string();
  std::ofstream{file} << "r0=523 r1=-1234 r2..r4 = 1 0x8000 65535\nr100..r224=77\n";
  start({"--registers", file});
  ASSERT_EQ(read(0, 5), 0) << modbus_strerror(errno);
  EXPECT_EQ(values_[0], 523);
  EXPECT_EQ(static_cast<std::int16_t>(values_[1]), -1234);
  EXPECT_EQ(values_[3], 0x8000);
  EXPECT_EQ(values_[4], 65535);
  ASSERT_EQ(read(100, 125), 0) << modbus_strerror(errno);
  EXPECT_EQ(values_[124], 77);
  EXPECT_EQ(modbus_read_input_registers(context_, 0, 1, values_.data()), 1);
  EXPECT_EQ(values_[0], 523);
}

TEST_F(Emulated, TheLivingBatteryHasTheFullProfile) {
  start({"--cells", "8", "--soc", "67", "--address", "9"}, 9);
  ASSERT_EQ(read(0, 8), 0) << modbus_strerror(errno);
  const int voltage_dv = values_[0];
  EXPECT_NEAR(values_[2], 6'700, 100);
  EXPECT_EQ(values_[7], 0) << "no alarm";
  ASSERT_EQ(read(16, 8), 0) << modbus_strerror(errno);
  int sum_mv = 0;
  for (std::size_t cell = 0; cell < 8; ++cell) {
    EXPECT_GT(values_[cell], 3'000);
    EXPECT_LT(values_[cell], 3'600);
    sum_mv += values_[cell];
  }
  EXPECT_NEAR(voltage_dv * 100, sum_mv, 1'000) << "the current may have changed between the two";
  EXPECT_EQ(read(16, 9), EMBXILADD) << "there are eight";
}

TEST_F(Emulated, RefusesAsTheProtocolSays) {
  start({});
  EXPECT_EQ(modbus_write_register(context_, 0, 1), -1);
  EXPECT_EQ(errno, EMBXILFUN);
  std::uint8_t bits[8];
  EXPECT_EQ(modbus_read_bits(context_, 0, 8, bits), -1);
  EXPECT_EQ(errno, EMBXILFUN);
  EXPECT_EQ(read(8, 1), EMBXILADD);
  EXPECT_EQ(read(0, 2), 0);
}

TEST_F(Emulated, AnotherAddressGetsNoAnswer) {
  start({}, 2);
  ASSERT_EQ(modbus_set_response_timeout(context_, 0, 500'000), 0);
  EXPECT_EQ(read(0, 2), ETIMEDOUT);
  ASSERT_EQ(modbus_set_slave(context_, 1), 0);
  ASSERT_EQ(modbus_set_response_timeout(context_, 20, 0), 0);
  EXPECT_EQ(read(0, 2), 0);
}

TEST_F(Emulated, ADamagedAnswerIsADamagedAnswer) {
  start({"--fault", "corrupt"});
  ASSERT_EQ(modbus_set_response_timeout(context_, 0, 500'000), 0);
  EXPECT_NE(read(0, 8), 0);
}

TEST_F(Emulated, FaultsOfTheBatterySetTheirAlarms) {
  start({"--fault", "over-voltage"});
  ASSERT_EQ(read(0, 8), 0);
  EXPECT_EQ(values_[7], 1U << 0U);
  EXPECT_GT(values_[0], 580);
}

}  // namespace
}  // namespace amphora
