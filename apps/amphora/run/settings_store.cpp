// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/settings_store.hpp"

#include <algorithm>
#include <utility>

#include "apps/amphora/run/shared_settings.hpp"

namespace amphora::run {
namespace {

constexpr std::string_view kPrefix = "settings.";

nlohmann::json to_json(const runtime::http::BoxSettingsChange& change) {
  nlohmann::json values = nlohmann::json::object();
  for (const auto& setting : change.values) {
    std::visit([&](const auto& value) { values[setting.field] = value; }, setting.value);
  }
  return values;
}

}  // namespace

SettingsStore::SettingsStore(config::Config file, const runtime::StoredState& stored)
    : file_{std::move(file)} {
  for (const auto& [name, content] : stored.sections) {
    if (!name.starts_with(kPrefix)) {
      continue;
    }
    auto values = nlohmann::json::parse(content, nullptr, false);
    if (values.is_object()) {
      overrides_[name.substr(kPrefix.size())] = std::move(values);
    } else {
      complaints_.push_back("stored settings of section " + name.substr(kPrefix.size()) +
                            " cannot be read and are ignored");
    }
  }
  for (const std::string& name : stored.damaged_sections) {
    complaints_.push_back("stored section " + name + " is damaged (checksum) and is ignored");
  }
  apply_all();
}

void SettingsStore::apply_all() {
  base_ = file_;
  for (auto& [section, values] : overrides_.items()) {
    if (config::apply_overrides(base_, section, values).empty()) {
      continue;
    }
    // One value that no longer fits must not take the others with it.
    for (auto& [field, value] : values.items()) {
      for (const auto& error : config::apply_overrides(base_, section, {{field, value}})) {
        complaints_.push_back("stored setting " + section + "." + field + " is ignored: " + error.message);
      }
    }
  }
  effective_ = base_;
  for (const auto& [id, values] : shared_) {
    const sections::SectionTable& table = *sections::find_table(id);
    for (const std::string& fault : put_over(table, values, effective_)) {
      complaints_.push_back("the shared settings of section " + std::string{table.name} +
                            " cannot be used here: " + fault);
    }
  }
}

std::vector<std::string> SettingsStore::set_shared(const sections::SectionTable& table,
                                                   std::optional<sections::Values> values) {
  if (values) {
    config::Config trial = effective_;
    if (auto faults = put_over(table, *values, trial); !faults.empty()) {
      return faults;
    }
    shared_[table.id] = *values;
  } else {
    shared_.erase(table.id);
  }
  complaints_.clear();
  apply_all();
  return {};
}

std::optional<sections::Values> SettingsStore::shared(const sections::SectionTable& table) const {
  const auto found = shared_.find(table.id);
  return found == shared_.end() ? std::nullopt : std::optional{found->second};
}

inverter::UserLimits SettingsStore::user_limits() const {
  const auto found = shared_.find(sections::kPowerProfile);
  return found == shared_.end() ? inverter::UserLimits{} : to_user_limits(found->second);
}

bool SettingsStore::is_shared(const config::Field& field) const {
  return std::find(tables_.begin(), tables_.end(), section_of(field)) != tables_.end();
}

std::vector<config::SettingError> SettingsStore::change(const runtime::http::BoxSettingsChange& change) {
  for (const auto& setting : change.values) {
    const std::string_view section = change.section == "box" ? std::string_view{} : change.section;
    const config::Field* const field = config::find_field(section, setting.field);
    if (field != nullptr && is_shared(*field)) {
      return {{.code = config::SettingError::Code::kNotChangeable,
               .field = setting.field,
               .message = std::string{field->title} +
                          ": is one of the settings that both boxes share; change it there."}};
    }
  }
  const nlohmann::json values = to_json(change);
  config::Config trial = effective_;
  auto errors = config::apply_overrides(trial, change.section, values);
  if (errors.empty()) {
    overrides_[change.section].update(values);
    complaints_.clear();
    apply_all();
  }
  return errors;
}

std::string SettingsStore::section_content(const std::string& section) const {
  return overrides_.contains(section) ? overrides_.at(section).dump() : std::string{"{}"};
}

void SettingsStore::replace_file(config::Config file) {
  file_ = std::move(file);
  complaints_.clear();
  apply_all();
}

}  // namespace amphora::run
