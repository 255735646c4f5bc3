// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/bms/bms.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "apps/amphora/bms/session.hpp"
#include "apps/amphora/bms/setting_text.hpp"
#include "apps/amphora/bms/snapshot_json.hpp"

namespace amphora {

namespace {

using bms_command::Session;
using Json = nlohmann::ordered_json;

struct BmsOptions {
  std::string port;
  int timeout_s = 10;
  bool is_json = false;
  bool is_watching = false;
  std::vector<std::string> settings;
};

int no_answer(const Session& session) {
  fmt::print(stderr, "amphora: {}\n", session.reason());
  return kExitFailed;
}

void print_json(const Json& json) {
  fmt::print("{}\n", json.dump());
  (void)std::fflush(stdout);
}

int read_values(const BmsOptions& options) {
  Session session{options.port};
  bool is_live = false;
  const auto on_event = [&](const tinybms::DriverEvent& event) {
    is_live = is_live || std::holds_alternative<tinybms::SnapshotUpdated>(event);
    if (options.is_watching && std::holds_alternative<tinybms::SnapshotUpdated>(event)) {
      print_json(bms_command::snapshot_json(session.driver().snapshot()));
    }
    // Version and statistics are asked for after the first live values; all of it belongs to the answer.
    const bool is_complete =
        is_live && session.driver().version_words() && session.driver().statistics_words();
    if (!options.is_watching && is_complete) {
      session.finish();
    }
  };
  if (options.is_watching) {
    while (session.run(std::chrono::seconds{options.timeout_s}, on_event) || is_live) {
      is_live = false;
    }
    return no_answer(session);
  }
  // A BMS that answers live values only, such as an older one, is answer enough.
  if (!session.run(std::chrono::seconds{options.timeout_s}, on_event) && !is_live) {
    return no_answer(session);
  }
  print_json(bms_command::snapshot_json(session.driver().snapshot()));
  return kExitGood;
}

// Numbers of JSON are written from the decimal text, so 4.2 stays 4.2.
Json number(const tinybms::Register& entry, tinybms::RawValue value) {
  return Json::parse(bms_command::shown_value(entry, value));
}

Json setting_json(const tinybms::Register& entry, const tinybms::SettingsImage& image) {
  Json json{{"register", entry.number}, {"name", entry.name}, {"title", entry.title}};
  const std::string_view unit = bms_command::shown_unit(entry);
  if (!unit.empty()) {
    json["unit"] = unit;
  }
  if (const auto value = image.value(entry.number)) {
    json["raw"] = value->value;
    if (value->value != entry.sentinel) {
      json["value"] = number(entry, value->value);
    }
  }
  json["min"] = number(entry, entry.min);
  json["max"] = number(entry, entry.max);
  json["writable"] = entry.is_writable;
  for (const tinybms::Choice& choice : entry.choices) {
    json["choices"].push_back({{"value", choice.value}, {"text", choice.label}});
  }
  return json;
}

std::string value_text(const tinybms::Register& entry, const tinybms::SettingsImage& image) {
  const auto value = image.value(entry.number);
  if (!value) {
    return "?";
  }
  if (value->value == entry.sentinel) {
    return "-";
  }
  const std::string_view label = tinybms::label_of(entry.choices, value->value);
  const std::string_view unit = bms_command::shown_unit(entry);
  const std::string text = bms_command::shown_value(entry, value->value);
  if (!label.empty()) {
    return fmt::format("{} {}", text, label);
  }
  return unit.empty() ? text : fmt::format("{} {}", text, unit);
}

void print_table(const tinybms::SettingsImage& image) {
  fmt::print("{:>4}  {:<36} {:>14}  {}\n", "reg", "name", "value", "allowed");
  for (const tinybms::Register& entry : tinybms::registers()) {
    if (entry.group == tinybms::RegisterGroup::kSettings) {
      fmt::print("{:>4}  {:<36} {:>14}  {}{}\n", entry.number, entry.name, value_text(entry, image),
                 bms_command::shown_range(entry), entry.is_writable ? "" : " (read only)");
    }
  }
}

// True once every setting has been read.
bool read_settings(Session& session, int timeout_s) {
  return session.run(std::chrono::seconds{timeout_s}, [&](const tinybms::DriverEvent& event) {
    if (std::holds_alternative<tinybms::SettingsRead>(event)) {
      session.finish();
    }
  });
}

int show_settings(const BmsOptions& options) {
  Session session{options.port};
  if (!read_settings(session, options.timeout_s)) {
    return no_answer(session);
  }
  const tinybms::SettingsImage& image = session.driver().settings();
  if (!options.is_json) {
    print_table(image);
    return kExitGood;
  }
  Json list = Json::array();
  for (const tinybms::Register& entry : tinybms::registers()) {
    if (entry.group == tinybms::RegisterGroup::kSettings) {
      list.push_back(setting_json(entry, image));
    }
  }
  print_json(Json{{"settings", std::move(list)}});
  return kExitGood;
}

void print_outcome(const tinybms::RegisterWritten& written) {
  const tinybms::Register* entry = tinybms::find_register(written.number);
  if (entry == nullptr) {
    return;
  }
  Json json{{"register", written.number},
            {"name", entry->name},
            {"result", tinybms::to_text(written.result)},
            {"asked", number(*entry, written.asked)}};
  if (written.found && *written.found != entry->sentinel) {
    json["value"] = number(*entry, *written.found);
  }
  if (!bms_command::shown_unit(*entry).empty()) {
    json["unit"] = bms_command::shown_unit(*entry);
  }
  print_json(json);
}

// A limit that another register sets, or a rule that the texts of single values cannot know.
std::string refusal_text(const tinybms::WriteRefusal& refusal) {
  const tinybms::Register* entry = tinybms::find_register(refusal.number);
  const tinybms::Register* other = tinybms::find_register(refusal.other_number);
  if (refusal.reason != tinybms::WriteRefusalReason::kConstraint || entry == nullptr || other == nullptr) {
    return std::string{tinybms::describe(refusal).view()};
  }
  return fmt::format("register {} ({}): {} is not possible with register {} ({}); allowed: {} to {} {}",
                     entry->number, entry->name, bms_command::shown_value(*entry, refusal.value),
                     other->number, other->name, bms_command::shown_value(*entry, refusal.min),
                     bms_command::shown_value(*entry, refusal.max), bms_command::shown_unit(*entry));
}

int write_settings(const BmsOptions& options) {
  std::vector<tinybms::RegisterWrite> writes;
  bool is_good = true;
  for (const std::string& text : options.settings) {
    const auto parsed = bms_command::parse_write(text);
    if (const auto* fault = std::get_if<std::string>(&parsed)) {
      fmt::print(stderr, "amphora: {}\n", *fault);
      is_good = false;
    } else {
      writes.push_back(std::get<tinybms::RegisterWrite>(parsed));
    }
  }
  if (!is_good) {
    fmt::print(stderr, "amphora: nothing was written\n");
    return kExitUsage;
  }
  Session session{options.port};
  if (!read_settings(session, options.timeout_s)) {
    return no_answer(session);
  }
  const auto begun = session.driver().write_settings(session.now(), writes);
  if (!begun) {
    fmt::print(stderr, "amphora: {}\namphora: nothing was written\n", refusal_text(begun.error()));
    return kExitFailed;
  }
  int failed_count = 0;
  // Each register takes a flash save and, if the BMS is gone, its time-outs.
  const Duration limit = std::chrono::seconds{options.timeout_s} +
                         static_cast<std::int64_t>(writes.size()) * Duration{std::chrono::seconds{4}};
  const bool is_done = session.run(limit, [&](const tinybms::DriverEvent& event) {
    if (const auto* written = std::get_if<tinybms::RegisterWritten>(&event)) {
      print_outcome(*written);
    } else if (const auto* finished = std::get_if<tinybms::WriteFinished>(&event)) {
      failed_count = finished->failed_count;
      session.finish();
    }
  });
  if (!is_done) {
    fmt::print(stderr, "amphora: the outcome of the write is not known: {}\n", session.reason());
    return kExitFailed;
  }
  return failed_count == 0 ? kExitGood : kExitFailed;
}

std::shared_ptr<BmsOptions> add_common(CLI::App& command) {
  auto options = std::make_shared<BmsOptions>();
  command.add_option("--port", options->port, "Serial port of the BMS")->required()->type_name("DEV");
  command.add_option("--timeout", options->timeout_s, "Give up after this many seconds without an answer")
      ->check(CLI::Range(1, 3600))
      ->type_name("SECONDS")
      ->capture_default_str();
  return options;
}

}  // namespace

void add_bms(CLI::App& parent, Action& chosen) {
  CLI::App* group = add_command(parent, "bms", "Talk to a TinyBMS from the shell.",
                                "  amphora bms read --port /dev/ttyUSB0\n"
                                "  amphora bms settings --port /dev/ttyUSB0\n"
                                "  amphora bms write --port /dev/ttyUSB0 315=4.2 316=2.5");
  group->require_subcommand(1);
  {
    CLI::App* command = add_command(*group, "read", "Print live values as JSON.",
                                    "  amphora bms read --port /dev/ttyUSB0\n"
                                    "  amphora bms read --port /dev/ttyUSB0 --watch");
    auto options = add_common(*command);
    command->add_flag("--watch", options->is_watching, "A line each second until it is stopped");
    command->callback([&chosen, options] { chosen = [options] { return read_values(*options); }; });
  }
  {
    CLI::App* command = add_command(*group, "settings", "Print the settings with their ranges.",
                                    "  amphora bms settings --port /dev/ttyUSB0\n"
                                    "  amphora bms settings --port /dev/ttyUSB0 --json");
    auto options = add_common(*command);
    command->add_flag("--json", options->is_json, "One JSON object");
    command->callback([&chosen, options] { chosen = [options] { return show_settings(*options); }; });
  }
  {
    CLI::App* command = add_command(*group, "write", "Write settings, read them back and print the outcome.",
                                    "  amphora bms write --port /dev/ttyUSB0 315=4.2 316=2.5\n"
                                    "  amphora bms write --port /dev/ttyUSB0 over_voltage_cutoff=4200mV");
    auto options = add_common(*command);
    command->add_option("setting", options->settings, "What to write: number or name, = and value")
        ->required()
        ->type_name("REGISTER=VALUE");
    command->callback([&chosen, options] { chosen = [options] { return write_settings(*options); }; });
  }
}

}  // namespace amphora
