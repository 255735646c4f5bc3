// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/packs/command_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/energy/relay.hpp"
#include "core/energy/settings.hpp"
#include "core/packnet/telemetry.hpp"
#include "core/sections/tables.hpp"

namespace amphora::packs_command {

namespace {

using packnet::Command;
using packnet::Opcode;
using packnet::OpcodeInfo;
using Words = std::span<const std::string>;

constexpr std::int32_t kIdentifySeconds = 10;

// What is said to the person; thrown within this file only.
struct Refusal {
  std::string text;
};

template <class List, class Name>
std::string joined(const List& list, Name name) {
  std::string text;
  for (const auto& entry : list) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name(entry));
  }
  return text;
}

std::string mode_names() {
  return joined(energy::kModes, [](const auto& row) { return row.name; });
}
std::string value_names() {
  return joined(packnet::kValues, [](const auto& value) { return value.name; });
}
std::vector<std::string_view> relays() {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < packnet::kRelaysMax; ++i) {
    names.push_back(to_text(energy::relay_at(i)));
  }
  return names;
}

std::int32_t number(std::string_view word, const sections::FieldSpec& field) {
  const auto value = sections::parse_value(field, word);
  if (!value.ok()) {
    const sections::SectionTable table{.name = "", .title = "", .help = "", .fields = {&field, 1}};
    const auto text = sections::describe(table, value.error());
    throw Refusal{fmt::format("\"{}\": {}", word, text.view())};
  }
  return static_cast<std::int32_t>(value->number);
}

std::int32_t whole(std::string_view name, std::string_view word, std::int32_t min, std::int32_t max) {
  return number(word, {.name = name, .title = {}, .kind = sections::FieldKind::kU32, .min = min, .max = max});
}

std::int32_t one_of(std::string_view name, std::string_view word, std::span<const std::string_view> names) {
  const auto found = std::ranges::find(names, word);
  if (found == names.end()) {
    throw Refusal{fmt::format("{} is no {}; allowed: {}", word, name,
                              joined(names, [](std::string_view each) { return each; }))};
  }
  return static_cast<std::int32_t>(found - names.begin());
}

// "0.01 %" counts hundredths of what people write.
std::int32_t value_number(const packnet::ValueInfo& info, std::string_view word) {
  sections::FieldSpec limits{.name = info.name,
                             .title = {},
                             .kind = sections::FieldKind::kU32,
                             .unit = info.unit,
                             .min = info.min,
                             .max = info.max};
  const std::size_t blank = info.unit.find(' ');
  if (blank != std::string_view::npos) {
    limits.unit = info.unit.substr(blank + 1);
    limits.scale = info.unit.starts_with("0.01") ? 100 : 10;
  }
  return number(word, limits);
}

Command set_mode(Words words) {
  std::vector<std::string_view> names;
  for (const auto& row : energy::kModes) {
    names.push_back(row.name);
  }
  constexpr std::array<std::string_view, 2> kSwitch{"off", "on"};
  return {Opcode::kSetMode, {one_of("mode", words[0], names), one_of("switch", words[1], kSwitch)}};
}

Command set_value(Words words) {
  const auto info = std::ranges::find(packnet::kValues, words[0], &packnet::ValueInfo::name);
  if (info == packnet::kValues.end()) {
    throw Refusal{fmt::format("{} is no value; allowed: {}", words[0], value_names())};
  }
  return {Opcode::kSetValue, {static_cast<std::int32_t>(info->id), value_number(*info, words[1])}};
}

Command set_window(Words words) {
  const std::int32_t index = whole("window", words[0], 1, energy::kWindowCountMax) - 1;
  if (words[1] == "none") {
    return {Opcode::kSetWindow, {index, 0, 0, 0}};
  }
  const std::string text = words.size() > 2 ? words[1] + " " + words[2] : words[1];
  const sections::FieldSpec field{.name = "window", .title = {}, .kind = sections::FieldKind::kWindow};
  const auto value = sections::parse_value(field, text);
  constexpr std::uint16_t kQuarter = 15;
  const sections::WindowValue window =
      value.ok() ? sections::to_window(value->number) : sections::WindowValue{};
  if (!value.ok() || window.days == 0 || window.start_minute % kQuarter != 0 ||
      window.end_minute % kQuarter != 0) {
    throw Refusal{fmt::format(
        "\"{}\" is no window; allowed: times in quarters of an hour and days 1 (Monday) to 7, as in "
        "22:00-06:00 1-5; or none",
        text)};
  }
  return {Opcode::kSetWindow,
          {index, window.days, window.start_minute / kQuarter, window.end_minute / kQuarter}};
}

Command set_relay(Words words) {
  constexpr std::array<std::string_view, 3> kOrders{"off", "on", "auto"};
  const std::vector<std::string_view> names = relays();
  return {Opcode::kSetRelay,
          {one_of("relay", words[0], names), one_of("order", words[1], kOrders),
           words.size() > 2 ? whole("minutes", words[2], 0, 65'535) : 0}};
}

Command identify(Words words) {
  return {Opcode::kIdentify, {words.empty() ? kIdentifySeconds : whole("seconds", words[0], 0, 255)}};
}
Command request_section(Words words) {
  return {Opcode::kRequestSection, {whole("section", words[0], 0, 15)}};
}
Command reset_grid_energy(Words) {
  return {Opcode::kResetGridEnergy, {}};
}
Command restart(Words) {
  return {Opcode::kRestart, {packnet::kRestartWord}};
}
Command update_control(Words words) {
  constexpr std::array<std::string_view, 4> kActions{"abort", "begin", "activate", "status"};
  return {Opcode::kUpdateControl,
          {one_of("action", words[0], kActions), whole("number", words[1], 0, packnet::kAny32Max)}};
}

struct Form {
  Opcode opcode;
  std::size_t words_min;
  std::size_t words_max;
  std::string_view arguments;
  Command (*make)(Words);
};
constexpr auto kForms =
    std::array{Form{Opcode::kSetMode, 2, 2, "MODE on|off", set_mode},
               Form{Opcode::kSetValue, 2, 2, "VALUE NUMBER", set_value},
               Form{Opcode::kSetWindow, 2, 3, "1-8 HH:MM-HH:MM [DAYS]|none", set_window},
               Form{Opcode::kSetRelay, 2, 3, "RELAY on|off|auto [MINUTES]", set_relay},
               Form{Opcode::kResetGridEnergy, 0, 0, "", reset_grid_energy},
               Form{Opcode::kRequestSection, 1, 1, "SECTION", request_section},
               Form{Opcode::kIdentify, 0, 1, "[SECONDS]", identify},
               Form{Opcode::kRestart, 0, 0, "", restart},
               Form{Opcode::kUpdateControl, 2, 2, "abort|begin|activate|status NUMBER", update_control}};
static_assert(kForms.size() == packnet::kOpcodes.size(), "every command can be typed");

std::string_view name_of(const Form& form) {
  return std::ranges::find(packnet::kOpcodes, form.opcode, &OpcodeInfo::opcode)->name;
}

}  // namespace

std::variant<Command, std::string> parse_command(Words words) {
  const auto form = std::ranges::find_if(
      kForms, [&](const Form& each) { return !words.empty() && name_of(each) == words[0]; });
  if (form == kForms.end()) {
    return fmt::format("{} is no command; allowed:\n{}", words.empty() ? "nothing" : words[0],
                       commands_text());
  }
  const Words arguments = words.subspan(1);
  if (arguments.size() < form->words_min || arguments.size() > form->words_max) {
    return fmt::format("{} needs: {} {}", words[0], words[0], form->arguments);
  }
  try {
    const Command command = form->make(arguments);
    if (check(command)) {
      return fmt::format("{}: a window must not begin when it ends", words[0]);
    }
    return command;
  } catch (const Refusal& refusal) {
    return refusal.text;
  }
}

std::string commands_text() {
  std::string text;
  for (const Form& form : kForms) {
    text += fmt::format("  {} {}\n", name_of(form), form.arguments);
  }
  const std::vector<std::string_view> names = relays();
  text += fmt::format("Modes: {}\nValues: {}\nRelays: {}", mode_names(), value_names(),
                      joined(names, [](std::string_view name) { return name; }));
  return text;
}

std::string answer_text(const Command& command, packnet::CommandResult result, std::uint32_t detail) {
  using enum packnet::CommandResult;
  switch (result) {
    case kDone:
      return "done";
    case kUnknownOpcode:
      return "does not know this command";
    case kBadLength:
      return "understands this command with other arguments";
    case kOutOfRange: {
      const OpcodeInfo* info = packnet::find_opcode(static_cast<std::uint8_t>(command.opcode));
      const bool is_named =
          info != nullptr && detail < info->arguments.size() && !info->arguments[detail].name.empty();
      return is_named ? fmt::format("cannot be: {} does not fit, or not with the other settings",
                                    info->arguments[detail].name)
                      : "cannot be with the other settings";
    }
    case kNotAuthentic:
      return "not authentic: another key, or another gateway's number";
    case kReplayed:
      return "replayed: it may have been carried out before the pack restarted";
    case kNotAllowed:
      return "not allowed now: a mode holds the relay";
    case kBusy:
      return "busy";
    case kUnsupported:
      return "this device cannot do that";
    case kFailed:
      return "tried, and it failed";
  }
  return std::string{to_text(result)};
}

}  // namespace amphora::packs_command
