// SPDX-License-Identifier: Apache-2.0
// The configuration in force: the file, over it what people changed on the settings page (kept in the store
// per section), over that the shared settings of a radio link (shared_settings.hpp).
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/config/fields.hpp"
#include "apps/amphora/config/settings.hpp"
#include "core/inverter/charge_limits.hpp"
#include "core/sections/tables.hpp"
#include "runtime/http/requests.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

class SettingsStore {
 public:
  // `file` is the configuration as the file says it. Overrides that do not fit (any more) are left out, each
  // with a sentence in complaints().
  SettingsStore(config::Config file, const runtime::StoredState& stored);

  const config::Config& effective() const { return effective_; }
  const std::vector<std::string>& complaints() const { return complaints_; }

  // Checks and applies; on success effective() has the new values and section_content() is what must be
  // stored.
  std::vector<config::SettingError> change(const runtime::http::BoxSettingsChange& change);
  static std::string store_key(const std::string& section) { return "settings." + section; }
  std::string section_content(const std::string& section) const;

  // A shared section that is in force, or nothing: what the file and the page say holds (again). Sentences
  // for what is wrong with it; what was in force before stays then.
  std::vector<std::string> set_shared(const sections::SectionTable& table,
                                      std::optional<sections::Values> values);
  // Whether a field is changed among the shared settings and nowhere else. To be told once, at the start.
  void set_shared_tables(std::vector<const sections::SectionTable*> tables) { tables_ = std::move(tables); }
  bool is_shared(const config::Field& field) const;
  // What is in force of a shared section.
  std::optional<sections::Values> shared(const sections::SectionTable& table) const;
  // What the shared power profile allows; without one nothing is limited.
  inverter::UserLimits user_limits() const;
  // The file and the page, without shared settings.
  const config::Config& base() const { return base_; }

  // The file was read again: the overrides are put over it anew.
  void replace_file(config::Config file);

 private:
  void apply_all();

  config::Config file_;
  config::Config base_;
  config::Config effective_;
  std::vector<const sections::SectionTable*> tables_;
  std::map<state::SectionId, sections::Values> shared_;
  nlohmann::json overrides_ = nlohmann::json::object();
  std::vector<std::string> complaints_;
};

}  // namespace amphora::run
