// SPDX-License-Identifier: Apache-2.0
#include "core/node/pack/pack.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/node/pack/pack_test_support.hpp"
#include "core/node/pack/report_codes.hpp"
#include "core/sections/tables.hpp"

namespace amphora::node {
namespace {

using namespace std::chrono_literals;
using energy::Mode;
using energy::Position;
using energy::Relay;
using packnet::Command;
using packnet::CommandResult;
using packnet::Opcode;

sections::Values modes_of(const Pack& pack) {
  return *sections::decode(*sections::find_table(sections::kModes),
                           pack.sections().current(sections::kModes).payload.bytes());
}

auto switch_mode(PackBed& bed, std::size_t index, std::size_t field, bool is_on) {
  sections::Values values = modes_of(bed.pack(index));
  values.fields[field].number = is_on ? 1 : 0;
  return bed.pack(index).change_section(bed.now, *sections::find_table(sections::kModes), values);
}

bool is_in_force(PackBed& bed, std::size_t index, Mode mode) {
  return bed.pack(index).control().settings().enabled.has(mode);
}

template <class What>
std::size_t count_events(const PackBed::Box& box, const auto& predicate) {
  return static_cast<std::size_t>(std::ranges::count_if(box.events, [&](const PackNodeEvent& event) {
    const auto* what = std::get_if<What>(&event.what);
    return what != nullptr && predicate(*what);
  }));
}

void send_command(PackBed& bed, std::uint8_t sequence, const Command& command) {
  const auto frame = packnet::encode_command(packnet::kNodeAll, sequence, command);
  bed.send(packnet::encode(frame));
}

Command set_mode(Mode mode, bool is_on) {
  return {Opcode::kSetMode, {static_cast<std::int32_t>(mode), is_on ? 1 : 0}};
}

std::size_t answers(const PackBed& bed, CommandResult result) {
  return static_cast<std::size_t>(
      std::ranges::count(bed.acknowledgements, result, &packnet::Acknowledgement::result));
}

PackBed make_bed(std::size_t count) {
  PackBed bed;
  for (std::size_t i = 0; i < count; ++i) {
    (void)bed.add(pack_config_of(0x1000 + i * 0x11));
  }
  bed.run(3s);
  return bed;
}

TEST(Pack, AloneItReadsItsBatteryClosesItsRelaysAndLeads) {
  PackBed bed = make_bed(1);
  Pack& pack = bed.pack(0);
  EXPECT_EQ(pack.bms_state(), packnet::BmsState::kConnected);
  ASSERT_TRUE(pack.control().balance().battery.has_value());
  EXPECT_EQ(pack.control().balance().battery->count(), 260);
  EXPECT_EQ(bed.boxes[0]->contacts.at(Relay::kGrid), Position::kClosed);
  EXPECT_TRUE(pack.network().is_master());
  EXPECT_NE(bed.boxes[0]->store.node, packnet::kNodeNone);
  EXPECT_TRUE(pack.indicator_state(bed.now).has_place);
  EXPECT_FALSE(pack.indicator_state(bed.now).has_fault);
  EXPECT_TRUE(pack.indicator_state(bed.now).is_charging);
}

TEST(Pack, WithoutABusItHasItsPlaceAtOnce) {
  PackConfig config = pack_config_of(7);
  config.has_bus = false;
  Pack pack{config, {}};
  pack.handle_timeout(TimePoint{1s});
  EXPECT_TRUE(pack.indicator_state(TimePoint{1s}).has_place);
  EXPECT_FALSE(pack.poll_bus_frame(TimePoint{1s}).has_value());
}

TEST(Pack, AModeSwitchedOnOneIsInForceAndStoredOnAll) {
  PackBed bed = make_bed(4);
  ASSERT_FALSE(switch_mode(bed, 2, sections::modes_field::kBackup, true));
  EXPECT_TRUE(is_in_force(bed, 2, Mode::kBackup));
  bed.run(500ms);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(is_in_force(bed, i, Mode::kBackup)) << i;
    EXPECT_TRUE(bed.boxes[i]->store.sections.contains(sections::kModes)) << i;
  }
}

TEST(Pack, OneThatWasOffGetsWhatItMissed) {
  PackBed bed = make_bed(3);
  bed.power_off(1);
  ASSERT_FALSE(switch_mode(bed, 0, sections::modes_field::kEco, true));
  bed.run(2s);
  bed.boot(1);
  bed.run(3s);
  EXPECT_TRUE(is_in_force(bed, 1, Mode::kEco));
}

TEST(Pack, SettingsAndNodeOutliveALossOfPower) {
  PackBed bed = make_bed(1);
  ASSERT_FALSE(switch_mode(bed, 0, sections::modes_field::kBackup, true));
  bed.run(100ms);
  const packnet::Node node = bed.pack(0).network().node();
  bed.power_off(0);
  bed.boot(0);
  EXPECT_TRUE(is_in_force(bed, 0, Mode::kBackup));
  bed.run(2s);
  EXPECT_EQ(bed.pack(0).network().node(), node);
}

// Somebody opened them before the start, and nobody knows how long ago.
TEST(Pack, ContactsThatAreOpenAtTheStartStayOpenForTheirMinimumTime) {
  PackBed bed;
  const std::size_t index = bed.add(pack_config_of(1));
  energy::PerRelay<std::optional<Position>> positions{};
  for (std::size_t i = 0; i <= energy::index_of(Relay::kHeater); ++i) {
    positions[i] = Position::kOpen;
  }
  bed.pack(index).handle_contacts(bed.now, positions);
  bed.run(29s);
  for (const auto& [relay, position] : bed.boxes[index]->contacts) {
    EXPECT_EQ(position, Position::kOpen) << energy::to_text(relay);
  }
  bed.run(32s);
  EXPECT_EQ(bed.boxes[index]->contacts[Relay::kGrid], Position::kClosed);
  EXPECT_EQ(bed.boxes[index]->contacts[Relay::kHeater], Position::kClosed);
}

TEST(Pack, ARefusedChangeNamesTheFieldAndChangesNothing) {
  PackBed bed = make_bed(1);
  sections::Values values = modes_of(bed.pack(0));
  values.fields[sections::modes_field::kEcoLimit].number = 50;
  const auto refusal = bed.pack(0).change_section(bed.now, *sections::find_table(sections::kModes), values);
  ASSERT_TRUE(refusal && refusal->field);
  EXPECT_EQ(refusal->field->field, sections::modes_field::kEcoLimit);
  EXPECT_EQ(refusal->field->reason, sections::FieldError::Reason::kOutOfRange);
  EXPECT_EQ(bed.pack(0).sections().current(sections::kModes).version, 0U);
}

TEST(Pack, ACommandForAllIsDoneAndAcknowledgedByEachOnceItIsDurable) {
  PackBed bed = make_bed(4);
  bed.boxes[3]->is_store_held = true;
  send_command(bed, 1, set_mode(Mode::kBackup, true));
  bed.run(50ms);
  EXPECT_EQ(answers(bed, CommandResult::kDone), 3U);
  EXPECT_TRUE(is_in_force(bed, 3, Mode::kBackup));
  bed.confirm_held(3);
  bed.run(50ms);
  EXPECT_EQ(answers(bed, CommandResult::kDone), 4U);
  EXPECT_EQ(bed.acknowledgements.size(), 4U);
}

// The master's record alone goes round, so that all have its stamp.
TEST(Pack, ACommandThatAllCarryOutSendsOneRecord) {
  PackBed bed = make_bed(4);
  bed.run(20s);
  const auto records_sent = [&bed] {
    std::uint64_t count = 0;
    for (const auto& box : bed.boxes) {
      count += box->pack->share().metrics().records_sent;
    }
    return count;
  };
  const std::uint64_t before = records_sent();
  send_command(bed, 1, set_mode(Mode::kBackup, true));
  bed.run(5s);
  EXPECT_EQ(records_sent(), before + 1);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(bed.pack(i).sections().current(sections::kModes),
              bed.pack(0).sections().current(sections::kModes));
  }
}

// Pack 2 missed that the eco limit was changed. It comes back, and before it has heard of that a command for
// another field of the section arrives: its record must not bring the old limit back.
TEST(Pack, OneThatMissedAChangeDoesNotUndoItWithACommand) {
  PackBed bed = make_bed(3);
  bed.power_off(2);
  sections::Values values = modes_of(bed.pack(0));
  values.fields[sections::modes_field::kEcoLimit].number = 3'210;
  ASSERT_FALSE(bed.pack(0).change_section(bed.now, *sections::find_table(sections::kModes), values));
  bed.run(1s);
  bed.boot(2);
  while (bed.pack(2).network().node() == packnet::kNodeNone) {
    bed.run(1ms);
  }
  ASSERT_NE(bed.pack(2).control().settings().eco_limit, Watts{3'210});
  send_command(bed, 1, set_mode(Mode::kEco, true));
  bed.run(5s);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(is_in_force(bed, i, Mode::kEco)) << i;
    EXPECT_EQ(bed.pack(i).control().settings().eco_limit, Watts{3'210}) << i;
  }
}

TEST(Pack, CommandsAreRefusedWithTheReason) {
  PackBed bed = make_bed(1);
  send_command(bed, 1, {Opcode::kSetMode, {7, 1}});
  send_command(bed, 2, {Opcode::kSetValue, {static_cast<int>(packnet::ValueId::kMainsVoltage), 2300}});
  send_command(bed, 3, {Opcode::kUpdateControl, {1, 1}});
  bed.run(50ms);
  EXPECT_EQ(answers(bed, CommandResult::kUnsupported), 3U);
  // The low threshold above the high one.
  send_command(bed, 4, {Opcode::kSetValue, {static_cast<int>(packnet::ValueId::kSocLow), 9'000}});
  bed.run(50ms);
  EXPECT_EQ(answers(bed, CommandResult::kOutOfRange), 1U);
  EXPECT_EQ(bed.pack(0).sections().current(sections::kModes).version, 0U);
}

TEST(Pack, ValuesAndWindowsArriveInTheirUnits) {
  PackBed bed = make_bed(1);
  send_command(bed, 1, {Opcode::kSetValue, {static_cast<int>(packnet::ValueId::kImportLimit), 5'500}});
  send_command(bed, 2, {Opcode::kSetWindow, {3, 0x1F, 88, 24}});
  bed.run(100ms);
  EXPECT_EQ(answers(bed, CommandResult::kDone), 2U);
  const energy::ModeSettings& settings = bed.pack(0).control().settings();
  EXPECT_EQ(settings.import_limit, WattHours{5'500});
  ASSERT_EQ(settings.windows.count, 1);
  EXPECT_EQ(settings.windows.window[0], (energy::Window{22 * 60, 6 * 60, 0x1F}));
}

TEST(Pack, RelaysAreOrderedUnlessAModeHoldsThem) {
  PackBed bed = make_bed(1);
  bed.run(65s);
  const auto pump = static_cast<std::int32_t>(energy::index_of(Relay::kPump));
  send_command(bed, 1, {Opcode::kSetRelay, {pump, static_cast<int>(packnet::RelayOrder::kOff), 5}});
  bed.run(100ms);
  EXPECT_EQ(answers(bed, CommandResult::kDone), 1U);
  EXPECT_EQ(bed.boxes[0]->contacts.at(Relay::kPump), Position::kOpen);
  ASSERT_FALSE(switch_mode(bed, 0, sections::modes_field::kBackup, true));
  bed.run(2s);
  send_command(bed, 2, {Opcode::kSetRelay, {0, static_cast<int>(packnet::RelayOrder::kOff), 5}});
  bed.run(100ms);
  EXPECT_EQ(answers(bed, CommandResult::kNotAllowed), 1U);
}

TEST(Pack, OnlyARightlySealedCommandIsObeyed) {
  const crypto::Key key = packnet::command_key(crypto::Key{1, 2, 3}, 0xABCD);
  PackConfig config = pack_config_of(0x55);
  config.network.gate = {.is_sealed = true, .key = key};
  PackBed bed;
  (void)bed.add(config);
  bed.run(3s);
  const auto frame = packnet::encode_command(packnet::kNodeAll, 1, set_mode(Mode::kBackup, true));
  bed.send(packnet::encode(frame));
  bed.send(packnet::encode(packnet::make_seal(crypto::Key{9}, 100, frame)));
  bed.run(200ms);
  EXPECT_EQ(answers(bed, CommandResult::kNotAuthentic), 1U);
  EXPECT_FALSE(is_in_force(bed, 0, Mode::kBackup));
  bed.send(packnet::encode(frame));
  bed.send(packnet::encode(packnet::make_seal(key, 100, frame)));
  bed.run(200ms);
  EXPECT_EQ(answers(bed, CommandResult::kDone), 1U);
  EXPECT_TRUE(is_in_force(bed, 0, Mode::kBackup));
  EXPECT_GT(bed.boxes[0]->store.floor, 100U);
}

TEST(Pack, ASilentBmsIsASafeStateThatEverybodyHearsOf) {
  PackBed bed = make_bed(2);
  bed.boxes[1]->does_bms_answer = false;
  bed.run(13s);
  const Pack& pack = bed.pack(1);
  EXPECT_EQ(pack.bms_state(), packnet::BmsState::kStale);
  EXPECT_TRUE(pack.control().safety_causes().has(energy::SafetyCause::kBmsStale));
  EXPECT_EQ(bed.boxes[1]->contacts.at(Relay::kGrid), Position::kClosed);
  EXPECT_EQ(bed.boxes[1]->contacts.at(Relay::kHeater), Position::kOpen);
  EXPECT_TRUE(pack.indicator_state(bed.now).has_fault);
  const auto* entry = bed.pack(0).network().nodes().find(pack.network().node());
  ASSERT_NE(entry, nullptr);
  EXPECT_NE(entry->flags & packnet::kPresenceAlarm, 0);
  EXPECT_TRUE(std::ranges::any_of(bed.reports, [](const packnet::Report& report) {
    return report.code == report_code(energy::SafetyCause::kBmsStale) && !report.is_end;
  }));
  EXPECT_EQ(entry->telemetry.value(packnet::Field::kBmsState),
            static_cast<std::int64_t>(packnet::BmsState::kStale));
  bed.boxes[1]->does_bms_answer = true;
  bed.run(25s);
  EXPECT_FALSE(pack.control().safety_causes().has_any());
  EXPECT_TRUE(std::ranges::any_of(bed.reports, [](const packnet::Report& report) {
    return report.code == report_code(energy::SafetyCause::kBmsStale) && report.is_end;
  }));
}

TEST(Pack, TheMasterTellsWhatAllTogetherDo) {
  PackBed bed = make_bed(3);
  bed.boxes[0]->pack_ma = -10'000;
  bed.run(10s);
  // 2 * 5 A - 10 A at 52 V.
  for (std::size_t i = 0; i < 3; ++i) {
    const Aggregate all = bed.pack(i).aggregate(bed.now);
    EXPECT_EQ(all.power_w, 0) << i;
    EXPECT_EQ(all.online, 3) << i;
    EXPECT_EQ(all.known, 3) << i;
    EXPECT_EQ(bed.pack(i).telemetry().value(packnet::Field::kGroupOnline).has_value(),
              bed.pack(i).network().is_master());
  }
}

TEST(Pack, TheBusTellsTheTimeAndWinsOverTheHost) {
  PackBed bed = make_bed(1);
  constexpr std::int64_t kNoon = 1'792'584'000;
  bed.pack(0).handle_host_time(bed.now, {kNoon, 3'600, std::nullopt}, false);
  EXPECT_FALSE(bed.pack(0).control().clock().is_known());
  bed.pack(0).handle_host_time(bed.now, {kNoon, 3'600, std::nullopt}, true);
  EXPECT_EQ(bed.pack(0).time_source(), TimeSource::kHost);
  EXPECT_EQ(bed.pack(0).control().clock().unix_s(bed.now), kNoon);
  // Without an offset in the frame the host's zone counts.
  bed.send(packnet::encode(*packnet::time_of(WallTime{(kNoon + 60) * 1000}, std::nullopt)));
  EXPECT_EQ(bed.pack(0).time_source(), TimeSource::kBus);
  EXPECT_EQ(bed.pack(0).control().clock().local(bed.now)->seconds, kNoon + 60 + 3'600);
  bed.pack(0).handle_host_time(bed.now, {kNoon + 500, 3'600, std::nullopt}, true);
  EXPECT_EQ(bed.pack(0).control().clock().unix_s(bed.now), kNoon + 60);
}

// Found by the fuzzer: the product with 1,000 overflowed.
TEST(Pack, ATimeThatCannotBeIsRefused) {
  PackBed bed = make_bed(1);
  bed.pack(0).handle_host_time(bed.now, {72'203'897'821'267'718, 0, std::nullopt}, true);
  EXPECT_EQ(bed.pack(0).time_source(), TimeSource::kNone);
  EXPECT_FALSE(bed.pack(0).control().clock().is_known());
  EXPECT_EQ(bed.pack(0).control().refused_time_count(), 1U);
}

TEST(Pack, WhatCouldNotBeStoredIsOfferedAgain) {
  PackBed bed;
  (void)bed.add(pack_config_of(0x77));
  bed.boxes[0]->does_store_fail = true;
  bed.run(3s);
  EXPECT_NE(bed.pack(0).network().node(), packnet::kNodeNone);
  EXPECT_EQ(bed.boxes[0]->store.node, packnet::kNodeNone);
  bed.boxes[0]->does_store_fail = false;
  bed.run(2s);
  EXPECT_EQ(bed.boxes[0]->store.node, bed.pack(0).network().node());
}

TEST(Pack, IdentifyBlinksForAsLongAsAsked) {
  PackBed bed = make_bed(1);
  send_command(bed, 1, {Opcode::kIdentify, {3}});
  bed.run(100ms);
  EXPECT_TRUE(bed.pack(0).indicator_state(bed.now).is_identifying);
  bed.run(3s);
  EXPECT_FALSE(bed.pack(0).indicator_state(bed.now).is_identifying);
  EXPECT_EQ(count_events<PackEvent>(*bed.boxes[0],
                                    [](const PackEvent& e) { return e.kind == PackEvent::Kind::kIdentify; }),
            1U);
}

}  // namespace
}  // namespace amphora::node
