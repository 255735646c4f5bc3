// SPDX-License-Identifier: Apache-2.0
// The event list of a TinyBMS: what each event means, and which alarms follow from the list.
//
// The online status only says that there is a fault; which one it is stands in the event list alone. Events
// 0x01 to 0x30 are faults, 0x31 to 0x60 warnings, 0x61 to 0x90 information; recovery from a fault or warning
// is an information event of its own. Time stamps are the low 24 bits of the BMS's lifetime in seconds, so
// they wrap after 194 days; ages are reckoned modulo 2^24.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/battery/alarm.hpp"
#include "core/bms/tinybms/frame.hpp"

namespace amphora::tinybms {

enum class Severity : std::uint8_t { kFault, kWarning, kInfo };
constexpr std::string_view to_text(Severity severity) {
  constexpr std::string_view kNames[] = {"fault", "warning", "info"};
  return kNames[static_cast<std::size_t>(severity)];
}

struct EventKind {
  std::uint8_t id = 0;
  std::string_view name;  // stable, snake_case
  std::string_view text;  // for people
  std::optional<battery::Alarm> alarm;
  std::uint8_t recovers = 0;  // the fault or warning that this event ends; 0: none
};

// Every known event, by rising id.
std::span<const EventKind> event_kinds();
// nullptr for an id that the maker does not describe.
const EventKind* find_event(std::uint8_t id);
// By the id's range, so that unknown ids have one too; empty outside of 0x01..0x90.
std::optional<Severity> severity_of(std::uint8_t id);

inline constexpr std::size_t kEventCountMax = 49;  // registers 200 to 297 hold 49 events
inline constexpr std::uint32_t kEventTimeMask = 0xFFFFFF;

namespace event {
inline constexpr std::uint8_t kUnderVoltage = 0x02;
inline constexpr std::uint8_t kOverVoltage = 0x03;
inline constexpr std::uint8_t kSystemStarted = 0x61;
}  // namespace event

struct LoggedEvent {
  std::uint32_t time_s = 0;  // 24 bits
  std::uint8_t id = 0;
  friend constexpr bool operator==(const LoggedEvent&, const LoggedEvent&) = default;
};

// Oldest first.
struct EventList {
  std::uint32_t now_s = 0;  // the BMS's lifetime when the list was read
  std::array<LoggedEvent, kEventCountMax> events{};
  std::size_t count = 0;

  std::span<const LoggedEvent> list() const { return std::span{events}.first(count); }
  bool contains(const LoggedEvent& searched) const;
};

// Seconds before the list was read.
std::uint32_t age_s(const EventList& list, const LoggedEvent& logged);

// The payload of a 0x11 or 0x12 reply. Empty slots (id 0) are left out, and the order on the wire does not
// matter: events are sorted by age, equal ages in the direction in which the list runs. kBadLength if the
// payload is not 4 + 4n bytes or holds more than kEventCountMax events.
Result<EventList, FrameError> decode_events(ByteSpan payload);
// Stores oldest first; returns the bytes written, kNoRoom if `out` is too small.
Result<std::size_t, FrameError> encode_events(const EventList& list, MutableByteSpan out);

struct ActiveAlarms {
  battery::AlarmSet alarms;
  battery::AlarmSet warnings;
};
// What is active now. A fault is active if the status says fault and no recovery or restart came after it; a
// fault that the list does not name (or no list: nullptr) is the general alarm. Warnings are active until
// their recovery or a restart.
ActiveAlarms active_alarms(const EventList* list, bool has_fault_status);

}  // namespace amphora::tinybms
