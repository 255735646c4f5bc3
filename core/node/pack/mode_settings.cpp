// SPDX-License-Identifier: Apache-2.0
#include "core/node/pack/mode_settings.hpp"

#include <algorithm>
#include <array>

#include "core/base/assert.hpp"

namespace amphora::node {

namespace {

using energy::Mode;
using energy::Relay;
using packnet::CommandResult;
using sections::Values;

constexpr std::int32_t kMinutesPerQuarter = 15;

const sections::SectionTable& table_of(state::SectionId section) {
  const sections::SectionTable* table = sections::find_table(section);
  AMPHORA_ASSERT(table != nullptr);
  return *table;
}

std::size_t mode_field(Mode mode) {
  switch (mode) {
    case Mode::kSelfConsumption:
      return sections::modes_field::kSelfConsumption;
    case Mode::kEco:
      return sections::modes_field::kEco;
    case Mode::kTimeOfUse:
      return sections::modes_field::kTimeOfUse;
    case Mode::kBackup:
      return sections::modes_field::kBackup;
    case Mode::kImportLimit:
    case Mode::kCount:
      break;
  }
  return sections::modes_field::kImportLimited;
}

// What the gateway's values are called here. The main voltage is a pack's own configuration.
std::optional<std::size_t> value_field(std::int32_t id) {
  switch (static_cast<packnet::ValueId>(id)) {
    case packnet::ValueId::kEcoLimit:
      return sections::modes_field::kEcoLimit;
    case packnet::ValueId::kImportLimit:
      return sections::modes_field::kImportLimit;
    case packnet::ValueId::kSocLow:
      return sections::modes_field::kSocLow;
    case packnet::ValueId::kSocHigh:
      return sections::modes_field::kSocHigh;
    case packnet::ValueId::kMinimumSoc:
      return sections::modes_field::kSocMinimum;
    case packnet::ValueId::kMainsVoltage:
      break;
  }
  return std::nullopt;
}

energy::Windows windows_of(const Values& schedule) {
  energy::Windows windows;
  for (std::size_t i = 0; i < sections::schedule_field::kWindowCount; ++i) {
    const sections::WindowValue window = sections::to_window(schedule.fields[i].number);
    if (window.days != 0) {
      windows.window[windows.count] = {window.start_minute, window.end_minute, window.days};
      ++windows.count;
    }
  }
  return windows;
}

// Fields are the relays from the inverter output on, in the order of the relays.
energy::EcoOrder eco_order_of(const Values& loads) {
  struct Place {
    std::int64_t place;
    Relay relay;
  };
  std::array<Place, sections::loads_field::kCount> places{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (const std::int64_t place = loads.fields[i].number; place > 0) {
      places[count++] = {place, energy::relay_at(i + energy::index_of(Relay::kInverterOutput))};
    }
  }
  // Few, and equal places keep the order of the fields: an insertion sort.
  for (std::size_t i = 1; i < count; ++i) {
    for (std::size_t k = i; k > 0 && places[k].place < places[k - 1].place; --k) {
      std::swap(places[k], places[k - 1]);
    }
  }
  energy::EcoOrder order;
  order.count = static_cast<std::uint8_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    order.relay[i] = places[i].relay;
  }
  return order;
}

void take_modes(const Values& modes, energy::ModeSettings& settings) {
  namespace field = sections::modes_field;
  const auto number = [&modes](std::size_t index) { return modes.fields[index].number; };
  for (std::size_t i = 0; i < energy::kModeCount; ++i) {
    const auto mode = static_cast<Mode>(i);
    settings.enabled.set(mode, number(mode_field(mode)) != 0);
  }
  settings.self_low = BasisPoints{number(field::kSocLow)};
  settings.self_high = BasisPoints{number(field::kSocHigh)};
  settings.eco_limit = Watts{number(field::kEcoLimit)};
  settings.eco_falls_back = number(field::kEcoFallsBack) != 0;
  settings.import_limit = WattHours{number(field::kImportLimit)};
  settings.import_reset_minute = static_cast<std::uint16_t>(number(field::kImportReset));
  settings.soc_minimum = BasisPoints{number(field::kSocMinimum)};
  settings.soc_minimum_release = BasisPoints{number(field::kSocMinimumRelease)};
}

void take_values(state::SectionId section, const Values& values, energy::ModeSettings& settings) {
  if (section == sections::kModes) {
    take_modes(values, settings);
  } else if (section == sections::kSchedule) {
    settings.windows = windows_of(values);
  } else {
    settings.eco_order = eco_order_of(values);
  }
}

energy::SettingsError to_error(const sections::SectionTable& table, const sections::FieldError& error) {
  const std::size_t last = table.fields.size() - 1;
  return {table.fields[std::min(error.field, last)].name, sections::to_text(error.reason)};
}

// One section at a time: the values of all three are too much for a small stack.
std::optional<energy::SettingsError> take_section(state::SectionId section, ByteSpan payload,
                                                  energy::ModeSettings& settings) {
  const sections::SectionTable& table = table_of(section);
  const auto values = sections::decode(table, payload);
  if (!values.ok()) {
    return to_error(table, values.error());
  }
  take_values(section, *values, settings);
  return std::nullopt;
}

constexpr auto kSections = std::array{sections::kModes, sections::kSchedule, sections::kLoads};

// With `payload` in place of what `section` holds.
Result<energy::ModeSettings, energy::SettingsError> checked_with(const state::Replica& replica,
                                                                 state::SectionId section, ByteSpan payload) {
  energy::ModeSettings settings;
  for (const state::SectionId one : kSections) {
    const ByteSpan bytes = one == section ? payload : replica.current(one).payload.bytes();
    if (const auto error = take_section(one, bytes, settings)) {
      return *error;
    }
  }
  if (const auto error = energy::check_settings(settings)) {
    return *error;
  }
  return settings;
}

}  // namespace

energy::ModeSettings default_mode_settings() {
  energy::ModeSettings settings;
  for (const state::SectionId section : kSections) {
    const auto error = take_section(section, {}, settings);
    AMPHORA_ASSERT(!error);
  }
  return settings;
}

Result<energy::ModeSettings, energy::SettingsError> settings_of(const state::Replica& replica) {
  return checked_with(replica, sections::kModes, replica.current(sections::kModes).payload.bytes());
}

std::optional<energy::SettingsError> check_section(const state::Replica& replica, state::SectionId section,
                                                   const state::Payload& payload) {
  const auto settings = checked_with(replica, section, payload.bytes());
  return settings.ok() ? std::nullopt : std::optional{settings.error()};
}

Result<SectionContent, CommandResult> changed_by(const packnet::Command& command,
                                                 const state::Replica& replica) {
  const bool is_window = command.opcode == packnet::Opcode::kSetWindow;
  const state::SectionId section = is_window ? sections::kSchedule : sections::kModes;
  const sections::SectionTable& table = table_of(section);
  const auto values = sections::decode(table, replica.current(section).payload.bytes());
  // Content that cannot be read is replaced: a command is how a person gets out of it.
  Values changed = values.ok() ? *values : sections::default_values(table);
  const auto& arguments = command.arguments;
  if (is_window) {
    const sections::WindowValue window{
        static_cast<std::uint16_t>(arguments[2] * kMinutesPerQuarter % sections::kMinutesPerDay),
        static_cast<std::uint16_t>(arguments[3] * kMinutesPerQuarter % sections::kMinutesPerDay),
        static_cast<std::uint8_t>(arguments[1])};
    changed.fields[static_cast<std::size_t>(arguments[0])].number = sections::to_number(window);
  } else if (command.opcode == packnet::Opcode::kSetMode) {
    if (arguments[0] >= static_cast<std::int32_t>(energy::kModeCount)) {
      return CommandResult::kUnsupported;
    }
    changed.fields[mode_field(static_cast<Mode>(arguments[0]))].number = arguments[1];
  } else {
    const auto field = value_field(arguments[0]);
    if (!field) {
      return CommandResult::kUnsupported;
    }
    changed.fields[*field].number = arguments[1];
  }
  const auto payload = sections::encode(table, changed);
  if (!payload.ok() || check_section(replica, section, *payload)) {
    return CommandResult::kOutOfRange;
  }
  return SectionContent{section, *payload};
}

}  // namespace amphora::node
