// SPDX-License-Identifier: Apache-2.0
// The driver against hand-made answers. Its play with a whole device is tested beside the device's model.
#include "core/bms/tinybms/driver.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/bms/tinybms/test_support.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::tinybms {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

TimePoint at(Duration since_start) {
  return TimePoint{since_start};
}

Bytes sent(Driver& driver, TimePoint now) {
  Bytes out(kTransmitSizeMax);
  out.resize(driver.poll_transmit(now, out));
  return out;
}

// Registers that a healthy device would have.
std::uint16_t healthy(std::size_t number) {
  switch (number) {
    case 37:
      return 0x425F;
    case 36:
      return 0x1EB8;
    case 50:
      return 0x97;
    case 53:
      return 16;
    case 300:
      return 4150;
    case 301:
      return 3000;
    case 306:
      return 6600;
    case 315:
      return 4200;
    case 316:
      return 2900;
    case 317:
      return 60;
    default:
      return number < 16 ? 33000 : 0;
  }
}

// The right answer to any request of the driver.
Bytes answer_to(const Bytes& frame) {
  const auto request = decode_request(frame);
  EXPECT_TRUE(request.ok()) << test::hex_of(frame);
  Bytes payload;
  if (request->command == Command::kReadModbus || request->command == Command::kReadBlock) {
    const Endian endian = request->command == Command::kReadModbus ? Endian::kBig : Endian::kLittle;
    payload.resize(2 * std::size_t{request->count});
    for (std::size_t i = 0; i < request->count; ++i) {
      store<std::uint16_t>(payload.data() + 2 * i, healthy(request->address + i), endian);
    }
  } else if (request->command == Command::kNewestEvents || request->command == Command::kAllEvents) {
    payload = {100, 0, 0, 0, 90, 0, 0, 0x61};
  } else {
    Bytes ack(8);
    ack.resize(*encode_ack(request->command, ack));
    return ack;
  }
  return test::encoded_data(request->command, payload);
}

template <class Event>
int count_events(const std::vector<DriverEvent>& events) {
  return static_cast<int>(std::count_if(events.begin(), events.end(), [](const DriverEvent& event) {
    return std::holds_alternative<Event>(event);
  }));
}

std::vector<DriverEvent> drain(Driver& driver) {
  std::vector<DriverEvent> events;
  while (const auto event = driver.poll_event()) {
    events.push_back(*event);
  }
  return events;
}

// Answers everything at once until the driver has nothing more to ask at `now`.
std::vector<DriverEvent> serve(Driver& driver, TimePoint now) {
  std::vector<DriverEvent> events;
  for (int i = 0; i < 50; ++i) {
    driver.handle_timeout(now);
    const Bytes frame = sent(driver, now);
    if (frame.empty()) {
      break;
    }
    driver.handle_bytes(now, answer_to(frame));
    for (const DriverEvent& event : drain(driver)) {
      events.push_back(event);
    }
  }
  return events;
}

TEST(TinyBmsDriver, ConfigurationIsChecked) {
  EXPECT_FALSE(validate(DriverConfig{}).has_value());
  const auto issue_of = [](auto change) {
    DriverConfig config;
    change(config);
    const auto issue = validate(config);
    return issue ? issue->field : std::string_view{};
  };
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.poll_interval = 99ms; }), "poll_interval");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.poll_interval = 11s; }), "poll_interval");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.reply_timeout = 1ms; }), "reply_timeout");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.attempts_max = 1; }), "attempts_max");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.back_off_max = 500ms; }), "back_off_max");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.lost_after = 450ms; }), "lost_after");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.statistics_interval = 0s; }), "statistics_interval");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.events_interval = 0s; }), "events_interval");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.settings_interval = 0s; }), "settings_interval");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.write_reply_timeout = 0s; }), "write_reply_timeout");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.write_pause = -1s; }), "write_pause");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.read_back_pause = 11s; }), "read_back_pause");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.events_command = Command::kSoc; }), "events_command");
  EXPECT_EQ(issue_of([](DriverConfig& c) { c.packet_payload_size = 64; }), "packet_payload_size");
}

TEST(TinyBmsDriver, SaysNothingOnAClosedLine) {
  Driver driver{DriverConfig{}};
  EXPECT_EQ(driver.poll_timeout(), kNever);
  driver.handle_timeout(at(1s));
  EXPECT_TRUE(sent(driver, at(1s)).empty());
  driver.handle_bytes(at(1s), test::bytes_of("AA 03 0A 97 40"));
  EXPECT_EQ(driver.statistics().noise_bytes, 0U);
}

TEST(TinyBmsDriver, ReadsEverythingOnceAtTheStart) {
  Driver driver{DriverConfig{}};
  driver.handle_line(at(1s), true);
  EXPECT_EQ(test::hex_of(sent(driver, at(1s))), "AA 03 00 00 00 39 9C 03");
  driver.handle_bytes(at(1s), answer_to(test::bytes_of("AA 03 00 00 00 39 9C 03")));
  EXPECT_TRUE(driver.is_connected());
  EXPECT_EQ(known(driver.snapshot().voltage), Millivolts{55780});
  const auto events = serve(driver, at(1s));
  EXPECT_EQ(count_events<VersionRead>(events), 1);
  EXPECT_EQ(count_events<SettingsRead>(events), 1);
  EXPECT_EQ(count_events<StatisticsRead>(events), 1);
  EXPECT_EQ(count_events<BmsEventLogged>(events), 1);
  EXPECT_EQ(known(driver.snapshot().capacity), MilliampHours{66'000});
  EXPECT_EQ(driver.poll_timeout(), at(2s)) << "the next live poll";
  EXPECT_EQ(driver.statistics().requests_sent, 5U);
  EXPECT_EQ(driver.statistics().replies_received, 5U);
}

TEST(TinyBmsDriver, RepeatsAtOnceAndThenBacksOff) {
  DriverConfig config;
  config.poll_interval = 100ms;
  Driver driver{config};
  driver.handle_line(at(0s), true);
  TimePoint now = at(0s);
  std::vector<TimePoint> sent_at;
  while (now < at(6s)) {
    driver.handle_timeout(now);
    if (!sent(driver, now).empty()) {
      sent_at.push_back(now);
    }
    ASSERT_GT(driver.poll_timeout(), now);
    now = driver.poll_timeout();
  }
  ASSERT_GE(sent_at.size(), 9U);
  EXPECT_EQ(sent_at[1] - sent_at[0], 150ms) << "a sleeping BMS loses the first request";
  EXPECT_EQ(sent_at[2] - sent_at[1], 150ms);
  EXPECT_EQ(sent_at[3] - sent_at[2], 150ms + 100ms);
  EXPECT_EQ(sent_at[6] - sent_at[5], 150ms + 200ms);
  for (std::size_t i = 1; i < sent_at.size(); ++i) {
    EXPECT_LE(sent_at[i] - sent_at[i - 1], 150ms + 1s) << "never more than back_off_max without a try";
  }
  EXPECT_EQ(driver.statistics().retries,
            driver.statistics().requests_sent / 3 * 2 +
                (driver.statistics().requests_sent % 3 == 0 ? 0 : driver.statistics().requests_sent % 3 - 1));
  EXPECT_FALSE(driver.is_connected());
}

TEST(TinyBmsDriver, IsDisconnectedAfterSilenceAndReadsAgain) {
  Driver driver{DriverConfig{}};
  driver.handle_line(at(0s), true);
  (void)serve(driver, at(0s));
  ASSERT_TRUE(driver.is_connected());
  TimePoint now = at(0s);
  while (now <= at(3s)) {
    driver.handle_timeout(now);
    (void)sent(driver, now);
    now = driver.poll_timeout();
  }
  EXPECT_FALSE(driver.is_connected());
  EXPECT_EQ(count_events<Disconnected>(drain(driver)), 1);
  EXPECT_GT(driver.statistics().consecutive_failures, 0U);
  EXPECT_TRUE(driver.snapshot().voltage.has_value()) << "old values keep their age";
  const auto events = serve(driver, now + 2s);
  EXPECT_EQ(count_events<Connected>(events), 1);
  EXPECT_EQ(count_events<SettingsRead>(events), 1);
  EXPECT_EQ(driver.statistics().consecutive_failures, 0U);
}

TEST(TinyBmsDriver, ReadsByBlocksToo) {
  DriverConfig config;
  config.read_method = ReadMethod::kBlock;
  Driver driver{config};
  driver.handle_line(at(0s), true);
  const auto events = serve(driver, at(0s));
  EXPECT_EQ(count_events<SnapshotUpdated>(events), 1);
  EXPECT_EQ(count_events<SettingsRead>(events), 1);
  EXPECT_EQ(driver.statistics().requests_sent, 7U) << "two parts of live and settings";
  EXPECT_EQ(known(driver.snapshot().voltage), Millivolts{55780});
  EXPECT_EQ(driver.settings().value(315)->value, 4200);
}

TEST(TinyBmsDriver, AWriteIsRefusedBeforeItIsSent) {
  Driver driver{DriverConfig{}};
  const RegisterWrite good[] = {{315, 4300}};
  EXPECT_EQ(driver.write_settings(at(0s), good).error().reason, WriteRefusalReason::kNotConnected);
  driver.handle_line(at(0s), true);
  (void)sent(driver, at(0s));
  driver.handle_bytes(at(0s), answer_to(test::bytes_of("AA 03 00 00 00 39 9C 03")));
  EXPECT_EQ(driver.write_settings(at(0s), good).error().reason, WriteRefusalReason::kSettingsNotRead);
  (void)serve(driver, at(0s));
  const RegisterWrite bad[] = {{315, 4501}};
  EXPECT_EQ(driver.write_settings(at(0s), bad).error().reason, WriteRefusalReason::kOutOfRange);
  ASSERT_TRUE(driver.write_settings(at(0s), good).ok());
  EXPECT_EQ(driver.write_settings(at(0s), good).error().reason, WriteRefusalReason::kBusy);
  EXPECT_EQ(driver.control(at(0s), ControlOption::kReset), ControlRefusal::kBusy);
}

TEST(TinyBmsDriver, AFoundOtherValueIsAMismatch) {
  Driver driver{DriverConfig{}};
  driver.handle_line(at(0s), true);
  (void)serve(driver, at(0s));
  const RegisterWrite writes[] = {{315, 4300}};
  ASSERT_TRUE(driver.write_settings(at(0s), writes).ok());
  const Bytes frame = sent(driver, at(0s));
  EXPECT_EQ(decode_request(frame)->words[0], (RegisterWord{315, 4300}));
  EXPECT_FALSE(driver.settings().value(315).has_value()) << "unknown until it is read back";
  driver.handle_bytes(at(0s), answer_to(frame));
  EXPECT_TRUE(sent(driver, at(900ms)).empty()) << "the BMS saves to flash";
  const auto events = serve(driver, at(1s));
  ASSERT_EQ(count_events<RegisterWritten>(events), 1);
  for (const DriverEvent& event : events) {
    if (const auto* written = std::get_if<RegisterWritten>(&event)) {
      EXPECT_EQ(written->result, WriteResult::kMismatch);
      EXPECT_EQ(written->found, 4200) << "the hand-made answers keep the old value";
    }
  }
  EXPECT_FALSE(driver.is_writing());
  EXPECT_EQ(driver.settings().value(315)->value, 4200);
}

TEST(TinyBmsDriver, APulledCableEndsAWrite) {
  Driver driver{DriverConfig{}};
  driver.handle_line(at(0s), true);
  (void)serve(driver, at(0s));
  const RegisterWrite writes[] = {{315, 4300}, {308, 20}, {319, 55}};
  ASSERT_TRUE(driver.write_settings(at(0s), writes).ok());
  driver.handle_bytes(at(0s), answer_to(sent(driver, at(0s))));
  (void)drain(driver);
  driver.handle_line(at(100ms), false);
  const auto events = drain(driver);
  ASSERT_EQ(count_events<RegisterWritten>(events), 3);
  EXPECT_EQ(std::get<RegisterWritten>(events[1]).result, WriteResult::kUnverified);
  EXPECT_EQ(std::get<RegisterWritten>(events[2]).result, WriteResult::kUnreachable);
  EXPECT_EQ(std::get<RegisterWritten>(events[3]).result, WriteResult::kNotWritten);
  EXPECT_FALSE(driver.settings().is_complete());
  driver.handle_line(at(5s), true);
  EXPECT_EQ(count_events<SettingsRead>(serve(driver, at(5s))), 1);
  EXPECT_TRUE(driver.settings().is_complete());
}

TEST(TinyBmsDriver, ARefusedRequestIsRepeatedOnlyForItsCrc) {
  Driver driver{DriverConfig{}};
  driver.handle_line(at(0s), true);
  (void)sent(driver, at(0s));
  driver.handle_bytes(at(0s), test::bytes_of("AA 00 03 01 E0 CC"));
  EXPECT_FALSE(sent(driver, at(0s)).empty()) << "at once";
  Bytes nack(8);
  nack.resize(*encode_nack(0x03, kErrorCommand, nack));
  driver.handle_bytes(at(0s), nack);
  EXPECT_EQ(driver.statistics().refusals, 2U);
  // It answers, so it is connected, and the other blocks are tried; the live block again after its interval.
  EXPECT_TRUE(driver.is_connected());
  EXPECT_NE(test::hex_of(sent(driver, at(0s))), "AA 03 00 00 00 39 9C 03");
}

TEST(TinyBmsDriver, AResetIsSentOnce) {
  Driver driver{DriverConfig{}};
  EXPECT_EQ(driver.control(at(0s), ControlOption::kReset), ControlRefusal::kNotConnected);
  driver.handle_line(at(0s), true);
  (void)serve(driver, at(0s));
  EXPECT_FALSE(driver.control(at(0s), ControlOption::kReset).has_value());
  EXPECT_EQ(driver.control(at(0s), ControlOption::kReset), ControlRefusal::kBusy);
  EXPECT_EQ(test::hex_of(sent(driver, at(0s))), "AA 02 05 90 83");
  driver.handle_timeout(at(200ms));
  const auto events = drain(driver);
  ASSERT_EQ(count_events<ControlFinished>(events), 1);
  EXPECT_EQ(std::get<ControlFinished>(events.back()).result, ControlResult::kUnreachable);
  EXPECT_NE(test::hex_of(sent(driver, at(200ms))), "AA 02 05 90 83");
}

TEST(TinyBmsDriver, UnpolledEventsAreDroppedAndCounted) {
  Driver driver{DriverConfig{}};
  driver.handle_line(at(0s), true);
  TimePoint now = at(0s);
  for (std::size_t i = 0; i <= kDriverEventCapacity; ++i, now += 1s) {
    for (int k = 0; k < 10; ++k) {
      const Bytes frame = sent(driver, now);
      if (!frame.empty()) {
        driver.handle_bytes(now, answer_to(frame));
      }
    }
  }
  EXPECT_GT(driver.dropped_event_count(), 0U);
  EXPECT_EQ(drain(driver).size(), kDriverEventCapacity);
}

struct Adapter {
  // Keeps the last request, so that random input also contains right answers.
  struct Machine {
    Driver driver{DriverConfig{}};
    Bytes last_request;
    void handle_timeout(TimePoint now) { driver.handle_timeout(now); }
    TimePoint poll_timeout() const { return driver.poll_timeout(); }
    std::optional<DriverEvent> poll_event() { return driver.poll_event(); }
  };
  static Machine make(std::uint64_t) { return {}; }
  static void feed_noise(Machine& machine, TimePoint now, Rng& rng) {
    Bytes noise(rng.below(40));
    for (std::uint8_t& byte : noise) {
      byte = rng.chance(200'000) ? kStartByte : static_cast<std::uint8_t>(rng.next());
    }
    machine.driver.handle_bytes(now, noise);
  }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    const RegisterWrite writes[] = {{315, 4100 + rng.below(500)}, {312, 1 + rng.below(100'000)}, {308, 20}};
    switch (rng.below(12)) {
      case 0:
        machine.driver.handle_line(now, !rng.chance(300'000));
        break;
      case 1:
        feed_noise(machine, now, rng);
        break;
      case 2:
        (void)machine.driver.write_settings(now, std::span{writes}.first(1 + rng.below(3)));
        break;
      case 3:
        (void)machine.driver.control(now, ControlOption::kClearEvents);
        break;
      case 4: {
        Bytes answer = machine.last_request.empty() ? Bytes(9) : answer_to(machine.last_request);
        answer[rng.below(static_cast<std::uint32_t>(answer.size()))] ^= 0x20;
        machine.driver.handle_bytes(now, answer);
        break;
      }
      default:
        if (!machine.last_request.empty()) {
          machine.driver.handle_bytes(now, answer_to(machine.last_request));
        }
        break;
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    Bytes out(kTransmitSizeMax);
    out.resize(machine.driver.poll_transmit(now, out));
    digest.add(out);
    if (!out.empty()) {
      machine.last_request = out;
      return true;
    }
    const auto event = machine.driver.poll_event();
    digest.add_byte(event ? static_cast<std::uint8_t>(event->index()) : std::uint8_t{0xFF});
    return event.has_value();
  }
};
TEST(TinyBmsDriver, KeepsTheMachineContract) {
  contract::check_machine_contract<Adapter>();
}

}  // namespace
}  // namespace amphora::tinybms
