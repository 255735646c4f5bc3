// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/events.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace amphora::tinybms {
namespace {

using battery::Alarm;

std::vector<std::uint8_t> payload_of(std::uint32_t now_s, std::initializer_list<LoggedEvent> events) {
  EventList list;
  list.now_s = now_s;
  for (const LoggedEvent& logged : events) {
    list.events[list.count++] = logged;
  }
  std::vector<std::uint8_t> payload(256);
  payload.resize(*encode_events(list, payload));
  return payload;
}

EventList list_of(std::initializer_list<std::uint8_t> ids) {
  EventList list;
  list.now_s = 1000;
  for (const std::uint8_t id : ids) {
    list.events[list.count] = {static_cast<std::uint32_t>(list.count), id};
    ++list.count;
  }
  return list;
}

TEST(TinyBmsEvents, ARealList) {
  // Registers 200 to 207 and the lifetime of a real device, as a 0x11 answer would carry them.
  const auto list = decode_events(
      payload_of(0x00FE93CD, {{0x001226, 0x65}, {0xB94E2B, 0x64}, {0xB94E2C, 0x62}, {0xB94E42, 0x65}}));
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->count, 4U);
  EXPECT_EQ(list->events[0], (LoggedEvent{0x001226, 0x65}));
  EXPECT_EQ(list->events[3], (LoggedEvent{0xB94E42, 0x65}));
  EXPECT_EQ(age_s(*list, list->events[3]), 0xFE93CDU - 0xB94E42U);
}

TEST(TinyBmsEvents, TheOrderOnTheWireDoesNotMatter) {
  const auto newest_first = decode_events(payload_of(100, {{90, 0x62}, {80, 0x64}, {80, 0x61}, {10, 0x65}}));
  ASSERT_TRUE(newest_first.ok());
  EXPECT_EQ(newest_first->events[0].id, 0x65);
  EXPECT_EQ(newest_first->events[1].id, 0x61)
      << "of one second: the later in a list that runs backwards is older";
  EXPECT_EQ(newest_first->events[2].id, 0x64);
  EXPECT_EQ(newest_first->events[3].id, 0x62);
}

TEST(TinyBmsEvents, TimeStampsWrap) {
  const auto list = decode_events(payload_of(0x01000010, {{0xFFFFF0, 0x62}, {0x000008, 0x63}}));
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(age_s(*list, list->events[0]), 0x20U);
  EXPECT_EQ(age_s(*list, list->events[1]), 0x08U);
}

TEST(TinyBmsEvents, BadPayloadsAreRefused) {
  const std::vector<std::uint8_t> bytes(4 + 4 * 50);
  EXPECT_FALSE(decode_events(bytes).ok()) << "50 events";
  EXPECT_FALSE(decode_events(ByteSpan{bytes}.first(3)).ok());
  EXPECT_FALSE(decode_events(ByteSpan{bytes}.first(10)).ok());
  EXPECT_TRUE(decode_events(ByteSpan{bytes}.first(4 + 4 * 49)).ok());
  EXPECT_EQ(decode_events(ByteSpan{bytes}.first(4 + 4 * 49))->count, 0U) << "empty slots";
}

TEST(TinyBmsEvents, SeveritiesByRange) {
  EXPECT_EQ(severity_of(0x00), std::nullopt);
  EXPECT_EQ(severity_of(0x01), Severity::kFault);
  EXPECT_EQ(severity_of(0x30), Severity::kFault);
  EXPECT_EQ(severity_of(0x31), Severity::kWarning);
  EXPECT_EQ(severity_of(0x60), Severity::kWarning);
  EXPECT_EQ(severity_of(0x61), Severity::kInfo);
  EXPECT_EQ(severity_of(0x90), Severity::kInfo);
  EXPECT_EQ(severity_of(0x91), std::nullopt);
  for (const EventKind& kind : event_kinds()) {
    EXPECT_TRUE(severity_of(kind.id).has_value());
    EXPECT_EQ(find_event(kind.id), &kind);
    if (kind.recovers != 0) {
      EXPECT_NE(find_event(kind.recovers), nullptr);
    }
  }
  EXPECT_EQ(find_event(0x55), nullptr);
}

TEST(TinyBmsEvents, TheListNamesTheFault) {
  const EventList list = list_of({0x61, 0x02, 0x65});
  EXPECT_TRUE(active_alarms(&list, true).alarms.is_active(Alarm::kLowVoltage));
  EXPECT_FALSE(active_alarms(&list, true).alarms.is_active(Alarm::kGeneral));
  EXPECT_FALSE(active_alarms(&list, false).alarms.has_any()) << "the status decides whether there is a fault";
  EXPECT_TRUE(active_alarms(&list, false).alarms.is_watched(Alarm::kLowVoltage));
}

TEST(TinyBmsEvents, RecoveryAndRestartEndAFault) {
  const EventList recovered = list_of({0x02, 0x03, 0x7B});
  const ActiveAlarms active = active_alarms(&recovered, true);
  EXPECT_FALSE(active.alarms.is_active(Alarm::kLowVoltage));
  EXPECT_TRUE(active.alarms.is_active(Alarm::kHighVoltage));
  const EventList restarted = list_of({0x03, 0x61});
  EXPECT_TRUE(active_alarms(&restarted, true).alarms.is_active(Alarm::kGeneral));
}

TEST(TinyBmsEvents, AFaultWithoutANameIsTheGeneralAlarm) {
  EXPECT_TRUE(active_alarms(nullptr, true).alarms.is_active(Alarm::kGeneral));
  EXPECT_FALSE(active_alarms(nullptr, false).alarms.has_any());
  const EventList unknown = list_of({0x2F});
  EXPECT_TRUE(active_alarms(&unknown, true).alarms.is_active(Alarm::kGeneral));
}

TEST(TinyBmsEvents, EveryRecoveryEndsItsEvent) {
  for (const EventKind& kind : event_kinds()) {
    if (kind.recovers == 0) {
      continue;
    }
    const EventList before = list_of({kind.recovers});
    const EventList after = list_of({kind.recovers, kind.id});
    const ActiveAlarms active = active_alarms(&before, true);
    EXPECT_TRUE(active.warnings.has_any() || !active.alarms.is_active(Alarm::kGeneral)) << kind.name;
    const ActiveAlarms ended = active_alarms(&after, true);
    EXPECT_FALSE(ended.warnings.has_any()) << kind.name;
    EXPECT_TRUE(ended.alarms.is_active(Alarm::kGeneral)) << kind.name;
  }
}

TEST(TinyBmsEvents, TwoEventsOfOneAlarm) {
  const EventList list = list_of({0x07, 0x06, 0x76});
  EXPECT_TRUE(active_alarms(&list, true).alarms.is_active(Alarm::kHighChargeCurrent))
      << "regeneration remains";
}

}  // namespace
}  // namespace amphora::tinybms
