// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/settings.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/config/checks.hpp"
#include "apps/amphora/config/fields.hpp"
#include "apps/amphora/config/suggest.hpp"

namespace amphora::config {

namespace {

using nlohmann::json;
using Code = SettingError::Code;

// The keys before the first section need a name on the web.
constexpr std::string_view kTopName = "box";

std::string_view to_web(std::string_view section) {
  return section.empty() ? kTopName : section;
}
std::string_view from_web(std::string_view section) {
  return section == kTopName ? std::string_view{} : section;
}
bool is_web_section(std::string_view name) {
  return name == kTopName || (!name.empty() && find_section(name) != nullptr);
}

RawValue to_raw(const json& value) {
  switch (value.type()) {
    case json::value_t::number_integer:
      return value.get<std::int64_t>();
    case json::value_t::number_unsigned:  // beyond the signed range it is out of every field's range anyway
    case json::value_t::number_float:
      return value.get<double>();
    case json::value_t::boolean:
      return value.get<bool>();
    case json::value_t::string:
      return value.get<std::string>();
    default:
      return OtherType{value.type_name()};
  }
}

json to_outer(const Field& field, std::int64_t inner) {
  if (inner % field.range.scale == 0) {
    return inner / field.range.scale;
  }
  return static_cast<double>(inner) / static_cast<double>(field.range.scale);
}

json value_of(const Field& field, const Config& config) {
  switch (field.kind) {
    case Kind::kNumber:
      return to_outer(field, field.access.number(config));
    case Kind::kBool:
      return field.access.number(config) != 0;
    case Kind::kChoice:
      for (const Choice& choice : field.choices) {
        if (choice.value == field.access.number(config)) {
          return choice.text;
        }
      }
      return "";
    case Kind::kText:
    case Kind::kSecretFile:
      return field.access.text(config);
  }
  return {};
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kNumber:
      return "number";
    case Kind::kBool:
      return "bool";
    case Kind::kChoice:
      return "choice";
    case Kind::kText:
      return "text";
    case Kind::kSecretFile:
      return "secret";
  }
  return "";
}

json to_json(const Field& field, const Config& config, const Config& defaults) {
  json out{{"name", field.key},
           {"title", field.title},
           {"kind", kind_name(field.kind)},
           {"writable", !field.is_file_only},
           {"help", field.help}};
  if (!field.unit.empty()) {
    out["unit"] = field.unit;
  }
  if (field.kind == Kind::kSecretFile) {
    out["is_set"] = !field.access.text(config).empty();
    return out;
  }
  out["value"] = value_of(field, config);
  if (!has_role(field.required_for, config.box.role)) {
    out["default"] = value_of(field, defaults);
  }
  if (field.kind == Kind::kNumber) {
    out["min"] = to_outer(field, field.range.min);
    out["max"] = to_outer(field, field.range.max);
    out["step"] = to_outer(field, field.range.step);
  }
  for (const Choice& choice : field.choices) {
    out["choices"].push_back({{"value", choice.text}, {"text", choice.title}});
  }
  return out;
}

SettingError refused(const Field& field, const RawValue& value, const std::string& fault) {
  SettingError error{.code = Code::kBadValue,
                     .field = std::string{field.key},
                     .message = fmt::format("{}: {}; {}.", field.title, fault, allowed_text(field))};
  const bool is_number = std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
  if (field.kind == Kind::kNumber && is_number) {
    error.code = Code::kOutOfRange;
    error.min = to_outer(field, field.range.min).get<double>();
    error.max = to_outer(field, field.range.max).get<double>();
  }
  return error;
}

SettingError unknown_field(std::string_view section, const std::string& key) {
  std::vector<std::string_view> keys;
  for (const Field& field : fields()) {
    if (field.section == section) {
      keys.push_back(field.key);
    }
  }
  const auto close = nearest(key, keys);
  return {.code = Code::kUnknownField,
          .field = key,
          .message = close ? fmt::format("\"{}\" is not a setting; did you mean \"{}\"?", key, *close)
                           : fmt::format("\"{}\" is not a setting of this section.", key)};
}

}  // namespace

std::string_view to_text(SettingError::Code code) {
  constexpr std::string_view kNames[] = {"unknown_section", "unknown_field", "not_changeable",
                                         "bad_value",       "out_of_range",  "conflict"};
  return kNames[static_cast<std::size_t>(code)];
}

std::vector<SettingError> apply_overrides(Config& config, std::string_view section, const json& values) {
  std::vector<SettingError> errors;
  if (!is_web_section(section)) {
    errors.push_back({.code = Code::kUnknownSection,
                      .field = "",
                      .message = fmt::format("\"{}\" is not a section of the settings.", section)});
    return errors;
  }
  if (!values.is_object()) {
    errors.push_back({.code = Code::kBadValue, .field = "", .message = "The values must be a JSON object."});
    return errors;
  }
  Config changed = config;
  for (const auto& [key, value] : values.items()) {
    const Field* field = find_field(from_web(section), key);
    if (field == nullptr || !is_for(*field, config.box.role)) {
      errors.push_back(unknown_field(from_web(section), key));
      continue;
    }
    if (field->is_file_only) {
      errors.push_back(
          {.code = Code::kNotChangeable,
           .field = key,
           .message = fmt::format("{}: can only be changed in the configuration file.", field->title)});
      continue;
    }
    const RawValue raw = to_raw(value);
    if (const auto fault = assign(*field, raw, changed)) {
      errors.push_back(refused(*field, raw, *fault));
    }
  }
  if (!errors.empty()) {
    return errors;
  }
  derive_ramps(changed.battery);
  for (const Problem& problem : check_between_fields(changed).errors) {
    errors.push_back({.code = Code::kConflict,
                      .field = problem.key,
                      .message = fmt::format("{}: {}; {}.", problem.key, problem.what, problem.allowed)});
  }
  if (errors.empty()) {
    config = std::move(changed);
  }
  return errors;
}

json to_box_settings_json(const Config& config) {
  const Config defaults = default_config(config.battery.chemistry, config.box.role);
  json list = json::array();
  for (const Section& section : sections()) {
    if (!has_role(section.roles, config.box.role)) {
      continue;
    }
    json entries = json::array();
    for (const Field& field : fields()) {
      if (field.section == section.name && is_for(field, config.box.role)) {
        entries.push_back(to_json(field, config, defaults));
      }
    }
    list.push_back({{"name", to_web(section.name)},
                    {"title", section.title},
                    {"help", section.help},
                    {"restart_needed", has_role(section.restart_for, config.box.role)},
                    {"fields", std::move(entries)}});
  }
  return {{"sections", std::move(list)}};
}

bool is_restart_needed(std::string_view section, Role role) {
  const Section* found = find_section(from_web(section));
  return found != nullptr && has_role(found->restart_for, role);
}

}  // namespace amphora::config
