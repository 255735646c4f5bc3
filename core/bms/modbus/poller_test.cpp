// SPDX-License-Identifier: Apache-2.0
#include "core/bms/modbus/poller.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/crc.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::modbus {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

constexpr TimePoint kNow{100s};

Bytes with_crc(Bytes bytes) {
  const std::uint16_t crc = crc16_modbus(bytes);
  bytes.push_back(static_cast<std::uint8_t>(crc & 0xFFU));
  bytes.push_back(static_cast<std::uint8_t>(crc >> 8U));
  return bytes;
}

Bytes request_of(Poller& poller, TimePoint now) {
  poller.handle_timeout(now);
  Bytes out(kRequestSize);
  out.resize(poller.poll_transmit(now, out));
  return out;
}

// 52.3 V, -12.34 A
const Bytes kReply = with_crc({1, 3, 4, 0x02, 0x0B, 0xFB, 0x2E});

Poller open_poller(const PollerConfig& config = PollerConfig{}) {
  Poller poller{config};
  poller.handle_line(kNow, true);
  return poller;
}

std::vector<PollerEvent::Kind> events_of(Poller& poller) {
  std::vector<PollerEvent::Kind> kinds;
  while (const auto event = poller.poll_event()) {
    kinds.push_back(event->kind);
  }
  return kinds;
}

TEST(Modbus, TheRequestIsThatOfTheSpecification) {
  Poller poller = open_poller();
  EXPECT_EQ(request_of(poller, kNow), (Bytes{0x01, 0x03, 0x00, 0x00, 0x00, 0x02, 0xC4, 0x0B}));
  // Another well-known one: ten registers from 0x6B of device 0x11, counted in its CRC 0x8776.
  const auto other = encode_read(0x11, Function::kHoldingRegisters, 0x6B, 3);
  EXPECT_EQ(Bytes(other.begin(), other.end()), (Bytes{0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87}));
}

TEST(Modbus, ReadsVoltageAndCurrent) {
  Poller poller = open_poller();
  (void)request_of(poller, kNow);
  poller.handle_bytes(kNow + 20ms, kReply);
  EXPECT_EQ(known(poller.snapshot().voltage), Millivolts{52'300});
  EXPECT_EQ(known(poller.snapshot().current), Milliamps{-12'340});
  EXPECT_EQ(poller.snapshot().voltage->at, kNow) << "as old as the question";
  EXPECT_EQ(events_of(poller), (std::vector{PollerEvent::Kind::kFresh, PollerEvent::Kind::kUpdated}));
  EXPECT_FALSE(poller.is_stale());
  EXPECT_EQ(poller.poll_timeout(), kNow + 2s);
}

TEST(Modbus, PartialBytesAreKeptAndNoiseIsSkipped) {
  Poller poller = open_poller();
  (void)request_of(poller, kNow);
  poller.handle_bytes(kNow, Bytes{0xFF, 0x01, 0x07, 0x01, 0x03});
  for (const std::uint8_t byte : kReply) {
    poller.handle_bytes(kNow + 1ms, ByteSpan{&byte, 1});
  }
  EXPECT_EQ(known(poller.snapshot().voltage), Millivolts{52'300});
  EXPECT_GE(poller.statistics().noise_bytes, 5U);
}

TEST(Modbus, ThreeTriesWithBackOffThenStale) {
  Poller poller = open_poller();
  (void)request_of(poller, kNow);
  poller.handle_bytes(kNow, kReply);
  (void)events_of(poller);
  std::vector<std::int64_t> sent_at;
  for (TimePoint now = kNow + 2s; now < kNow + 4500ms; now += 10ms) {
    if (!request_of(poller, now).empty()) {
      sent_at.push_back(to_milliseconds(now - kNow));
    }
  }
  ASSERT_GE(sent_at.size(), 4U);
  EXPECT_EQ(sent_at[0], 2000);
  EXPECT_EQ(sent_at[1], 2200) << "100 ms time-out and 100 ms back-off";
  EXPECT_EQ(sent_at[2], 2500);
  EXPECT_EQ(sent_at[3], 4000) << "the next poll";
  EXPECT_TRUE(poller.is_stale());
  EXPECT_EQ(events_of(poller).front(), PollerEvent::Kind::kStale);
  EXPECT_EQ(known(poller.snapshot().voltage), Millivolts{52'300}) << "old values stay with their age";
  EXPECT_EQ(poller.statistics().retries, 3U);
  EXPECT_EQ(poller.statistics().consecutive_failures, 1U);
}

TEST(Modbus, AChangedBitIsNeverTakenOver) {
  for (std::size_t bit = 0; bit < kReply.size() * 8; ++bit) {
    Poller poller = open_poller();
    (void)request_of(poller, kNow);
    Bytes altered = kReply;
    altered[bit / 8] = static_cast<std::uint8_t>(altered[bit / 8] ^ (1U << (bit % 8)));
    poller.handle_bytes(kNow, altered);
    EXPECT_FALSE(poller.snapshot().voltage) << bit;
    EXPECT_FALSE(poller.snapshot().current) << bit;
  }
}

TEST(Modbus, AnExceptionIsARefusal) {
  Poller poller = open_poller();
  (void)request_of(poller, kNow);
  poller.handle_bytes(kNow, with_crc({1, 0x83, 2}));
  const auto event = poller.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, PollerEvent::Kind::kRefused);
  EXPECT_EQ(event->detail, 2);
  EXPECT_EQ(poller.statistics().refusals, 1U);
  EXPECT_EQ(poller.poll_timeout(), kNow + 100ms);
}

TEST(Modbus, AProfileWithCellsOrderSignAndAlarms) {
  PollerConfig config;
  config.profile.blocks[0] = {Function::kInputRegisters, 100, 8};
  config.profile.blocks[1] = {Function::kHoldingRegisters, 5, 1};
  config.profile.block_count = 2;
  Point current{Quantity::kCurrent};
  current.is_signed = true;
  current.is_double = true;
  current.is_low_word_first = true;
  current.multiplier = -1;
  Point cells{Quantity::kCell};
  cells.at = 2;
  cells.count = 4;
  Point temperature{Quantity::kTemperatureMax};
  temperature.at = 6;
  temperature.offset = -2731;
  Point soc{Quantity::kSoc};
  soc.at = 7;
  soc.multiplier = 100;
  Point alarms{Quantity::kAlarms};
  config.profile.points = {{{0, current}, {0, cells}, {0, temperature}, {0, soc}, {1, alarms}}};
  config.profile.point_count = 5;
  config.profile.alarm_bits[3] = battery::Alarm::kHighVoltage;
  config.profile.alarm_bits[4] = battery::Alarm::kLowVoltage;
  ASSERT_EQ(check_config(config), "");

  Poller poller = open_poller(config);
  EXPECT_EQ(request_of(poller, kNow)[1], 4);
  poller.handle_bytes(kNow, with_crc({1, 4, 16, 0xFF, 0xFE, 0xFF, 0xFF, 0x0C, 0xE4, 0x0C, 0xE5, 0x0C, 0xE3,
                                      0x0C, 0xE4, 0x0B, 0xAF, 0, 77}));
  EXPECT_EQ(known(poller.snapshot().current), Milliamps{2});
  EXPECT_EQ(known(poller.snapshot().cell_min), Millivolts{3299});
  EXPECT_EQ(known(poller.snapshot().cell_max), Millivolts{3301});
  EXPECT_EQ(known(poller.snapshot().temperature_max), Decicelsius{260});
  EXPECT_EQ(known(poller.snapshot().soc), BasisPoints{7700});
  EXPECT_TRUE(poller.is_stale()) << "half a poll";
  EXPECT_EQ(request_of(poller, kNow)[3], 5);
  poller.handle_bytes(kNow, with_crc({1, 3, 2, 0, 8}));
  EXPECT_TRUE(poller.snapshot().alarms->value.is_active(battery::Alarm::kHighVoltage));
  EXPECT_TRUE(poller.snapshot().alarms->value.is_watched(battery::Alarm::kLowVoltage));
  EXPECT_FALSE(poller.snapshot().alarms->value.is_active(battery::Alarm::kLowVoltage));
  EXPECT_FALSE(poller.is_stale());
}

TEST(Modbus, ImplausibleValuesAreCountedAndNotTakenOver) {
  Poller poller = open_poller();
  (void)request_of(poller, kNow);
  poller.handle_bytes(kNow, with_crc({1, 3, 4, 0, 0, 0, 10}));
  EXPECT_FALSE(poller.snapshot().voltage);
  EXPECT_EQ(known(poller.snapshot().current), Milliamps{100});
  EXPECT_EQ(poller.statistics().implausible_values, 1U);
}

TEST(Modbus, ConfigIsChecked) {
  PollerConfig config;
  EXPECT_EQ(check_config(config), "");
  config.profile.address = 0;
  EXPECT_EQ(check_config(config), "profile.address");
  config = PollerConfig{};
  config.profile.blocks[0].count = 126;
  EXPECT_EQ(check_config(config), "profile.blocks");
  config = PollerConfig{};
  config.profile.points[1].point.at = 2;
  EXPECT_EQ(check_config(config), "profile.points");
  config = PollerConfig{};
  config.profile.points[1].point.divisor = 0;
  EXPECT_EQ(check_config(config), "profile.points");
}

TEST(Modbus, AClosedLineIsStaleAndSilent) {
  Poller poller = open_poller();
  (void)request_of(poller, kNow);
  poller.handle_bytes(kNow, kReply);
  poller.handle_line(kNow + 1s, false);
  EXPECT_TRUE(poller.is_stale());
  EXPECT_EQ(poller.poll_timeout(), kNever);
  EXPECT_TRUE(request_of(poller, kNow + 10s).empty());
}

struct Adapter {
  using Machine = Poller;
  static Machine make(std::uint64_t) { return Poller{PollerConfig{}}; }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    if (rng.chance(100'000)) {
      machine.handle_line(now, !rng.chance(200'000));
      return;
    }
    Bytes bytes = kReply;
    if (rng.chance(300'000)) {
      bytes = with_crc({1, 0x83, static_cast<std::uint8_t>(rng.below(8))});
    }
    if (rng.chance(300'000)) {
      bytes[rng.below(static_cast<std::uint32_t>(bytes.size()))] ^= 0x10U;
    }
    bytes.resize(rng.chance(300'000) ? rng.below(8) : bytes.size());
    machine.handle_bytes(now, bytes);
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    Bytes out(kRequestSize);
    if (machine.poll_transmit(now, out) > 0) {
      digest.add(out);
      return true;
    }
    if (const auto event = machine.poll_event()) {
      digest.add_byte(static_cast<std::uint8_t>(event->kind));
      digest.add_number(to_microseconds(event->at));
      return true;
    }
    return false;
  }
};

TEST(Modbus, KeepsTheContractOfMachines) {
  contract::check_machine_contract<Adapter>();
}

}  // namespace
}  // namespace amphora::modbus
