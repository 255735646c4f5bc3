// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/settings_store.hpp"

#include <utility>

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
  effective_ = file_;
  for (auto& [section, values] : overrides_.items()) {
    if (config::apply_overrides(effective_, section, values).empty()) {
      continue;
    }
    // One value that no longer fits must not take the others with it.
    for (auto& [field, value] : values.items()) {
      for (const auto& error : config::apply_overrides(effective_, section, {{field, value}})) {
        complaints_.push_back("stored setting " + section + "." + field + " is ignored: " + error.message);
      }
    }
  }
}

std::vector<config::SettingError> SettingsStore::change(const runtime::http::BoxSettingsChange& change) {
  const nlohmann::json values = to_json(change);
  auto errors = config::apply_overrides(effective_, change.section, values);
  if (errors.empty()) {
    overrides_[change.section].update(values);
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
