// SPDX-License-Identifier: Apache-2.0
// The model of the device by itself, and the poller against it over good and bad lines.
#include "sim/models/modbus_bms_device.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/base/crc.hpp"
#include "core/bms/modbus/profiles.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::sim {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

constexpr TimePoint kStart{100s};

Bytes with_crc(Bytes bytes) {
  const std::uint16_t crc = crc16_modbus(bytes);
  bytes.push_back(static_cast<std::uint8_t>(crc & 0xFFU));
  bytes.push_back(static_cast<std::uint8_t>(crc >> 8U));
  return bytes;
}

ModbusBmsDevice living_device(const ModbusBmsDeviceConfig& config = {}) {
  ModbusBmsDevice device{config};
  device.set_voltage(Millivolts{52'340});
  device.set_current(Milliamps{-12'340});
  device.set_soc(BasisPoints{6'789});
  device.set_soh(BasisPoints{9'900});
  device.set_temperatures(Decicelsius{-12}, Decicelsius{215}, Decicelsius{301});
  battery::AlarmSet alarms;
  alarms.set(battery::Alarm::kHighTemperature);
  device.set_alarms(alarms);
  for (std::uint16_t cell = 0; cell < 16; ++cell) {
    device.set_cell(cell, Millivolts{3'260 + cell});
  }
  return device;
}

// What the device says within a second.
Bytes answer_of(ModbusBmsDevice& device, const Bytes& request, TimePoint now = kStart) {
  device.handle_bytes(now, request);
  Bytes all;
  for (const TimePoint end = now + 1s; now < end; now += 1ms) {
    device.handle_timeout(now);
    Bytes out(300);
    out.resize(device.poll_transmit(now, out));
    all.insert(all.end(), out.begin(), out.end());
  }
  return all;
}

// Poller and device with a line between them; virtual time.
struct Wire {
  explicit Wire(const modbus::Profile& profile, ModbusFault fault = ModbusFault::kNone)
      : device{living_device()}, poller{{.profile = profile}} {
    device.set_fault(fault);
    poller.handle_line(now, true);
  }
  void run_for(Duration duration) {
    for (const TimePoint end = now + duration; now < end; now += 1ms) {
      device.handle_timeout(now);
      poller.handle_timeout(now);
      Bytes out(300);
      if (const std::size_t size = poller.poll_transmit(now, out); size > 0) {
        device.handle_bytes(now, ByteSpan{out}.first(size));
      }
      if (const std::size_t size = device.poll_transmit(now, out); size > 0) {
        poller.handle_bytes(now, ByteSpan{out}.first(size));
      }
      while (poller.poll_event()) {
      }
    }
  }
  TimePoint now = kStart;
  ModbusBmsDevice device;
  modbus::Poller poller;
};

TEST(ModbusBmsDevice, AnswersAsTheProtocolSays) {
  ModbusBmsDevice device = living_device();
  EXPECT_EQ(answer_of(device, {1, 3, 0, 0, 0, 2, 0xC4, 0x0B}), with_crc({1, 3, 4, 0x02, 0x0B, 0xFB, 0x2E}));
  EXPECT_EQ(answer_of(device, with_crc({1, 4, 0, 2, 0, 1})), with_crc({1, 4, 2, 0x1A, 0x85}));
  EXPECT_EQ(answer_of(device, with_crc({1, 3, 0, 4, 0, 1})), with_crc({1, 3, 2, 0xFF, 0xF4}));
  EXPECT_EQ(answer_of(device, with_crc({1, 3, 0, 7, 0, 1})), with_crc({1, 3, 2, 0, 4}));
}

TEST(ModbusBmsDevice, RefusesWithTheRightException) {
  ModbusBmsDevice device = living_device();
  EXPECT_EQ(answer_of(device, with_crc({1, 6, 0, 0, 0, 2})), with_crc({1, 0x86, 1}));
  EXPECT_EQ(answer_of(device, with_crc({1, 3, 0, 8, 0, 1})), with_crc({1, 0x83, 2})) << "no such register";
  EXPECT_EQ(answer_of(device, with_crc({1, 3, 0, 31, 0, 2})), with_crc({1, 0x83, 2})) << "the second is not";
  EXPECT_EQ(answer_of(device, with_crc({1, 4, 0xFF, 0xFF, 0, 2})), with_crc({1, 0x84, 2}))
      << "beyond the last";
  EXPECT_EQ(answer_of(device, with_crc({1, 3, 0, 0, 0, 0})), with_crc({1, 0x83, 3}));
  EXPECT_EQ(answer_of(device, with_crc({1, 3, 0, 0, 0, 126})), with_crc({1, 0x83, 3}));
  EXPECT_EQ(device.counters().exceptions, 6U);
  const auto refusal = device.poll_event();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->function, 6);
  EXPECT_EQ(refusal->code, ModbusException::kIllegalFunction);
}

TEST(ModbusBmsDevice, IsSilentOnWhatIsNotForIt) {
  ModbusBmsDevice device = living_device({.address = 5});
  EXPECT_TRUE(answer_of(device, with_crc({1, 3, 0, 0, 0, 2})).empty()) << "a neighbour";
  EXPECT_TRUE(answer_of(device, with_crc({0, 3, 0, 0, 0, 2})).empty()) << "a broadcast";
  EXPECT_TRUE(answer_of(device, with_crc({1, 3, 4, 0, 0, 0, 0})).empty()) << "a neighbour's reply";
  EXPECT_EQ(device.counters().ignored, 3U);
  EXPECT_TRUE(answer_of(device, {5, 3, 0, 0, 0, 2, 0, 0}).empty()) << "wrong CRC";
  EXPECT_TRUE(answer_of(device, {5, 3, 0}).empty()) << "half a request";
  EXPECT_TRUE(answer_of(device, Bytes(1000, 5)).empty()) << "longer than a frame";
  EXPECT_EQ(device.counters().crc_errors, 3U);
  EXPECT_EQ(answer_of(device, with_crc({5, 3, 0, 0, 0, 1})).size(), 7U);
}

TEST(ModbusBmsDevice, AnswersAfterThePauseOfAHalfDuplexLine) {
  ModbusBmsDevice device = living_device();
  const Bytes request = with_crc({1, 3, 0, 0, 0, 2});
  for (std::size_t i = 0; i < request.size(); ++i) {
    device.handle_bytes(kStart + i * 3ms, ByteSpan{&request[i], 1});
  }
  const TimePoint last = kStart + (request.size() - 1) * 3ms;
  EXPECT_EQ(device.poll_timeout(), last + kModbusFrameGap);
  device.handle_timeout(device.poll_timeout());
  Bytes out(300);
  EXPECT_EQ(device.poll_transmit(last + kModbusFrameGap, out), 0U);
  EXPECT_GT(device.poll_timeout(), last + kModbusFrameGap);
  EXPECT_EQ(device.poll_transmit(device.poll_timeout(), out), 9U);
  EXPECT_EQ(device.poll_timeout(), kNever);
}

TEST(ModbusBmsDevice, ThePollerReadsBothProfiles) {
  for (const char* name : {"default", "full"}) {
    const auto profile = modbus::profile_named(name);
    ASSERT_TRUE(profile);
    ASSERT_EQ(modbus::check_config({.profile = *profile}), "");
    Wire bench{*profile};
    bench.run_for(1s);
    const battery::Snapshot& seen = bench.poller.snapshot();
    EXPECT_FALSE(bench.poller.is_stale()) << name;
    EXPECT_EQ(known(seen.voltage), Millivolts{52'300}) << name;
    EXPECT_EQ(known(seen.current), Milliamps{-12'340}) << name;
    EXPECT_EQ(seen.cells.has_value(), std::string_view{name} == "full");
    EXPECT_EQ(bench.poller.statistics().noise_bytes, 0U) << name;
  }
  EXPECT_FALSE(modbus::profile_named("other"));
}

TEST(ModbusBmsDevice, TheFullProfileTellsEverything) {
  Wire bench{modbus::full_profile()};
  bench.run_for(1s);
  const battery::Snapshot& seen = bench.poller.snapshot();
  EXPECT_EQ(known(seen.soc), BasisPoints{6'789});
  EXPECT_EQ(known(seen.soh), BasisPoints{9'900});
  EXPECT_EQ(known(seen.temperature_min), Decicelsius{-12});
  EXPECT_EQ(known(seen.temperature_max), Decicelsius{215});
  EXPECT_EQ(known(seen.temperature_internal), Decicelsius{301});
  ASSERT_TRUE(seen.alarms);
  EXPECT_TRUE(seen.alarms->value.is_active(battery::Alarm::kHighTemperature));
  EXPECT_FALSE(seen.alarms->value.is_active(battery::Alarm::kHighVoltage));
  EXPECT_TRUE(seen.alarms->value.is_watched(battery::Alarm::kBmsInternal));
  ASSERT_TRUE(seen.cells);
  EXPECT_EQ(seen.cells->value.count, 16);
  EXPECT_EQ(known(seen.cell_min), Millivolts{3'260});
  EXPECT_EQ(known(seen.cell_max), Millivolts{3'275});
}

TEST(ModbusBmsDevice, MoreCellsThanTheDeviceHasAreRefused) {
  Wire bench{modbus::full_profile(17)};
  bench.run_for(2s);
  EXPECT_TRUE(bench.poller.is_stale());
  EXPECT_GE(bench.poller.statistics().refusals, 3U);
}

TEST(ModbusBmsDevice, EachFaultDoesWhatItsNameSays) {
  struct Case {
    ModbusFault fault;
    bool is_read;  // the poller gets through to the values
  };
  constexpr Case kCases[] = {{ModbusFault::kNone, true},     {ModbusFault::kSilent, false},
                             {ModbusFault::kCorrupt, false}, {ModbusFault::kRefuse, false},
                             {ModbusFault::kStuck, true},    {ModbusFault::kTruncated, false},
                             {ModbusFault::kJoined, true},   {ModbusFault::kSplit, true},
                             {ModbusFault::kNoise, true},    {ModbusFault::kLate, false}};
  for (const Case& one : kCases) {
    EXPECT_EQ(modbus_fault_from_text(to_text(one.fault)), one.fault);
    Wire bench{modbus::Profile{}, one.fault};
    bench.run_for(10s);
    EXPECT_EQ(bench.poller.snapshot().voltage.has_value(), one.is_read) << to_text(one.fault);
    EXPECT_EQ(bench.poller.is_stale(), !one.is_read) << to_text(one.fault);
    bench.device.set_fault(ModbusFault::kNone);
    bench.device.set_voltage(Millivolts{48'000});
    bench.run_for(5s);
    EXPECT_EQ(known(bench.poller.snapshot().voltage), Millivolts{48'000}) << to_text(one.fault);
  }
  EXPECT_FALSE(modbus_fault_from_text("lazy"));
}

TEST(ModbusBmsDevice, StuckValuesStayAsTheyWere) {
  ModbusBmsDevice device = living_device();
  device.set_fault(ModbusFault::kStuck);
  device.set_voltage(Millivolts{40'000});
  EXPECT_EQ(device.register_value(0), 523);
  device.set_register(0, 7);
  EXPECT_EQ(device.register_value(0), 7) << "a register file is no measurement";
}

struct Adapter {
  using Machine = ModbusBmsDevice;
  static Machine make(std::uint64_t seed) { return living_device({.seed = seed}); }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    if (rng.chance(100'000)) {
      machine.set_fault(static_cast<ModbusFault>(rng.below(10)));
    }
    const auto function = static_cast<std::uint8_t>(3 + rng.below(3));
    const auto first = static_cast<std::uint8_t>(rng.below(20));
    const auto count = static_cast<std::uint8_t>(rng.below(20));
    Bytes bytes = with_crc({1, function, 0, first, 0, count});
    if (rng.chance(300'000)) {
      bytes[rng.below(8)] ^= 0x10U;
    }
    bytes.resize(rng.chance(300'000) ? rng.below(300) : bytes.size());
    machine.handle_bytes(now, bytes);
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    Bytes out(16);
    if (const std::size_t size = machine.poll_transmit(now, out); size > 0) {
      digest.add(ByteSpan{out}.first(size));
      return true;
    }
    if (const auto refusal = machine.poll_event()) {
      digest.add_byte(static_cast<std::uint8_t>(refusal->code));
      return true;
    }
    return false;
  }
};

TEST(ModbusBmsDevice, KeepsTheContractOfMachines) {
  contract::check_machine_contract<Adapter>();
}

}  // namespace
}  // namespace amphora::sim
