// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/bms_settings.hpp"

#include <fmt/format.h>

#include <cmath>

#include "apps/amphora/run/event_text.hpp"
#include "runtime/history/history.hpp"

namespace amphora::run {
namespace {

using Json = nlohmann::ordered_json;
using runtime::http::Problem;
using tinybms::RawValue;
using tinybms::Register;

double power_of_ten(std::uint8_t decimals) {
  return std::pow(10.0, decimals);
}

Json choices_json(std::span<const tinybms::Choice> choices) {
  Json json = Json::array();
  for (const tinybms::Choice& choice : choices) {
    json.push_back({{"value", choice.value}, {"text", choice.label}});
  }
  return json;
}

Json fields_json(const Register& entry, const Reading<RawValue>& value) {
  Json json = Json::array();
  for (const tinybms::Field& field : entry.fields) {
    Json one{{"name", field.name}, {"title", field.title}, {"unit", field.unit}, {"shift", field.shift},
             {"bits", field.bits}, {"min", field.min},     {"max", field.max}};
    if (!field.choices.empty()) {
      one["choices"] = choices_json(field.choices);
    }
    if (value) {
      one["value"] = tinybms::field_value(field, static_cast<std::uint16_t>(value->value));
    }
    json.push_back(std::move(one));
  }
  return json;
}

Json setting_json(const Register& entry, const tinybms::SettingsImage& image) {
  const Reading<RawValue> value = image.value(entry.number);
  Json json{{"register", entry.number},
            {"name", entry.name},
            {"title", entry.title},
            {"unit", entry.unit},
            {"writable", entry.is_writable}};
  const bool has_fields = !entry.fields.empty();
  json["kind"] = has_fields ? "flags" : (entry.choices.empty() ? "number" : "choice");
  if (value) {
    json["raw"] = value->value;
    if (value->value != entry.sentinel) {
      json["value"] = to_unit(entry, value->value);
    }
  }
  json["min"] = to_unit(entry, entry.min);
  json["max"] = to_unit(entry, entry.max);
  json["step"] = entry.multiplier / power_of_ten(entry.decimals);
  if (!entry.choices.empty()) {
    json["choices"] = choices_json(entry.choices);
  }
  if (has_fields) {
    json["fields"] = fields_json(entry, value);
  }
  if (entry.is_sensor_dependent) {
    json["help"] = "The range depends on the current sensor of this BMS.";
  }
  return json;
}

Problem range_problem(const Register& entry, double value, std::size_t index) {
  Problem problem;
  problem.status = 422;
  problem.code = "out_of_range";
  problem.field = fmt::format("changes[{}].value", index);
  problem.register_number = entry.number;
  problem.value = value;
  problem.min = to_unit(entry, entry.min);
  problem.max = to_unit(entry, entry.max);
  problem.message = fmt::format("Register {} ({}): {:g} {} is outside {:g} to {:g} {}.", entry.number,
                                entry.title, value, entry.unit, *problem.min, *problem.max, entry.unit);
  return problem;
}

Problem step_problem(const Register& entry, double value, std::size_t index) {
  Problem problem = range_problem(entry, value, index);
  problem.code = "bad_step";
  problem.message =
      fmt::format("Register {} ({}): {:g} {} is not a multiple of {:g} {}.", entry.number, entry.title, value,
                  entry.unit, entry.multiplier / power_of_ten(entry.decimals), entry.unit);
  return problem;
}

Problem unknown_problem(const runtime::http::RegisterChange& change, std::size_t index) {
  Problem problem;
  problem.status = 422;
  problem.code = "unknown_register";
  problem.field = fmt::format("changes[{}].register", index);
  problem.register_number = change.register_number;
  problem.value = change.value;
  problem.message = fmt::format("There is no register {} in a TinyBMS.", change.register_number);
  return problem;
}

}  // namespace

double to_unit(const Register& entry, RawValue value) {
  return static_cast<double>(value) * entry.multiplier / power_of_ten(entry.decimals);
}

Json bms_settings_json(const runtime::ControlReport* report, TimePoint now, WallTime wall_now) {
  Json json;
  if (report == nullptr || !report->settings) {
    json["state"] = "unavailable";
    json["reason"] = "This battery's BMS has no settings that can be read over its wire.";
    json["settings"] = Json::array();
    return json;
  }
  const tinybms::SettingsImage& image = *report->settings;
  const bool is_connected = report->bms_link == liveness::State::kConnected;
  const bool is_complete = image.is_complete();
  json["state"] = is_complete ? "ready" : (is_connected ? "reading" : "unavailable");
  if (!is_connected) {
    json["reason"] = is_complete ? "The BMS does not answer; these are the last known values."
                                 : "The BMS does not answer.";
  }
  if (const auto word = image.word(tinybms::reg::kFullyCharged)) {
    json["read_at"] = runtime::utc_text(wall_now.unix_ms - to_milliseconds(word->age(now)));
  }
  Json& settings = json["settings"] = Json::array();
  for (const Register& entry : tinybms::registers()) {
    if (entry.group == tinybms::RegisterGroup::kSettings) {
      settings.push_back(setting_json(entry, image));
    }
  }
  return json;
}

std::variant<std::vector<tinybms::RegisterWrite>, Problem> to_register_writes(
    const std::vector<runtime::http::RegisterChange>& changes) {
  std::vector<tinybms::RegisterWrite> writes;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto& change = changes[i];
    const bool is_number = change.register_number >= 0 && change.register_number <= 0xFFFF;
    const Register* entry =
        is_number ? tinybms::find_register(static_cast<std::uint16_t>(change.register_number)) : nullptr;
    if (entry == nullptr) {
      return unknown_problem(change, i);
    }
    const double exact = change.value * power_of_ten(entry->decimals) / entry->multiplier;
    if (!(std::abs(exact) < 1e12)) {
      return range_problem(*entry, change.value, i);
    }
    const double whole = std::round(exact);
    if (std::abs(exact - whole) > 1e-6 * std::max(1.0, std::abs(exact))) {
      return step_problem(*entry, change.value, i);
    }
    const auto raw = static_cast<RawValue>(whole);
    if (entry->is_writable && !tinybms::is_valid(*entry, raw)) {
      return range_problem(*entry, change.value, i);
    }
    writes.push_back({entry->number, raw});
  }
  return writes;
}

Problem to_problem(const tinybms::WriteRefusal& refusal) {
  using enum tinybms::WriteRefusalReason;
  Problem problem;
  problem.code = std::string{tinybms::to_text(refusal.reason)};
  problem.message = std::string{tinybms::describe(refusal).view()};
  const bool is_busy = refusal.reason == kBusy || refusal.reason == kSettingsNotRead;
  problem.status = is_busy ? 409 : (refusal.reason == kNotConnected ? 503 : 422);
  if (refusal.number != 0) {
    problem.register_number = refusal.number;
    if (const Register* entry = tinybms::find_register(refusal.number)) {
      problem.value = to_unit(*entry, refusal.value);
      if (refusal.reason == kOutOfRange || refusal.reason == kConstraint) {
        problem.min = to_unit(*entry, refusal.min);
        problem.max = to_unit(*entry, refusal.max);
      }
    }
  }
  return problem;
}

Json outcome_json(const tinybms::RegisterWritten& written) {
  Json json{{"register", written.number}, {"result", tinybms::to_text(written.result)}};
  if (const Register* entry = tinybms::find_register(written.number)) {
    json["asked"] = to_unit(*entry, written.asked);
    if (written.found) {
      json["value"] = to_unit(*entry, *written.found);
    }
  }
  return json;
}

}  // namespace amphora::run
