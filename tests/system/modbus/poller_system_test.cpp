// SPDX-License-Identifier: Apache-2.0
// The poller, through the serial port it has in a box, against a slave of libmodbus.
#include <gtest/gtest.h>
#include <modbus/modbus.h>

#include <atomic>
#include <memory>
#include <thread>

#include "core/bms/modbus/profiles.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/serial/serial_port.hpp"
#include "tests/system/modbus/serial_bridge.hpp"

namespace amphora {
namespace {

using namespace std::chrono_literals;
using test::Damage;
using test::SerialBridge;

constexpr int kRegisterCount = 32;

// libmodbus answers in a thread of its own, from a table with registers 0 to 31.
class Slave {
 public:
  Slave(const std::string& path, int address) : context_{modbus_new_rtu(path.c_str(), 9600, 'N', 8, 1)} {
    EXPECT_NE(context_, nullptr);
    EXPECT_EQ(modbus_set_slave(context_, address), 0);
    EXPECT_EQ(modbus_set_indication_timeout(context_, 0, 50'000), 0);
    mapping_ = modbus_mapping_new(0, 0, kRegisterCount, kRegisterCount);
    for (int i = 0; i < kRegisterCount; ++i) {
      mapping_->tab_registers[i] = static_cast<std::uint16_t>(3'300 + i);
    }
    constexpr std::uint16_t kPack[] = {531, 0xFB2E, 6'789, 9'900, 0xFFF4, 215, 301, 0b1000'0010};
    std::copy(std::begin(kPack), std::end(kPack), mapping_->tab_registers);
    mapping_->tab_input_registers[0] = 487;
    EXPECT_EQ(modbus_connect(context_), 0) << modbus_strerror(errno);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~Slave() {
    is_over_ = true;
    thread_.join();
    modbus_close(context_);
    modbus_mapping_free(mapping_);
    modbus_free(context_);
  }
  Slave(const Slave&) = delete;
  Slave& operator=(const Slave&) = delete;

 private:
  void serve() {
    std::uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
    while (!is_over_) {
      const int size = modbus_receive(context_, query);
      if (size > 0) {
        (void)modbus_reply(context_, query, size, mapping_);
      }
    }
  }

  modbus_t* context_;
  modbus_mapping_t* mapping_;
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

// The poller as a box runs it: bytes and times of a real loop.
class Reader {
 public:
  Reader(const std::string& path, const modbus::PollerConfig& config)
      : poller_{config}, timer_{loop_}, port_{loop_, {.path = path, .baud = 9600}, handlers()} {}

  // With a generous bound that only serves to end a hanging test.
  template <class Condition>
  bool run_until(Condition condition) {
    const TimePoint end = loop_.now() + 60s;
    while (!condition() && loop_.now() < end) {
      loop_.run_until(loop_.now() + 2ms);
    }
    return condition();
  }
  const modbus::Poller& poller() const { return poller_; }
  const battery::Snapshot& seen() const { return poller_.snapshot(); }
  const bms::Statistics& counted() const { return poller_.statistics(); }
  std::uint64_t updates() const { return updates_; }
  std::optional<std::uint8_t> refusal() const { return refusal_; }

 private:
  runtime::SerialHandlers handlers() {
    return {.on_bytes =
                [this](ByteSpan bytes) {
                  poller_.handle_bytes(loop_.now(), bytes);
                  pump();
                },
            .on_state =
                [this](bool is_open) {
                  poller_.handle_line(loop_.now(), is_open);
                  pump();
                }};
  }

  void pump() {
    std::array<std::uint8_t, modbus::kRequestSize> out;
    if (const std::size_t size = poller_.poll_transmit(loop_.now(), out); size > 0) {
      (void)port_.write(ByteSpan{out}.first(size));
    }
    while (const auto event = poller_.poll_event()) {
      updates_ += event->kind == modbus::PollerEvent::Kind::kUpdated ? 1U : 0U;
      if (event->kind == modbus::PollerEvent::Kind::kRefused) {
        refusal_ = event->detail;
      }
    }
    timer_.arm(poller_.poll_timeout(), [this] {
      poller_.handle_timeout(loop_.now());
      pump();
    });
  }

  runtime::Loop loop_;
  modbus::Poller poller_;
  std::uint64_t updates_ = 0;
  std::optional<std::uint8_t> refusal_;
  runtime::Timer timer_;
  runtime::SerialPort port_;
};

modbus::PollerConfig config_of(const modbus::Profile& profile) {
  // Patient enough for a busy machine: these tests judge bytes, not speed.
  return {.profile = profile, .poll_interval = 100ms, .reply_timeout = 1s};
}

TEST(PollerOnLibmodbus, ReadsTheDefaultProfile) {
  SerialBridge bridge;
  Slave slave{bridge.path(1), 1};
  Reader reader{bridge.path(0), config_of(modbus::Profile{})};
  ASSERT_TRUE(reader.run_until([&] { return reader.updates() >= 3; }));
  EXPECT_EQ(known(reader.seen().voltage), Millivolts{53'100});
  EXPECT_EQ(known(reader.seen().current), Milliamps{-12'340});
  EXPECT_FALSE(reader.poller().is_stale());
}

TEST(PollerOnLibmodbus, ReadsTheFullProfile) {
  SerialBridge bridge;
  Slave slave{bridge.path(1), 7};
  modbus::Profile profile = modbus::full_profile();
  profile.address = 7;
  Reader reader{bridge.path(0), config_of(profile)};
  ASSERT_TRUE(reader.run_until([&] { return reader.updates() >= 2; }));
  const battery::Snapshot& seen = reader.seen();
  EXPECT_EQ(known(seen.voltage), Millivolts{53'100});
  EXPECT_EQ(known(seen.soc), BasisPoints{6'789});
  EXPECT_EQ(known(seen.soh), BasisPoints{9'900});
  EXPECT_EQ(known(seen.temperature_min), Decicelsius{-12});
  EXPECT_EQ(known(seen.temperature_max), Decicelsius{215});
  EXPECT_EQ(known(seen.temperature_internal), Decicelsius{301});
  EXPECT_TRUE(seen.alarms->value.is_active(battery::Alarm::kLowVoltage));
  EXPECT_TRUE(seen.alarms->value.is_active(battery::Alarm::kBmsInternal));
  EXPECT_FALSE(seen.alarms->value.is_active(battery::Alarm::kHighVoltage));
  ASSERT_EQ(seen.cells->value.count, 16);
  EXPECT_EQ(seen.cells->value.voltage[0], Millivolts{3'316});
  EXPECT_EQ(known(seen.cell_max), Millivolts{3'331});
}

TEST(PollerOnLibmodbus, ReadsInputRegistersWithFunctionFour) {
  SerialBridge bridge;
  Slave slave{bridge.path(1), 1};
  modbus::Profile profile;
  profile.blocks[0].function = modbus::Function::kInputRegisters;
  Reader reader{bridge.path(0), config_of(profile)};
  ASSERT_TRUE(reader.run_until([&] { return reader.updates() >= 1; }));
  EXPECT_EQ(known(reader.seen().voltage), Millivolts{48'700});
}

TEST(PollerOnLibmodbus, AnExceptionOfTheSlaveIsARefusal) {
  SerialBridge bridge;
  Slave slave{bridge.path(1), 1};
  Reader reader{bridge.path(0), config_of(modbus::full_profile(17))};
  ASSERT_TRUE(reader.run_until([&] { return reader.counted().refusals >= 3; }));
  EXPECT_EQ(reader.refusal(), MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS);
  EXPECT_TRUE(reader.poller().is_stale());
  EXPECT_FALSE(reader.seen().cells);
}

TEST(PollerOnLibmodbus, ADamagedLineIsNoticedAndSurvived) {
  SerialBridge bridge;
  Slave slave{bridge.path(1), 1};
  modbus::PollerConfig config = config_of(modbus::Profile{});
  config.reply_timeout = 300ms;
  Reader reader{bridge.path(0), config};
  ASSERT_TRUE(reader.run_until([&] { return reader.updates() >= 1; }));
  bridge.set_damage(Damage::kFlipsABit);
  ASSERT_TRUE(reader.run_until([&] { return reader.poller().is_stale(); }));
  EXPECT_GT(reader.counted().crc_errors, 0U);
  bridge.set_damage(Damage::kSwallows);
  const std::uint64_t before = reader.counted().timeouts;
  ASSERT_TRUE(reader.run_until([&] { return reader.counted().timeouts > before + 2; }));
  EXPECT_EQ(known(reader.seen().voltage), Millivolts{53'100}) << "old values stay with their age";
  for (const Damage harmless : {Damage::kSplits, Damage::kAddsNoise, Damage::kNone}) {
    bridge.set_damage(harmless);
    const std::uint64_t updates = reader.updates();
    EXPECT_TRUE(reader.run_until([&] { return reader.updates() > updates + 1; }))
        << static_cast<int>(harmless);
  }
  EXPECT_GT(reader.counted().noise_bytes, 5U);
  EXPECT_FALSE(reader.poller().is_stale());
}

TEST(PollerOnLibmodbus, AnotherAddressIsSilence) {
  SerialBridge bridge;
  Slave slave{bridge.path(1), 2};
  modbus::PollerConfig config = config_of(modbus::Profile{});
  config.reply_timeout = 100ms;
  Reader reader{bridge.path(0), config};
  ASSERT_TRUE(reader.run_until([&] { return reader.counted().timeouts >= 3; }));
  EXPECT_EQ(reader.counted().replies_received, 0U);
  EXPECT_TRUE(reader.poller().is_stale());
}

}  // namespace
}  // namespace amphora
