// SPDX-License-Identifier: Apache-2.0
// The model of the device by itself, and the driver against it over good and bad lines.
#include "sim/models/tinybms_device.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "core/bms/tinybms/driver.hpp"
#include "core/bms/tinybms/test_support.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::sim {
namespace {

using namespace std::chrono_literals;
using namespace amphora::tinybms;
using Bytes = std::vector<std::uint8_t>;

constexpr TimePoint kStart{std::chrono::seconds{100}};

// Driver and device with a line between them that loses and spoils bytes; virtual time.
class Bench {
 public:
  explicit Bench(const TinyBmsDeviceConfig& device_config = {}, const DriverConfig& driver_config = {},
                 std::uint64_t seed = 1)
      : device{device_config}, driver{driver_config}, rng_{seed} {
    driver.handle_line(now, true);
  }

  // Steps from one time-out to the next.
  void run_until(TimePoint until) {
    while (now <= until) {
      exchange();
      const TimePoint next = earliest(driver.poll_timeout(), device.poll_timeout());
      if (next > until) {
        now = until;
        break;
      }
      now = std::max(next, now + 1us);
    }
  }
  void run_for(Duration duration) { run_until(now + duration); }

  template <class Event>
  std::vector<Event> all() const {
    std::vector<Event> found;
    for (const DriverEvent& event : events) {
      if (const Event* wanted = std::get_if<Event>(&event)) {
        found.push_back(*wanted);
      }
    }
    return found;
  }

  TinyBmsDevice device;
  Driver driver;
  TimePoint now = kStart;
  std::vector<DriverEvent> events;
  bool is_cut = false;           // nothing arrives either way
  std::uint32_t loss_ppm = 0;    // of single bytes
  std::uint32_t damage_ppm = 0;  // of single bytes
  std::uint32_t noise_ppm = 0;   // chance of some bytes of noise before a chunk

 private:
  Bytes spoilt(ByteSpan bytes) {
    Bytes out;
    if (is_cut) {
      return out;
    }
    if (rng_.chance(noise_ppm)) {
      for (std::uint32_t i = rng_.below(20); i > 0; --i) {
        out.push_back(rng_.chance(300'000) ? kStartByte : static_cast<std::uint8_t>(rng_.next()));
      }
    }
    for (const std::uint8_t byte : bytes) {
      if (!rng_.chance(loss_ppm)) {
        out.push_back(rng_.chance(damage_ppm) ? static_cast<std::uint8_t>(rng_.next()) : byte);
      }
    }
    return out;
  }
  void exchange() {
    driver.handle_timeout(now);
    device.handle_timeout(now);
    for (bool is_busy = true; is_busy;) {
      std::array<std::uint8_t, 64> chunk{};
      const std::size_t to_device = driver.poll_transmit(now, chunk);
      if (to_device > 0) {
        device.handle_bytes(now, spoilt(ByteSpan{chunk}.first(to_device)));
      }
      const std::size_t to_driver = device.poll_transmit(now, chunk);
      if (to_driver > 0) {
        driver.handle_bytes(now, spoilt(ByteSpan{chunk}.first(to_driver)));
      }
      is_busy = to_device > 0 || to_driver > 0;
      while (const auto event = driver.poll_event()) {
        events.push_back(*event);
        is_busy = true;
      }
      while (device.poll_event()) {
        is_busy = true;
      }
    }
  }
  Rng rng_;
};

Bytes ask(TinyBmsDevice& device, TimePoint now, ByteSpan frame) {
  device.handle_bytes(now, frame);
  Bytes reply(2048);
  reply.resize(device.poll_transmit(now + 5ms, reply));
  return reply;
}

Bytes ask(TinyBmsDevice& device, TimePoint now, const Request& request) {
  return ask(device, now, test::encoded(request));
}

// Registers printed from a real 14-cell pack.
void load_real_pack(TinyBmsDevice& device) {
  device.clear_registers();
  constexpr std::uint16_t kCells[] = {39800, 39810, 39820, 39830, 39830, 39840, 39890,
                                      39900, 39830, 39830, 39830, 39840, 39880, 39880};
  for (std::uint16_t i = 0; i < 14; ++i) {
    device.set_register(static_cast<std::uint16_t>(i + 2), kCells[i]);
  }
  const std::map<std::uint16_t, std::uint16_t> others{
      {32, 0x93cd},  {33, 0x00fe},  {34, 0x7904},  {35, 0x027d},  {36, 0x1eb8},  {37, 0x425f},  {40, 3980},
      {41, 3990},    {42, 0x8000},  {43, 0x8000},  {46, 0xf208},  {47, 0x04fa},  {48, 97},      {50, 0x0097},
      {53, 14},      {102, 510},    {104, 100},    {113, 0x1908}, {114, 0x0300}, {116, 0x8a3d}, {117, 0x00be},
      {200, 0x1226}, {201, 0x6500}, {202, 0x4e2b}, {203, 0x64b9}, {204, 0x4e2c}, {205, 0x62b9}, {206, 0x4e42},
      {207, 0x65b9}, {300, 4150},   {301, 3000},   {303, 3200},   {304, 1000},   {306, 6600},   {307, 14},
      {308, 15},     {315, 4200},   {316, 2900},   {317, 60},     {318, 20},     {319, 60},     {320, 1},
      {328, 0xffff}, {500, 0x0102}, {501, 0x0301}, {502, 0x00f2}, {503, 0x0418}};
  for (const auto& [number, value] : others) {
    ASSERT_TRUE(device.set_register(number, value));
  }
}

TEST(TinyBmsDevice, ARealPackIsReadAsItIs) {
  Bench bench;
  load_real_pack(bench.device);
  bench.run_for(500ms);
  const battery::Snapshot& snapshot = bench.driver.snapshot();
  ASSERT_TRUE(snapshot.cells.has_value());
  EXPECT_EQ(snapshot.cells->value.count, 14);
  for (std::size_t i = 0; i < 14; ++i) {
    EXPECT_GE(snapshot.cells->value.voltage[i], Millivolts{3980});
    EXPECT_LE(snapshot.cells->value.voltage[i], Millivolts{3990});
  }
  EXPECT_EQ(known(snapshot.voltage), Millivolts{55780});
  EXPECT_EQ(known(snapshot.current), Milliamps{0});
  EXPECT_EQ(known(snapshot.soc), BasisPoints{8355});
  EXPECT_EQ(known(snapshot.temperature_internal), Decicelsius{97});
  EXPECT_EQ(snapshot.temperature_external->value, battery::ExternalTemperatures{});
  EXPECT_EQ(known(snapshot.activity), battery::Activity::kIdle);
  EXPECT_FALSE(snapshot.alarms->value.has_any());
  EXPECT_EQ(known(snapshot.capacity), MilliampHours{66'000});
  EXPECT_EQ(snapshot.identity.firmware.view(), "1.242");
  EXPECT_EQ(bench.driver.settings().value(315)->value, 4200);
  EXPECT_EQ(bench.driver.statistics().implausible_values, 0U);
  ASSERT_EQ(bench.all<BmsEventLogged>().size(), 4U);
  EXPECT_TRUE(bench.all<BmsEventLogged>()[0].is_history);
  EXPECT_EQ(bench.all<BmsEventLogged>()[3].event, (LoggedEvent{0xB94E42, 0x65}));
}

TEST(TinyBmsDevice, ServesEveryCommand) {
  TinyBmsDevice device;
  TimePoint now = kStart;
  const std::uint16_t numbers[] = {36, 50};
  const std::uint16_t value[] = {25};
  const RegisterWord word[] = {{308, 30}};
  for (const Command command : kCommands) {
    Request request = make_query(command);
    switch (command) {
      case Command::kControl:
        request = make_control(ControlOption::kClearEvents);
        break;
      case Command::kReadModbus:
        request = make_read_modbus(0, 127);
        break;
      case Command::kReadBlock:
        request = make_read_block(0, 100);
        break;
      case Command::kReadIndividual:
        request = make_read_individual(numbers);
        break;
      case Command::kWriteBlock:
        request = make_write_block(308, value);
        break;
      case Command::kWriteIndividual:
        request = make_write_individual(word);
        break;
      case Command::kWriteModbus:
        request = make_write_modbus(308, value);
        break;
      case Command::kSettings:
        request = make_read_settings(SettingsOption::kMax, 44);
        break;
      default:
        break;
    }
    now += 1s;
    const Bytes bytes = ask(device, now, request);
    ReplyReader reader;
    reader.expect(request);
    ByteSpan rest{bytes};
    std::optional<Reply> reply;
    while (!rest.empty() && !reply) {
      rest = reader.feed(rest);
      reply = reader.poll();
    }
    ASSERT_TRUE(reply.has_value()) << to_text(command) << ": " << test::hex_of(bytes);
    EXPECT_NE(reply->kind, ReplyKind::kNack) << to_text(command);
    EXPECT_TRUE(rest.empty()) << to_text(command);
  }
  EXPECT_EQ(device.counters().nacks, 0U);
  EXPECT_EQ(device.counters().requests, kCommands.size());
}

TEST(TinyBmsDevice, RefusesWhatTheRealOneRefuses) {
  TinyBmsDevice device;
  const auto error_of = [&device](const Request& request) -> int {
    static TimePoint now = kStart;
    now += 1s;
    const auto reply = decode_reply(ask(device, now, request));
    return reply.ok() && reply->kind == ReplyKind::kNack ? reply->error : -1;
  };
  // A public capture: the address 0x0132 with its bytes swapped was refused.
  EXPECT_EQ(error_of(make_read_modbus(0x3201, 1)), kErrorCommand);
  EXPECT_EQ(error_of(make_read_block(510, 10)), kErrorCommand);
  const std::uint16_t high[] = {4501};
  EXPECT_EQ(error_of(make_write_modbus(315, high)), kErrorCommand);
  EXPECT_EQ(error_of(make_write_modbus(36, high)), kErrorCommand) << "not writable";
  const std::uint16_t bound[] = {3455};
  EXPECT_EQ(error_of(make_write_modbus(315, bound)), kErrorCommand) << "300 is 3450: less than 10 mV away";
  EXPECT_EQ(device.register_value(315), 3600);
  EXPECT_EQ(device.counters().settings_writes, 0U);
  Bytes wrong_crc = test::encoded(make_query(Command::kSoc));
  wrong_crc.back() ^= 1;
  EXPECT_EQ(decode_reply(ask(device, kStart + 1h, wrong_crc))->error, kErrorCrc);
}

TEST(TinyBmsDevice, SleepsAndLosesTheFirstRequest) {
  TinyBmsDeviceConfig config;
  config.is_sleepy = true;
  Bench bench{config};
  EXPECT_TRUE(bench.device.is_asleep());
  bench.run_for(500ms);
  EXPECT_TRUE(bench.driver.is_connected());
  EXPECT_EQ(bench.device.counters().lost_while_asleep, 1U);
  EXPECT_EQ(bench.driver.statistics().retries, 1U);
  bench.run_for(30s);
  EXPECT_FALSE(bench.device.is_asleep()) << "polling keeps it awake";
  bench.driver.handle_line(bench.now, false);
  bench.run_for(11s);
  EXPECT_TRUE(bench.device.is_asleep());
}

TEST(TinyBmsDevice, WritesAreVerified) {
  Bench bench;
  bench.run_for(1s);
  // A whole new set of bounds, far above the old one: only the right order gets through the device's checks.
  const RegisterWrite writes[] = {{316, 3300}, {301, 3400}, {300, 4150},   {315, 4200},  {312, 70'000},
                                  {320, -20},  {317, 200},  {328, 25'000}, {330, 0x0A01}};
  const auto id = bench.driver.write_settings(bench.now, writes);
  ASSERT_TRUE(id.ok()) << describe(id.error()).view();
  const TimePoint began = bench.now;
  bench.run_for(20s);
  ASSERT_EQ(bench.all<WriteFinished>().size(), 1U);
  EXPECT_EQ(bench.all<WriteFinished>()[0].verified_count, std::size(writes));
  EXPECT_EQ(bench.all<WriteFinished>()[0].id, *id);
  for (const RegisterWritten& written : bench.all<RegisterWritten>()) {
    EXPECT_EQ(written.result, WriteResult::kVerified) << written.number;
  }
  EXPECT_EQ(bench.device.register_value(315), 4200);
  EXPECT_EQ(bench.device.register_value(312) + (bench.device.register_value(313) << 16), 70'000);
  EXPECT_EQ(static_cast<std::int16_t>(bench.device.register_value(320)), -20);
  EXPECT_EQ(known(bench.driver.snapshot().soc), BasisPoints{5000}) << "25000 * 0.002 %";
  EXPECT_EQ(bench.driver.settings().value(320)->value, -20);
  EXPECT_GT(bench.driver.settings().value(320)->at, began);
  EXPECT_EQ(bench.device.counters().nacks, 0U);
}

TEST(TinyBmsDevice, LiveValuesStayFreshDuringALongWrite) {
  Bench bench;
  bench.run_for(1s);
  std::vector<RegisterWrite> writes;
  for (const Register& entry : registers()) {
    const auto value = bench.driver.settings().value(entry.number);
    if (entry.is_writable && value && is_valid(entry, value->value)) {
      writes.push_back({entry.number, value->value});
    }
  }
  ASSERT_GT(writes.size(), 30U);
  ASSERT_TRUE(bench.driver.write_settings(bench.now, writes).ok());
  Duration age_max{};
  while (bench.driver.is_writing() && bench.now < kStart + 2min) {
    bench.run_for(10ms);
    age_max = std::max(age_max, bench.driver.snapshot().voltage->age(bench.now));
  }
  EXPECT_FALSE(bench.driver.is_writing());
  EXPECT_LT(age_max, 2500ms);
  EXPECT_EQ(bench.all<WriteFinished>().at(0).failed_count, 0U);
}

TEST(TinyBmsDevice, ADeviceThatRefusesEndsTheWrite) {
  Bench bench;
  bench.run_for(1s);
  const RegisterWrite writes[] = {{308, 40}, {319, 70}};
  ASSERT_TRUE(bench.driver.write_settings(bench.now, writes).ok());
  bench.device.set_fault(TinyBmsFault::kNack);
  bench.run_for(200ms);
  bench.device.set_fault(TinyBmsFault::kNone);
  bench.run_for(5s);
  const auto written = bench.all<RegisterWritten>();
  ASSERT_EQ(written.size(), 2U);
  EXPECT_EQ(written[0].result, WriteResult::kRefused);
  EXPECT_EQ(written[0].found, 20);
  EXPECT_EQ(written[1].result, WriteResult::kNotWritten);
  EXPECT_EQ(written[1].found, 60);
}

TEST(TinyBmsDevice, UnpluggedHalfWayIsReportedAndReadAgain) {
  Bench bench;
  bench.run_for(1s);
  const RegisterWrite writes[] = {{308, 40}, {319, 70}, {318, 90}};
  ASSERT_TRUE(bench.driver.write_settings(bench.now, writes).ok());
  bench.run_for(300ms);  // the first is written
  bench.is_cut = true;
  bench.run_for(10s);
  auto written = bench.all<RegisterWritten>();
  ASSERT_EQ(written.size(), 3U);
  EXPECT_EQ(written[0].result, WriteResult::kUnverified);
  EXPECT_EQ(written[1].result, WriteResult::kUnreachable);
  EXPECT_EQ(written[2].result, WriteResult::kNotWritten);
  EXPECT_FALSE(bench.driver.is_connected());
  EXPECT_FALSE(bench.driver.settings().value(308).has_value());
  EXPECT_EQ(bench.driver.write_settings(bench.now, writes).error().reason, WriteRefusalReason::kNotConnected);
  bench.events.clear();
  bench.is_cut = false;
  bench.run_for(2s);
  EXPECT_EQ(bench.all<SettingsRead>().size(), 1U);
  EXPECT_EQ(bench.driver.settings().value(308)->value, 40);
  EXPECT_EQ(bench.driver.settings().value(319)->value, 60);
}

TEST(TinyBmsDevice, FaultsAreNamedFromTheEventList) {
  Bench bench;
  bench.run_for(1s);
  bench.device.add_event(bench.now, event::kUnderVoltage);
  bench.device.set_status(OnlineStatus::kFault);
  bench.run_for(2s);
  EXPECT_EQ(known(bench.driver.snapshot().activity), battery::Activity::kFault);
  EXPECT_TRUE(bench.driver.snapshot().alarms->value.is_active(battery::Alarm::kLowVoltage));
  EXPECT_FALSE(bench.driver.snapshot().alarms->value.is_active(battery::Alarm::kGeneral));
  const auto logged = bench.all<BmsEventLogged>();
  ASSERT_FALSE(logged.empty());
  EXPECT_EQ(logged.back().event.id, event::kUnderVoltage);
  EXPECT_FALSE(logged.back().is_history);
  bench.device.add_event(bench.now, 0x7B);
  bench.device.set_status(OnlineStatus::kIdle);
  bench.run_for(2s);
  EXPECT_FALSE(bench.driver.snapshot().alarms->value.has_any());
}

TEST(TinyBmsDevice, ControlsAreDone) {
  Bench bench;
  bench.device.add_event(bench.now, 0x62);
  bench.device.set_current(Milliamps{-51'000});
  bench.run_for(1s);
  EXPECT_EQ(bench.device.register_value(102), 510);
  EXPECT_FALSE(bench.driver.control(bench.now, ControlOption::kClearStatistics).has_value());
  bench.run_for(500ms);
  EXPECT_EQ(bench.device.register_value(102), 0);
  EXPECT_EQ(bench.driver.statistics_words()->value[2], 0);
  EXPECT_FALSE(bench.driver.control(bench.now, ControlOption::kClearEvents).has_value());
  bench.run_for(500ms);
  EXPECT_EQ(bench.driver.event_list()->count, 0U);
  EXPECT_FALSE(bench.driver.control(bench.now, ControlOption::kReset).has_value());
  bench.run_for(3s);
  const auto finished = bench.all<ControlFinished>();
  ASSERT_EQ(finished.size(), 3U);
  for (const ControlFinished& control : finished) {
    EXPECT_EQ(control.result, ControlResult::kAcknowledged);
  }
  EXPECT_EQ(bench.driver.event_list()->events[0].id, event::kSystemStarted);
  EXPECT_TRUE(bench.driver.is_connected());
}

TEST(TinyBmsDevice, BroadcastTextDoesNotDisturb) {
  Bench bench;
  bench.device.set_register(342, 1);  // every 0.1 s
  bench.device.set_register(343, 1);
  bench.run_for(20s);
  EXPECT_EQ(bench.driver.statistics().timeouts, 0U);
  EXPECT_GT(bench.driver.statistics().noise_bytes, 5000U);
  EXPECT_GE(bench.all<SnapshotUpdated>().size(), 20U);
}

// Every fault of the device: no value from it is wrong, and after it everything is read within the bound.
TEST(TinyBmsDevice, RecoversFromEveryFault) {
  for (int i = 1; i <= static_cast<int>(TinyBmsFault::kJoined); ++i) {
    const auto fault = static_cast<TinyBmsFault>(i);
    EXPECT_EQ(tinybms_fault_from_text(to_text(fault)), fault);
    Bench bench;
    bench.run_for(2s);
    bench.device.set_fault(fault);
    bench.run_for(10s);
    bench.device.set_fault(TinyBmsFault::kNone);
    bench.events.clear();
    bench.device.set_cell(0, Millivolts{3311});
    bench.run_for(1700ms);
    ASSERT_FALSE(bench.all<SnapshotUpdated>().empty()) << to_text(fault);
    EXPECT_EQ(bench.driver.snapshot().cells->value.voltage[0], Millivolts{3311}) << to_text(fault);
    EXPECT_EQ(known(bench.driver.snapshot().voltage), Millivolts{15 * 3300 + 3311}) << to_text(fault);
  }
}

TEST(TinyBmsDevice, AStuckDeviceKeepsItsValues) {
  TinyBmsDevice device;
  device.set_fault(TinyBmsFault::kStuck);
  device.set_cell(3, Millivolts{3500});
  EXPECT_EQ(device.register_value(3), 33000);
}

// Loss, damage and noise: nothing is ever decoded wrong, and polls keep coming. Deterministic by seed.
TEST(TinyBmsDevice, ABadLineCostsTimeNotTruth) {
  std::size_t updates = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    DriverConfig config;
    config.poll_interval = 200ms;
    config.read_method = seed % 2 == 0 ? ReadMethod::kBlock : ReadMethod::kModbus;
    config.write_method = seed % 2 == 0 ? WriteMethod::kModbus : WriteMethod::kIndividual;
    config.events_command = seed % 2 == 0 ? Command::kAllEvents : Command::kNewestEvents;
    Bench bench{{}, config, seed};
    for (int i = 0; i < 60; ++i) {
      bench.device.add_event(bench.now, 0x62);
    }
    bench.loss_ppm = 1'000;
    bench.damage_ppm = 1'000;
    bench.noise_ppm = 200'000;
    bench.run_for(20s);
    const RegisterWrite writes[] = {{308, 40}, {319, 70}, {315, 3700}, {300, 3650}};
    const auto id = bench.driver.write_settings(bench.now, writes);
    EXPECT_TRUE(id.ok()) << "seed " << seed << ": " << (id.ok() ? "" : describe(id.error()).view());
    bench.run_for(60s);
    updates += bench.all<SnapshotUpdated>().size();
    EXPECT_EQ(known(bench.driver.snapshot().voltage), Millivolts{52'800}) << "seed " << seed;
    EXPECT_EQ(bench.driver.statistics().implausible_values, 0U) << "seed " << seed;
    // What the driver believes is what the device holds.
    for (const RegisterWritten& written : bench.all<RegisterWritten>()) {
      if (written.result == WriteResult::kVerified) {
        EXPECT_EQ(bench.device.register_value(written.number), written.asked) << "seed " << seed;
      }
    }
    bench.loss_ppm = bench.damage_ppm = bench.noise_ppm = 0;
    bench.run_for(12s);
    EXPECT_FALSE(bench.driver.is_writing());
    ASSERT_TRUE(bench.driver.settings().is_complete()) << "seed " << seed;
    for (std::uint16_t number = 300; number < 344; ++number) {
      EXPECT_EQ(bench.driver.settings().word(number)->value, bench.device.register_value(number)) << number;
    }
    EXPECT_EQ(bench.driver.event_list()->count, seed % 2 == 0 ? 49U : 14U);
  }
  EXPECT_GT(updates, 1000U);
}

TEST(TinyBmsDevice, PacketsOfAnotherSizeAreConfiguration) {
  TinyBmsDeviceConfig device_config;
  device_config.packet_payload_size = 48;
  DriverConfig config;
  config.read_method = ReadMethod::kBlock;
  config.packet_payload_size = 48;
  Bench bench{device_config, config};
  bench.run_for(1s);
  EXPECT_EQ(known(bench.driver.snapshot().voltage), Millivolts{52'800});
  EXPECT_TRUE(bench.driver.settings().is_complete());
  EXPECT_EQ(bench.driver.statistics().timeouts, 0U);
}

TEST(TinyBmsDevice, SameSeedSameRun) {
  const auto digest_of = [](std::uint64_t seed) {
    Bench bench{{}, {}, seed};
    bench.damage_ppm = 5'000;
    bench.run_for(60s);
    Digest digest;
    for (const DriverEvent& event : bench.events) {
      digest.add_byte(static_cast<std::uint8_t>(event.index()));
    }
    digest.add_number(static_cast<std::int64_t>(bench.driver.statistics().noise_bytes));
    return digest.value();
  };
  EXPECT_EQ(digest_of(7), digest_of(7));
  EXPECT_NE(digest_of(7), digest_of(8));
}

struct Adapter {
  using Machine = TinyBmsDevice;
  static Machine make(std::uint64_t seed) {
    TinyBmsDeviceConfig config;
    config.seed = seed;
    config.is_sleepy = seed % 2 == 0;
    return TinyBmsDevice{config};
  }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    switch (rng.below(8)) {
      case 0: {
        Bytes noise(rng.below(300));
        for (std::uint8_t& byte : noise) {
          byte = rng.chance(100'000) ? kStartByte : static_cast<std::uint8_t>(rng.below(32));
        }
        machine.handle_bytes(now, noise);
        break;
      }
      case 1:
        machine.set_fault(static_cast<TinyBmsFault>(rng.below(7)));
        break;
      case 2:
        machine.set_register(342, static_cast<std::uint16_t>(rng.below(9)));
        break;
      case 3:
        machine.handle_bytes(
            now, test::encoded(make_read_block(0, static_cast<std::uint8_t>(1 + rng.below(127)))));
        break;
      case 4:
        machine.handle_bytes(now, test::encoded(make_query(kCommands[rng.below(kCommands.size())])));
        break;
      default:
        machine.handle_bytes(now, test::encoded(make_read_modbus(0, 57)));
        break;
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    Bytes out(64);
    out.resize(machine.poll_transmit(now, out));
    digest.add(out);
    const auto event = machine.poll_event();
    digest.add_byte(event ? static_cast<std::uint8_t>(event->type) : std::uint8_t{0xFF});
    return event.has_value() || !out.empty();
  }
};
TEST(TinyBmsDevice, KeepsTheMachineContract) {
  contract::check_machine_contract<Adapter>();
}

}  // namespace
}  // namespace amphora::sim
