// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/config/bms_profile.hpp"
#include "apps/amphora/config/fields.hpp"
#include "apps/amphora/config/suggest.hpp"
#include "apps/amphora/config/toml_text.hpp"

namespace amphora::config {

namespace {

std::string join(std::string_view section, std::string_view key) {
  if (section.empty() || key.empty()) {
    return std::string{section.empty() ? key : section};
  }
  return fmt::format("{}.{}", section, key);
}

std::vector<std::string_view> known_sections() {
  std::vector<std::string_view> names;
  for (const Section& section : sections()) {
    if (!section.name.empty()) {
      names.push_back(section.name);
    }
  }
  return names;
}

// What to say of a key that the table does not have.
std::string unknown_key_advice(std::string_view section, std::string_view key) {
  std::vector<std::string_view> siblings;
  for (const Field& field : fields()) {
    if (field.section == section) {
      siblings.push_back(field.key);
    }
  }
  if (const auto close = nearest(key, siblings)) {
    return fmt::format("did you mean \"{}\"?", *close);
  }
  for (const Field& field : fields()) {
    if (field.key == key) {
      return field.section.empty() ? std::string{"it belongs before the first section"}
                                   : fmt::format("it belongs in [{}]", field.section);
    }
  }
  return fmt::format("allowed: {}", fmt::join(siblings, ", "));
}

// Walks one parsed file. Short-lived: it refers to the caller's table.
class FileReader {
 public:
  explicit FileReader(const toml::table& table) : table_{table} {}

  LoadResult read() {
    role_ = role();
    config_ = default_config(chemistry(), role_);
    note_sections();
    read_table("", table_);
    for (const auto& [key, node] : table_) {
      if (const toml::table* section = node.as_table();
          section != nullptr && find_section(key.str()) != nullptr) {
        if (is_foreign(key.str())) {
          report(key.str(), "", place_of(node.source()),
                 fmt::format("is not a section of a {}", to_text(role_)), "leave it out");
        }
        read_table(key.str(), *section);
      }
    }
    find_missing();
    derive_ramps(config_.battery);
    Findings findings = check_between_fields(config_);
    adopt(std::move(findings.errors), result_.errors);
    adopt(std::move(findings.warnings), result_.warnings);
    sort(result_.errors);
    sort(result_.warnings);
    if (result_.errors.empty()) {
      result_.config = std::move(config_);
    }
    return std::move(result_);
  }

  Place place(const std::string& section, const std::string& key) const {
    if (const auto found = places_.find(join(section, key)); found != places_.end()) {
      return found->second;
    }
    const auto found = places_.find(section);
    return found == places_.end() ? Place{} : found->second;
  }

  void adopt(std::vector<Problem> from, std::vector<Problem>& to) {
    for (Problem& problem : from) {
      const auto is_reported = [this](const std::string& key) { return reported_.count(key) != 0; };
      if (is_reported(join(problem.section, problem.key)) ||
          std::any_of(problem.based_on.begin(), problem.based_on.end(), is_reported)) {
        continue;
      }
      const Place at = place(problem.section, problem.key);
      problem.line = at.line;
      problem.column = at.column;
      to.push_back(std::move(problem));
    }
  }

  static void sort(std::vector<Problem>& problems) {
    std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
      return std::pair{a.line, a.column} < std::pair{b.line, b.column};
    });
  }

 private:
  // The presets depend on it, so it is looked at before everything else. A wrong one is reported later.
  battery::Chemistry chemistry() const {
    Config probe;
    if (const auto* node = table_["battery"]["chemistry"].node()) {
      (void)assign(*find_field("battery", "chemistry"), to_raw(*node), probe);
    }
    return probe.battery.chemistry;
  }

  // What the other keys are judged by. A wrong one is reported later, and the rest taken as for a
  // bms-gateway.
  Role role() const {
    Config probe;
    if (const auto* node = table_["role"].node()) {
      (void)assign(*find_field("", "role"), to_raw(*node), probe);
    }
    return probe.box.role;
  }

  void note_sections() {
    for (const auto& [key, node] : table_) {
      if (node.is_table()) {
        places_[std::string{key.str()}] = place_of(node.source());
      }
    }
  }

  void report(std::string_view section, std::string_view key, Place at, std::string what,
              std::string allowed) {
    reported_.insert(join(section, key));
    result_.errors.push_back({.section = std::string{section},
                              .key = std::string{key},
                              .what = std::move(what),
                              .allowed = std::move(allowed),
                              .line = at.line,
                              .column = at.column});
  }

  void read_table(std::string_view section, const toml::table& table) {
    for (const auto& [key, node] : table) {
      const bool is_top = section.empty();
      if (is_top && node.is_table() && find_section(key.str()) != nullptr) {
        continue;
      }
      const Field* field = find_field(section, key.str());
      if (field != nullptr) {
        read_field(*field, node);
      } else if (is_top && node.is_table()) {
        const auto close = nearest(key.str(), known_sections());
        report(key.str(), "", place_of(node.source()), "is not a section of this role",
               close ? fmt::format("did you mean [{}]?", *close)
                     : fmt::format("allowed: [{}]", fmt::join(known_sections(), "], [")));
      } else {
        report(section, key.str(), place_of(key.source()), "is not a key of this section",
               unknown_key_advice(section, key.str()));
      }
    }
  }

  // A section that boxes of this role do not have: it is reported as a whole.
  bool is_foreign(std::string_view section) const { return !has_role(find_section(section)->roles, role_); }

  void read_field(const Field& field, const toml::node& node) {
    const Place at = place_of(node.source());
    places_[full_key(field)] = at;
    if (!is_for(field, role_)) {
      if (!is_foreign(field.section)) {
        report(field.section, field.key, at, fmt::format("has no meaning for a {}", to_text(role_)),
               "leave it out");
      }
      return;
    }
    if (auto fault = assign(field, to_raw(node), config_)) {
      report(field.section, field.key, at, std::move(*fault), allowed_text(field));
    }
  }

  void find_missing() {
    for (const Field& field : fields()) {
      if (has_role(field.required_for, role_) && places_.count(full_key(field)) == 0) {
        report(field.section, field.key, place(std::string{field.section}, ""),
               "is missing and has no default", allowed_text(field));
      }
    }
  }

  const toml::table& table_;
  Role role_ = Role::kBmsGateway;
  Config config_;
  LoadResult result_;
  std::map<std::string, Place> places_;  // of values by full key, and of section headers by name
  std::set<std::string> reported_;
};

LoadResult failed(Problem problem) {
  LoadResult result;
  result.errors.push_back(std::move(problem));
  return result;
}

LoadResult load(std::string_view text, bool with_files) {
  auto toml = parse_toml(text);
  if (auto* fault = std::get_if<Problem>(&toml)) {
    return failed(std::move(*fault));
  }
  FileReader reader{std::get<toml::table>(toml)};
  LoadResult result = reader.read();
  if (with_files && result.config) {
    reader.adopt(check_files(*result.config).errors, result.errors);
    // With a place of their own, in another file.
    for (Problem& problem : load_bms_profile(*result.config)) {
      result.errors.push_back(std::move(problem));
    }
    FileReader::sort(result.errors);
    if (!result.errors.empty()) {
      result.config.reset();
    }
  }
  return result;
}

}  // namespace

LoadResult load_text(std::string_view toml) {
  return load(toml, false);
}

LoadResult load_file(const std::string& path) {
  auto content = read_toml_file(path);
  if (auto* fault = std::get_if<Problem>(&content)) {
    return failed(std::move(*fault));
  }
  return load(std::get<std::string>(content), true);
}

std::string to_text(const Problem& problem, std::string_view file) {
  const std::string key = join(problem.section, problem.key);
  return fmt::format("{}:{}:{}: {}{}{}; {}", problem.file.empty() ? file : problem.file, problem.line,
                     problem.column, key, key.empty() ? "" : ": ", problem.what, problem.allowed);
}

}  // namespace amphora::config
