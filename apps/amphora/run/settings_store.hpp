// SPDX-License-Identifier: Apache-2.0
// Settings that people changed on the page: kept in the store per section, applied over the file at every
// start.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/config/settings.hpp"
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

  // The file was read again: the overrides are put over it anew.
  void replace_file(config::Config file);

 private:
  void apply_all();

  config::Config file_;
  config::Config effective_;
  nlohmann::json overrides_ = nlohmann::json::object();
  std::vector<std::string> complaints_;
};

}  // namespace amphora::run
