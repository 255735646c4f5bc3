// SPDX-License-Identifier: Apache-2.0
// Shared settings for the API: as JSON with ranges and history, and from a person's values to fields.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "apps/amphora/run/state_json.hpp"
#include "core/sections/tables.hpp"
#include "runtime/http/requests.hpp"
#include "runtime/link/link_messages.hpp"

namespace amphora::run {

// The sections of one owner, as a page shows them.
struct SectionScope {
  std::string scope;  // "own", or the owner's address
  std::string title;
  std::string node;  // the owner's address
  NodeId self;       // this box, for "changed here"
  const std::vector<runtime::LinkSection>& sections;
  // Sections that nobody has changed say what the configuration file says.
  bool follows_file = true;
  std::optional<bool> is_online{};
  std::optional<Duration> beacon_age{};
};
// The whole answer to GET sections.
Json sections_json(const std::vector<SectionScope>& scopes, TimePoint now, WallTime wall_now);
// Those of a radio link: this box and each peer.
std::vector<SectionScope> link_scopes(const runtime::LinkReport& report, TimePoint now);

// What people call a section: its title, or its number if this version does not know it.
std::string section_title(state::SectionId section);

using FieldChanges = std::vector<std::pair<std::size_t, sections::FieldValue>>;
// Each field by itself; rules between fields are checked where the section is changed.
std::variant<FieldChanges, runtime::http::Problem> to_field_changes(
    const sections::SectionTable& table, const std::vector<runtime::http::SettingChange>& values);
runtime::http::Problem to_problem(const sections::SectionTable& table, const sections::FieldError& error);

// The fields of one section as an object of names and values, without secrets.
Json values_json(const sections::SectionTable& table, const sections::Values& values);

// The section of a peer, or of the box itself for nobody; null: not known.
const runtime::LinkSection* find_section(const runtime::LinkReport& report, NodeId owner,
                                         state::SectionId section);

}  // namespace amphora::run
