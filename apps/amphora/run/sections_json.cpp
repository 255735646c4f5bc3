// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/sections_json.hpp"

#include <fmt/format.h>

#include <cmath>

#include "apps/amphora/run/shared_settings.hpp"
#include "runtime/history/history.hpp"
#include "runtime/link/link_store.hpp"

namespace amphora::run {
namespace {

using runtime::LinkSection;
using runtime::http::Problem;
using sections::FieldKind;
using sections::FieldSpec;
using sections::FieldValue;
using sections::SectionTable;

// Stamps below this were made while nobody knew the time: January 2020.
constexpr std::int64_t kWallTimeMinMs = 1'577'836'800'000;

std::string_view kind_name(FieldKind kind) {
  switch (kind) {
    case FieldKind::kBool:
      return "bool";
    case FieldKind::kChoice:
      return "choice";
    case FieldKind::kText:
      return "text";
    case FieldKind::kSecret:
      return "secret";
    case FieldKind::kIp4:
      return "ip";
    case FieldKind::kWindow:
      return "window";
    default:
      return "number";
  }
}

bool is_number(FieldKind kind) {
  return kind_name(kind) == "number";
}

Json to_outer(const FieldSpec& spec, std::int64_t number) {
  if (number % spec.scale == 0) {
    return number / spec.scale;
  }
  return static_cast<double>(number) / static_cast<double>(spec.scale);
}

Json value_json(const FieldSpec& spec, const FieldValue& value) {
  if (spec.kind == FieldKind::kBool) {
    return value.number != 0;
  }
  if (is_number(spec.kind)) {
    return to_outer(spec, value.number);
  }
  return std::string{sections::format_value(spec, value).view()};
}

Json field_json(const FieldSpec& spec, const FieldValue& value, const FieldValue& usual) {
  Json json{{"name", spec.name}, {"title", spec.title}, {"kind", kind_name(spec.kind)}, {"help", spec.help}};
  if (!spec.unit.empty()) {
    json["unit"] = spec.unit;
  }
  if (spec.kind == FieldKind::kSecret) {
    json["is_set"] = !value.text.is_empty();
    return json;
  }
  json["value"] = value_json(spec, value);
  json["default"] = value_json(spec, usual);
  if (is_number(spec.kind)) {
    json["min"] = to_outer(spec, spec.min);
    json["max"] = to_outer(spec, spec.max);
    json["step"] = 1.0 / static_cast<double>(spec.scale);
  }
  for (const sections::Choice& choice : spec.choices) {
    json["choices"].push_back({{"value", choice.name}, {"text", choice.title}});
  }
  return json;
}

Json section_json(const LinkSection& section, const SectionScope& scope, TimePoint now, WallTime wall_now) {
  const SectionTable& table = *sections::find_table(section.id);
  const sections::Values values = values_of(table, section.record);
  const sections::Values usual = sections::default_values(table);
  Json json{{"name", table.name},
            {"title", table.title},
            {"help", table.help},
            {"version", section.record.version},
            {"sync", state::to_text(section.sync)},
            {"read_only", !table.is_peer_editable}};
  if (!section.record.origin.is_nobody()) {
    json["origin"] = runtime::to_string(section.record.origin);
    json["origin_is_self"] = section.record.origin == scope.self;
  }
  if (runtime::is_seed(section.record)) {
    if (scope.follows_file) {
      json["from_file"] = true;
    }
  } else if (static_cast<std::int64_t>(section.record.stamp.physical_ms) >= kWallTimeMinMs) {
    json["changed_at"] = runtime::utc_text(static_cast<std::int64_t>(section.record.stamp.physical_ms));
  }
  if (section.conflict_at) {
    json["conflict_at"] = runtime::utc_text(wall_now.unix_ms - to_milliseconds(now - *section.conflict_at));
  }
  Json& fields = json["fields"] = Json::array();
  for (std::size_t i = 0; i < table.fields.size(); ++i) {
    fields.push_back(field_json(table.fields[i], values.fields[i], usual.fields[i]));
  }
  return json;
}

Json scope_json(const SectionScope& scope, TimePoint now, WallTime wall_now) {
  Json json{{"scope", scope.scope}, {"title", scope.title}, {"node", scope.node}, {"editable", true}};
  Json& out = json["sections"] = Json::array();
  for (const LinkSection& section : scope.sections) {
    if (sections::find_table(section.id) != nullptr) {
      out.push_back(section_json(section, scope, now, wall_now));
    }
  }
  if (scope.is_online) {
    json["online"] = *scope.is_online;
  }
  if (scope.beacon_age) {
    json["beacon_age_s"] = to_milliseconds(*scope.beacon_age) / 1000;
  }
  return json;
}

std::string title_of(const runtime::LinkPeer& peer) {
  for (const LinkSection& section : peer.sections) {
    if (section.id == sections::kSystem && section.record.version > 0) {
      const auto values = values_of(*sections::find_table(section.id), section.record);
      return std::string{values.fields[sections::system_field::kName].text.view()};
    }
  }
  return "Transmitter " + runtime::to_string(peer.node);
}

Problem refused(const FieldSpec& spec, std::string code, std::string fault) {
  Problem problem;
  problem.status = 422;
  problem.code = std::move(code);
  problem.field = fmt::format("values.{}", spec.name);
  problem.message = fmt::format("{}: {}", spec.title, std::move(fault));
  return problem;
}

Problem out_of_range(const FieldSpec& spec, std::optional<double> value) {
  const auto scale = static_cast<double>(spec.scale);
  const double min = static_cast<double>(spec.min) / scale;
  const double max = static_cast<double>(spec.max) / scale;
  Problem problem =
      refused(spec, "out_of_range",
              fmt::format("allowed: {} to {}{}{}.", min, max, spec.unit.empty() ? "" : " ", spec.unit));
  problem.value = value;
  problem.min = min;
  problem.max = max;
  return problem;
}

std::variant<FieldValue, Problem> number_value(const FieldSpec& spec, double outer) {
  const double inner = outer * static_cast<double>(spec.scale);
  if (!(inner >= static_cast<double>(spec.min) - 1e-6 && inner <= static_cast<double>(spec.max) + 1e-6)) {
    return out_of_range(spec, outer);
  }
  const auto rounded = std::llround(inner);
  if (std::fabs(inner - static_cast<double>(rounded)) > 1e-6) {
    return refused(spec, "bad_value",
                   fmt::format("finer than {}{}{}.", 1.0 / static_cast<double>(spec.scale),
                               spec.unit.empty() ? "" : " ", spec.unit));
  }
  FieldValue value;
  value.number = rounded;
  return value;
}

std::variant<FieldValue, Problem> field_value(const SectionTable& table, std::size_t index,
                                              const runtime::http::SettingValue& given) {
  const FieldSpec& spec = table.fields[index];
  if (const auto* number = std::get_if<double>(&given); number != nullptr && is_number(spec.kind)) {
    return number_value(spec, *number);
  }
  if (const auto* flag = std::get_if<bool>(&given); flag != nullptr && spec.kind == FieldKind::kBool) {
    FieldValue value;
    value.number = *flag ? 1 : 0;
    return value;
  }
  const auto* text = std::get_if<std::string>(&given);
  if (text == nullptr || is_number(spec.kind) || spec.kind == FieldKind::kBool) {
    return refused(spec, "bad_value",
                   is_number(spec.kind)            ? "a number is needed."
                   : spec.kind == FieldKind::kBool ? "true or false is needed."
                                                   : "a text is needed.");
  }
  const auto value = sections::parse_value(spec, *text);
  if (!value.ok()) {
    sections::FieldError error = value.error();
    error.field = index;
    return to_problem(table, error);
  }
  return *value;
}

}  // namespace

std::string section_title(state::SectionId section) {
  const SectionTable* table = sections::find_table(section);
  return table != nullptr ? std::string{table->title} : fmt::format("number {}", section);
}

Json sections_json(const std::vector<SectionScope>& scopes, TimePoint now, WallTime wall_now) {
  Json list = Json::array();
  for (const SectionScope& scope : scopes) {
    list.push_back(scope_json(scope, now, wall_now));
  }
  return Json{{"scopes", std::move(list)}};
}

std::vector<SectionScope> link_scopes(const runtime::LinkReport& report, TimePoint now) {
  std::vector<SectionScope> scopes;
  if (report.self.is_nobody()) {
    return scopes;
  }
  scopes.push_back({"own", "This box", runtime::to_string(report.self), report.self, report.own});
  for (const runtime::LinkPeer& peer : report.peers) {
    if (peer.sections.empty()) {
      continue;
    }
    const std::string address = runtime::to_string(peer.node);
    scopes.push_back({address, title_of(peer), address, report.self, peer.sections, true,
                      peer.state != liveness::State::kDisconnected,
                      peer.last_beacon ? std::optional{now - *peer.last_beacon} : std::nullopt});
  }
  return scopes;
}

std::variant<FieldChanges, Problem> to_field_changes(
    const SectionTable& table, const std::vector<runtime::http::SettingChange>& values) {
  FieldChanges changes;
  for (const runtime::http::SettingChange& change : values) {
    const auto index = sections::field_index(table, change.field);
    if (!index) {
      Problem problem;
      problem.status = 422;
      problem.code = "unknown_field";
      problem.field = "values." + change.field;
      problem.message = "\"" + change.field + "\" is not a setting of this section.";
      return problem;
    }
    auto value = field_value(table, *index, change.value);
    if (const auto* problem = std::get_if<Problem>(&value)) {
      return *problem;
    }
    changes.emplace_back(*index, std::get<FieldValue>(value));
  }
  return changes;
}

Problem to_problem(const SectionTable& table, const sections::FieldError& error) {
  const FieldSpec& spec = table.fields[error.field];
  Problem problem =
      error.reason == sections::FieldError::Reason::kOutOfRange
          ? out_of_range(spec, static_cast<double>(error.found) / static_cast<double>(spec.scale))
          : refused(spec, "bad_value", "");
  problem.message = std::string{sections::describe(table, error).view()} + ".";
  return problem;
}

Json values_json(const SectionTable& table, const sections::Values& values) {
  Json json = Json::object();
  for (std::size_t i = 0; i < table.fields.size(); ++i) {
    if (table.fields[i].kind != FieldKind::kSecret) {
      json[std::string{table.fields[i].name}] = value_json(table.fields[i], values.fields[i]);
    }
  }
  return json;
}

const LinkSection* find_section(const runtime::LinkReport& report, NodeId owner, state::SectionId section) {
  const std::vector<LinkSection>* list = owner.is_nobody() || owner == report.self ? &report.own : nullptr;
  for (const runtime::LinkPeer& peer : report.peers) {
    list = list == nullptr && peer.node == owner ? &peer.sections : list;
  }
  if (list == nullptr) {
    return nullptr;
  }
  for (const LinkSection& one : *list) {
    if (one.id == section) {
      return &one;
    }
  }
  return nullptr;
}

}  // namespace amphora::run
