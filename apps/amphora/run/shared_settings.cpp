// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/shared_settings.hpp"

#include <fmt/format.h>

#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/config/checks.hpp"
#include "apps/amphora/run/node_config.hpp"

namespace amphora::run {
namespace {

using config::Field;
using sections::FieldKind;
using sections::FieldSpec;
using sections::FieldValue;
using sections::SectionTable;

// The name of a section in the file; empty optional: the file has no such section.
std::optional<std::string_view> file_section(const SectionTable& table) {
  switch (table.id) {
    case sections::kMqtt:
      return "mqtt";
    case sections::kBattery:
      return "battery";
    case sections::kSystem:
      return "";
    default:
      return std::nullopt;
  }
}

std::string_view choice_name(const FieldSpec& spec, std::int64_t number) {
  for (const sections::Choice& choice : spec.choices) {
    if (choice.value == number) {
      return choice.name;
    }
  }
  return "";
}

config::RawValue to_raw(const FieldSpec& spec, const FieldValue& value) {
  switch (spec.kind) {
    case FieldKind::kBool:
      return value.number != 0;
    case FieldKind::kChoice:
      return std::string{choice_name(spec, value.number)};
    case FieldKind::kText:
    case FieldKind::kSecret:
      return std::string{value.text.view()};
    case FieldKind::kWindow:
      return std::string{sections::format_value(spec, value).view()};
    default:
      return static_cast<double>(value.number) / static_cast<double>(spec.scale);
  }
}

FieldValue from_config(const Field& field, const FieldSpec& spec, const config::Config& config) {
  FieldValue value;
  if (field.kind == config::Kind::kText) {
    value.text = FixedText<sections::kTextSizeMax>{field.access.text(config)};
  } else if (field.kind == config::Kind::kChoice) {
    for (const config::Choice& choice : field.choices) {
      for (const sections::Choice& other : spec.choices) {
        if (choice.value == field.access.number(config) && choice.text == other.name) {
          value.number = other.value;
        }
      }
    }
  } else {
    // Both scales are powers of ten.
    value.number = field.access.number(config) * spec.scale / field.range.scale;
  }
  return value;
}

void put_mqtt_secrets(const sections::Values& values, config::MqttSection& mqtt) {
  mqtt.password = std::string{values.fields[sections::mqtt_field::kPassword].text.view()};
  mqtt.client_id = std::string{values.fields[sections::mqtt_field::kClientId].text.view()};
  if (mqtt.username.empty() || !mqtt.password.empty()) {
    mqtt.password_file.clear();
  }
}

}  // namespace

const Field* config_field(const SectionTable& table, const FieldSpec& field) {
  const auto section = file_section(table);
  return section ? config::find_field(*section, field.name) : nullptr;
}

const SectionTable* section_of(const Field& field) {
  for (const SectionTable& table : sections::tables()) {
    if (file_section(table) == field.section && sections::field_index(table, field.key)) {
      return &table;
    }
  }
  return nullptr;
}

std::optional<state::Payload> payload_from(const SectionTable& table, const config::Config& config) {
  if (!file_section(table)) {
    return std::nullopt;
  }
  sections::Values values = sections::default_values(table);
  for (std::size_t i = 0; i < table.fields.size(); ++i) {
    const Field* const field = config_field(table, table.fields[i]);
    if (field == nullptr || !config::is_for(*field, config.box.role)) {
      continue;
    }
    if (field->kind == config::Kind::kText && field->access.text(config).size() > sections::kTextSizeMax) {
      return std::nullopt;
    }
    values.fields[i] = from_config(*field, table.fields[i], config);
  }
  const auto payload = sections::encode(table, values);
  return payload.ok() ? std::optional{*payload} : std::nullopt;
}

std::vector<std::string> put_over(const SectionTable& table, const sections::Values& values,
                                  config::Config& config) {
  std::vector<std::string> faults;
  config::Config changed = config;
  for (std::size_t i = 0; i < table.fields.size(); ++i) {
    const FieldSpec& spec = table.fields[i];
    const Field* const field = config_field(table, spec);
    if (field == nullptr || !config::is_for(*field, config.box.role)) {
      continue;
    }
    if (const auto fault = config::assign(*field, to_raw(spec, values.fields[i]), changed)) {
      faults.push_back(fmt::format("{}: {}; {}.", spec.title, *fault, config::allowed_text(*field)));
    }
  }
  if (table.id == sections::kMqtt) {
    put_mqtt_secrets(values, changed.mqtt);
  }
  config::derive_ramps(changed.battery);
  if (faults.empty()) {
    for (const config::Problem& problem : config::check_between_fields(changed).errors) {
      faults.push_back(fmt::format("{}: {}; {}.", problem.key, problem.what, problem.allowed));
    }
  }
  if (faults.empty() && changed.has_battery_part()) {
    if (const auto fault = check_node_config(to_node_config(changed))) {
      faults.push_back(*fault);
    }
  }
  if (faults.empty()) {
    config = std::move(changed);
  }
  return faults;
}

inverter::UserLimits to_user_limits(const sections::Values& power_profile) {
  using namespace sections::power_profile_field;
  const auto limit = [&power_profile](std::size_t is_limited, std::size_t current) {
    return power_profile.fields[is_limited].number != 0
               ? std::optional{Milliamps{static_cast<std::int32_t>(power_profile.fields[current].number)}}
               : std::nullopt;
  };
  inverter::UserLimits limits;
  limits.charge_current = limit(kChargeLimited, kChargeCurrentLimit);
  limits.discharge_current = limit(kDischargeLimited, kDischargeCurrentLimit);
  return limits;
}

sections::Values values_of(const SectionTable& table, const state::Record& record) {
  const auto values = sections::decode(table, record.payload.bytes());
  return values.ok() ? *values : sections::default_values(table);
}

}  // namespace amphora::run
