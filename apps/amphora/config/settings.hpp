// SPDX-License-Identifier: Apache-2.0
// Box settings at run time: what the web shows and changes, from the same table as the file.
//
// A change made from the web is stored by the box per section and overrides the file. Fields that are marked
// file-only (devices, addresses, paths, secrets) are shown and never taken from there, whatever was stored.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/amphora/config/config.hpp"

namespace amphora::config {

// Why a value was refused, in the words of an HTTP answer.
struct SettingError {
  enum class Code : std::uint8_t {
    kUnknownSection,
    kUnknownField,
    kNotChangeable,
    kBadValue,
    kOutOfRange,
    kConflict
  };
  Code code = Code::kBadValue;
  std::string field;            // "charge_current_max_a"; empty when the section is meant
  std::string message;          // a whole sentence: field, what is wrong, what is allowed
  std::optional<double> min{};  // for kOutOfRange, in the unit of the field
  std::optional<double> max{};
};

// "unknown_section", "out_of_range", …
std::string_view to_text(SettingError::Code code);

// Applies an object of key → value (in the unit of the field) to one section; the top-level keys are the
// section "box". Either everything is applied or, when anything is wrong, nothing: then every error is
// returned and `config` is as before.
std::vector<SettingError> apply_overrides(Config& config, std::string_view section,
                                          const nlohmann::json& values);

// {"sections":[{"name","title","help","restart_needed","fields":[{"name","title","unit","kind","value","min",
// "max","step","default","choices","writable","help"}]}]}. A secret has "is_set" and no value.
nlohmann::json to_box_settings_json(const Config& config);

// Whether a change of this section takes effect only after a restart.
bool is_restart_needed(std::string_view section, Role role);

}  // namespace amphora::config
