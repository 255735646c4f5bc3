// SPDX-License-Identifier: Apache-2.0
// What the guard decides, with lines in memory. The guard as a process: tests/system/runtime; on kernel GPIO:
// tests/vm/gpio_test.sh.
#include "runtime/relays/relay_guard.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "runtime/relays/guarded_lines.hpp"
#include "runtime/relays/relay_bank.hpp"

namespace amphora::runtime {
namespace {

using energy::Position;
using energy::Relay;

// The wires of a chip, by offset: what a line drives, which are taken, which fail.
struct Wires {
  std::map<std::uint32_t, bool> level;
  std::map<std::uint32_t, int> failing;
  int writes = 0;
};
Wires* wires = nullptr;

class WireLine {
 public:
  std::optional<SysError> take(const GpioAddress& address, bool is_active, GpioPolarity polarity) {
    offset_ = address.offset;
    is_inverted_ = polarity == GpioPolarity::kActiveLow;
    auto error = set(is_active);
    is_taken_ = !error;
    return error;
  }
  bool is_taken() const { return is_taken_; }
  std::optional<SysError> set(bool is_active) {
    if (const auto found = wires->failing.find(offset_); found != wires->failing.end()) {
      return SysError{found->second, "drive", {}};
    }
    wires->level[offset_] = is_active != is_inverted_;
    ++wires->writes;
    return std::nullopt;
  }
  std::variant<bool, SysError> get() const { return wires->level[offset_] != is_inverted_; }

 private:
  std::uint32_t offset_ = 0;
  bool is_inverted_ = false;
  bool is_taken_ = false;
};

RelaySpecs house() {
  RelaySpecs specs{};
  const auto fit = [&](Relay relay, std::string_view text) {
    specs[index_of(relay)] = std::get<RelaySpec>(parse_relay_spec(text, relay));
  };
  fit(Relay::kGrid, "gpio:chip/0");
  fit(Relay::kInverterOutput, "gpio:chip/1");
  fit(Relay::kPump, "gpio:chip/2");
  fit(Relay::kHeater, "gpio:chip/3?active=low");
  fit(Relay::kLoad3, "virtual");
  return specs;
}

WantedPositions wanted_of(std::initializer_list<std::pair<Relay, Position>> positions) {
  WantedPositions wanted{};
  for (const auto& [relay, position] : positions) {
    wanted[index_of(relay)] = position;
  }
  return wanted;
}

class GuardedLinesTest : public ::testing::Test {
 protected:
  GuardedLinesTest() { wires = &wires_; }
  ~GuardedLinesTest() override { wires = nullptr; }
  Wires wires_;
  GuardedLines<WireLine> lines_{house()};
};

TEST_F(GuardedLinesTest, drive_what_is_wanted_and_nothing_else) {
  lines_.apply(wanted_of({{Relay::kPump, Position::kClosed}, {Relay::kHeater, Position::kClosed}}));
  EXPECT_EQ(wires_.level, (std::map<std::uint32_t, bool>{{2, true}, {3, false}}));
  EXPECT_EQ(lines_.state()[index_of(Relay::kHeater)], (GuardedRelay{Position::kClosed, 0}));
  EXPECT_EQ(lines_.state()[index_of(Relay::kGrid)], GuardedRelay{});
}

TEST_F(GuardedLinesTest, go_to_safe_positions_and_keep_what_is_to_be_kept) {
  lines_.apply(wanted_of({{Relay::kGrid, Position::kOpen},
                          {Relay::kInverterOutput, Position::kClosed},
                          {Relay::kPump, Position::kClosed},
                          {Relay::kHeater, Position::kClosed}}));
  lines_.make_safe();
  EXPECT_EQ(wires_.level, (std::map<std::uint32_t, bool>{{0, true}, {1, true}, {2, false}, {3, true}}));
  // And obey again.
  lines_.apply(wanted_of({{Relay::kGrid, Position::kOpen}}));
  EXPECT_FALSE(wires_.level[0]);
  EXPECT_FALSE(wires_.level[2]);
}

TEST_F(GuardedLinesTest, are_safe_without_any_order_too) {
  lines_.make_safe();
  EXPECT_EQ(wires_.level, (std::map<std::uint32_t, bool>{{0, true}, {2, false}, {3, true}}));
}

TEST_F(GuardedLinesTest, are_written_again_by_each_order) {
  const auto wanted = wanted_of({{Relay::kPump, Position::kClosed}});
  lines_.apply(wanted);
  wires_.level[2] = false;
  lines_.apply(wanted);
  EXPECT_TRUE(wires_.level[2]);
  EXPECT_EQ(wires_.writes, 2);
}

TEST_F(GuardedLinesTest, tell_failures_and_try_again) {
  wires_.failing[2] = EBUSY;
  lines_.apply(wanted_of({{Relay::kGrid, Position::kClosed}, {Relay::kPump, Position::kClosed}}));
  EXPECT_TRUE(lines_.has_failure());
  EXPECT_EQ(lines_.state()[index_of(Relay::kPump)], (GuardedRelay{std::nullopt, EBUSY}));
  EXPECT_EQ(lines_.state()[index_of(Relay::kGrid)], (GuardedRelay{Position::kClosed, 0}));
  wires_.failing.clear();
  lines_.drive();
  EXPECT_FALSE(lines_.has_failure());
  EXPECT_EQ(lines_.state()[index_of(Relay::kPump)], (GuardedRelay{Position::kClosed, 0}));
}

TEST(RelayPackets, carry_the_lines_of_all_relays) {
  const RelaySpecs specs = house();
  auto decoded = decode_lines(encode_lines(specs));
  ASSERT_TRUE(decoded);
  // A virtual relay is not the guard's.
  (*decoded)[index_of(Relay::kLoad3)] = VirtualRelay{};
  EXPECT_EQ(*decoded, specs);
}

RC_GTEST_PROP(RelayPackets, carry_orders_and_answers, ()) {
  WantedPositions wanted{};
  GuardedRelays relays{};
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    const int kind = *rc::gen::inRange(0, 4);
    const Position position = *rc::gen::element(Position::kOpen, Position::kClosed);
    if (kind == 0) {
      relays[i].error = *rc::gen::inRange(1, 134);
    } else if (kind > 1) {
      wanted[i] = position;
      relays[i].measured = position;
    }
  }
  RC_ASSERT(decode_wanted(encode_wanted(wanted)) == wanted);
  RC_ASSERT(decode_guarded(encode_guarded(relays)) == relays);
  RC_ASSERT(encode_guarded(relays).size() < kGuardPacketMax);
}

TEST(RelayPackets, refuse_what_they_did_not_write) {
  for (const char* packet : {"", "se", "set ", "set grid", "set grid=", "set grid=half", "set moon=open",
                             "read grid=open", "set  grid=open", "setgrid=open"}) {
    EXPECT_FALSE(decode_wanted(packet)) << packet;
  }
  for (const char* packet : {"", "set", "read grid", "read grid=", "read grid!", "read grid!x", "read grid!0",
                             "read grid!-1", "read grid!99999999999", "read ", "read grid?1"}) {
    EXPECT_FALSE(decode_guarded(packet)) << packet;
  }
  for (const char* packet : {"", "lines\n", "lines\ngrid", "lines\ngrid virtual", "lines\ngrid ",
                             "lines\nmoon gpio:a/1", "lines\ngrid gpio:a"}) {
    EXPECT_FALSE(decode_lines(packet)) << packet;
  }
}

TEST(RelayBank, keeps_virtual_relays_in_memory_and_needs_no_guard) {
  RelayOptions options;
  options.specs[index_of(Relay::kGrid)] = VirtualRelay{};
  options.guard_command = {"/no/such/program"};
  RelayBank bank{options};
  EXPECT_TRUE(bank.fitted()[index_of(Relay::kGrid)]);
  EXPECT_FALSE(bank.fitted()[index_of(Relay::kPump)]);
  EXPECT_EQ(bank.positions()[index_of(Relay::kGrid)], std::nullopt);
  bank.set(Relay::kGrid, Position::kClosed);
  bank.set(Relay::kGrid, Position::kClosed);
  bank.set(Relay::kPump, Position::kClosed);
  bank.poll(TimePoint{});
  EXPECT_EQ(bank.positions()[index_of(Relay::kGrid)], Position::kClosed);
  EXPECT_EQ(bank.positions()[index_of(Relay::kPump)], std::nullopt);
  EXPECT_EQ(bank.counters().switches, 0U);
  bank.set(Relay::kGrid, Position::kOpen);
  EXPECT_EQ(bank.counters().switches, 1U);
  EXPECT_EQ(bank.poll_timeout(), kNever);
  EXPECT_EQ(bank.guard(), std::nullopt);
  EXPECT_EQ(bank.counters().guard_starts, 0U);
}

TEST(RelayBank, tells_that_the_guard_cannot_be_started) {
  RelayOptions options;
  options.specs[index_of(Relay::kGrid)] = std::get<RelaySpec>(parse_relay_spec("gpio:chip/0", Relay::kGrid));
  options.guard_command = {"/no/such/program"};
  RelayBank bank{options};
  TimePoint now{std::chrono::seconds{1}};
  bank.set(Relay::kGrid, Position::kClosed);
  bank.poll(now);
  ASSERT_TRUE(bank.error(Relay::kGrid));
  EXPECT_EQ(bank.error(Relay::kGrid)->text(),
            "start the guard of the relays, /no/such/program: No such file or directory");
  EXPECT_EQ(bank.poll_timeout(), now + kGuardRestartAfter);
  EXPECT_TRUE(bank.poll_notice());
  // Told once, however often it is tried.
  now += kGuardRestartAfter;
  bank.poll(now);
  EXPECT_FALSE(bank.poll_notice());
  EXPECT_EQ(bank.counters().failures, 1U);
}

}  // namespace
}  // namespace amphora::runtime
