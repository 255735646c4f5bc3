// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/bms_profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "apps/amphora/config/suggest.hpp"
#include "apps/amphora/config/toml_text.hpp"
#include "core/bms/modbus/profiles.hpp"

namespace amphora::config {

namespace {

using modbus::Quantity;

struct QuantityRow {
  std::string_view name;
  Quantity quantity;
  std::int32_t unit;  // inner units in one of the file's
};
constexpr std::array kQuantities{QuantityRow{"voltage", Quantity::kVoltage, 1000},
                                 QuantityRow{"current", Quantity::kCurrent, 1000},
                                 QuantityRow{"soc", Quantity::kSoc, 100},
                                 QuantityRow{"soh", Quantity::kSoh, 100},
                                 QuantityRow{"cell", Quantity::kCell, 1000},
                                 QuantityRow{"temperature_min", Quantity::kTemperatureMin, 10},
                                 QuantityRow{"temperature_max", Quantity::kTemperatureMax, 10},
                                 QuantityRow{"temperature_internal", Quantity::kTemperatureInternal, 10},
                                 QuantityRow{"alarms", Quantity::kAlarms, 1}};

constexpr std::int32_t kFactorMax = 1'000'000;

// A decimal factor as a fraction of whole numbers: 0.1 of 1000 is 100/1. Nothing for zero and for what is
// finer or larger than such a fraction can say.
struct Fraction {
  std::int32_t multiplier = 1;
  std::int32_t divisor = 1;
};
std::optional<Fraction> to_fraction(double factor) {
  for (std::int32_t divisor = 1; divisor <= kFactorMax; divisor *= 10) {
    const double scaled = factor * divisor;
    const double rounded = std::round(scaled);
    if (std::fabs(rounded) > kFactorMax) {
      return std::nullopt;
    }
    if (rounded != 0 && std::fabs(scaled - rounded) <= 1e-9 * std::fabs(scaled)) {
      return Fraction{static_cast<std::int32_t>(rounded), divisor};
    }
  }
  return std::nullopt;
}

// A point with the register that the file gives it; `at` and block follow when all points are known.
struct ReadPoint {
  modbus::Point point;
  modbus::Function function = modbus::Function::kHoldingRegisters;
  std::uint16_t first = 0;
  Place place;

  unsigned words() const {
    return point.quantity == Quantity::kCell ? point.count : point.is_double ? 2U : 1U;
  }
  unsigned end() const { return first + words(); }
};

class ProfileReader {
 public:
  explicit ProfileReader(const toml::table& table) : table_{table} {}

  std::variant<modbus::Profile, std::vector<Problem>> read() {
    read_top();
    for (const Quantity needed : {Quantity::kVoltage, Quantity::kCurrent}) {
      if (problems_.empty() && !has(needed)) {
        report("point", {},
               fmt::format("no point has the quantity \"{}\"",
                           kQuantities[static_cast<std::size_t>(needed)].name),
               "needed are voltage and current");
      }
    }
    if (problems_.empty()) {
      join_blocks();
    }
    if (!problems_.empty()) {
      std::stable_sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
        return std::pair{a.line, a.column} < std::pair{b.line, b.column};
      });
      return std::move(problems_);
    }
    return profile_;
  }

 private:
  void report(std::string_view key, Place at, std::string what, std::string allowed) {
    problems_.push_back({.key = std::string{key},
                         .what = std::move(what),
                         .allowed = std::move(allowed),
                         .line = at.line,
                         .column = at.column});
  }

  bool has(Quantity quantity) const {
    return std::any_of(points_.begin(), points_.end(),
                       [quantity](const ReadPoint& point) { return point.point.quantity == quantity; });
  }

  std::optional<std::int64_t> whole(std::string_view key, const toml::node& node, std::int64_t min,
                                    std::int64_t max) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < min || *value > max) {
      report(key, place_of(node.source()),
             value ? fmt::format("{} is out of range", *value) : "is not a whole number",
             fmt::format("allowed: {} to {}", min, max));
      return std::nullopt;
    }
    return value;
  }

  std::optional<double> decimal(std::string_view key, const toml::node& node, double min, double max) {
    const auto value = node.value<double>();
    if (!node.is_number() || !value || !(*value >= min && *value <= max)) {
      report(key, place_of(node.source()), node.is_number() ? "is out of range" : "is not a number",
             fmt::format("allowed: {} to {}", min, max));
      return std::nullopt;
    }
    return value;
  }

  void unknown(std::string_view key, const toml::key& node, const std::vector<std::string_view>& known) {
    const auto close = nearest(node.str(), known);
    report(key, place_of(node.source()), "is not a key of a profile",
           close ? fmt::format("did you mean \"{}\"?", *close)
                 : fmt::format("allowed: {}", fmt::join(known, ", ")));
  }

  void read_top() {
    for (const auto& [key, node] : table_) {
      if (key == "words_max") {
        words_max_ = whole(key, node, 1, modbus::kWordsMax).value_or(words_max_);
      } else if (key == "gap_max") {
        gap_max_ = whole(key, node, 0, modbus::kWordsMax).value_or(gap_max_);
      } else if (key == "voltage_max_v") {
        const auto volts = decimal(key, node, 1, 1500);
        profile_.voltage_max = Millivolts{static_cast<std::int32_t>(std::lround(volts.value_or(1) * 1000))};
      } else if (key == "current_max_a") {
        const auto amps = decimal(key, node, 1, 2000);
        profile_.current_max = Milliamps{static_cast<std::int32_t>(std::lround(amps.value_or(1) * 1000))};
      } else if (key == "alarm_bits") {
        read_alarm_bits(node);
      } else if (key != "point") {
        unknown(key.str(), key,
                {"words_max", "gap_max", "voltage_max_v", "current_max_a", "alarm_bits", "point"});
      }
    }
    // What fits into a request is known by now, wherever it stands.
    if (const toml::node* const points = table_.get("point")) {
      read_points(*points);
    }
  }

  void read_alarm_bits(const toml::node& node) {
    const toml::array* const names = node.as_array();
    if (names == nullptr || names->size() > modbus::kAlarmBits) {
      report("alarm_bits", place_of(node.source()), "is not a list of at most 16 names",
             "one for each bit, from bit 0");
      return;
    }
    std::vector<std::string_view> known;
    for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
      known.push_back(to_text(static_cast<battery::Alarm>(i)));
    }
    for (std::size_t bit = 0; bit < names->size(); ++bit) {
      const auto name = (*names)[bit].value_exact<std::string>();
      const auto found = name ? std::find(known.begin(), known.end(), *name) : known.end();
      if (found != known.end()) {
        profile_.alarm_bits[bit] = static_cast<battery::Alarm>(found - known.begin());
      } else if (!name || !name->empty()) {
        report("alarm_bits", place_of((*names)[bit].source()), "has something that is no alarm",
               fmt::format("allowed: \"\" or {}", fmt::join(known, ", ")));
      }
    }
  }

  void read_points(const toml::node& node) {
    const toml::array* const list = node.as_array();
    if (list == nullptr || !list->is_array_of_tables()) {
      report("point", place_of(node.source()), "is not a list of tables",
             "write each point below a line [[point]]");
      return;
    }
    if (list->size() > modbus::kPointsMax) {
      report("point", place_of(node.source()), fmt::format("{} points are too many", list->size()),
             fmt::format("allowed: {}", modbus::kPointsMax));
      return;
    }
    for (const toml::node& one : *list) {
      read_point(*one.as_table());
    }
  }

  void read_point(const toml::table& table) {
    ReadPoint read;
    read.place = place_of(table.source());
    const QuantityRow* const row = read_quantity(table, read.place);
    double scale = 1;
    bool has_register = false;
    for (const auto& [key, node] : table) {
      const std::string name = fmt::format("point.{}", key.str());
      if (key == "scale") {
        scale = decimal(name, node, -kFactorMax, kFactorMax).value_or(scale);
      } else if (key == "register") {
        has_register = true;
        read.first = static_cast<std::uint16_t>(whole(name, node, 0, 65535).value_or(0));
      } else if (key != "quantity") {
        read_detail(key, name, node, read);
      }
    }
    if (row == nullptr) {
      return;
    }
    if (!has_register) {
      report("point.register", read.place, "is missing", "allowed: 0 to 65535");
    }
    read.point.quantity = row->quantity;
    const auto fraction = to_fraction(scale * row->unit);
    if (!fraction) {
      report("point.scale",
             place_of(table["scale"].node() != nullptr ? table["scale"].node()->source() : table.source()),
             "is zero, too large or too fine", "allowed: a decimal number such as 0.1");
      return;
    }
    read.point.multiplier = fraction->multiplier;
    read.point.divisor = fraction->divisor;
    if (has(row->quantity)) {
      report("point.quantity", read.place, fmt::format("\"{}\" is there twice", row->name), "each once");
    }
    if (row->quantity == Quantity::kCell && read.point.is_double) {
      report("point.words", read.place, "cells have one register each", "allowed: 1");
    }
    if (read.end() > 0x1'0000U || read.words() > static_cast<std::size_t>(words_max_)) {
      report("point", read.place, "does not fit into one request",
             fmt::format("allowed: {} registers, up to number 65535", words_max_));
    }
    points_.push_back(read);
  }

  const QuantityRow* read_quantity(const toml::table& table, Place at) {
    const toml::node* const node = table["quantity"].node();
    const auto name = node == nullptr ? std::nullopt : node->value_exact<std::string>();
    const auto found = std::find_if(kQuantities.begin(), kQuantities.end(),
                                    [&name](const QuantityRow& row) { return name && row.name == *name; });
    if (found != kQuantities.end()) {
      return &*found;
    }
    std::vector<std::string_view> known;
    for (const QuantityRow& row : kQuantities) {
      known.push_back(row.name);
    }
    report("point.quantity", node == nullptr ? at : place_of(node->source()),
           name ? fmt::format("\"{}\" is not known", *name) : std::string{"is missing or no text"},
           fmt::format("allowed: {}", fmt::join(known, ", ")));
    return nullptr;
  }

  void read_detail(const toml::key& key, std::string_view name, const toml::node& node, ReadPoint& read) {
    modbus::Point& point = read.point;
    if (key == "function") {
      read.function = static_cast<modbus::Function>(whole(name, node, 3, 4).value_or(3));
    } else if (key == "offset") {
      point.offset = static_cast<std::int32_t>(whole(name, node, -kFactorMax, kFactorMax).value_or(0));
    } else if (key == "words") {
      point.is_double = whole(name, node, 1, 2) == 2;
    } else if (key == "count") {
      point.count = static_cast<std::uint16_t>(whole(name, node, 1, modbus::kWordsMax).value_or(1));
    } else if (key == "signed") {
      const auto flag = node.value_exact<bool>();
      if (!flag) {
        report(name, place_of(node.source()), "is not true or false", "allowed: true or false");
      }
      point.is_signed = flag.value_or(false);
    } else if (key == "order") {
      const auto text = node.value_exact<std::string>();
      if (text != "high_first" && text != "low_first") {
        report(name, place_of(node.source()), "is not known", "allowed: \"high_first\", \"low_first\"");
      }
      point.is_low_word_first = text == "low_first";
    } else {
      unknown(name, key,
              {"quantity", "function", "register", "scale", "offset", "signed", "words", "order", "count"});
    }
  }

  // Neighbours share a request.
  void join_blocks() {
    std::stable_sort(points_.begin(), points_.end(), [](const ReadPoint& a, const ReadPoint& b) {
      return std::pair{a.function, a.first} < std::pair{b.function, b.first};
    });
    std::vector<modbus::Block> blocks;
    std::vector<modbus::ProfilePoint> placed;
    for (ReadPoint& read : points_) {
      if (blocks.empty() || !joins(blocks.back(), read)) {
        blocks.push_back({read.function, read.first, 0});
      }
      modbus::Block& block = blocks.back();
      block.count = static_cast<std::uint16_t>(std::max<unsigned>(block.count, read.end() - block.first));
      read.point.at = static_cast<std::uint16_t>(read.first - block.first);
      placed.push_back({static_cast<std::uint8_t>(blocks.size() - 1), read.point});
    }
    if (blocks.size() > modbus::kBlocksMax) {
      report("point", points_.back().place, fmt::format("the registers need {} requests", blocks.size()),
             fmt::format("allowed: {}; a larger gap_max joins what lies apart", modbus::kBlocksMax));
      return;
    }
    std::copy(blocks.begin(), blocks.end(), profile_.blocks.begin());
    profile_.block_count = blocks.size();
    std::copy(placed.begin(), placed.end(), profile_.points.begin());
    profile_.point_count = placed.size();
  }

  bool joins(const modbus::Block& block, const ReadPoint& read) const {
    const unsigned end = block.first + unsigned{block.count};
    return block.function == read.function && read.first <= end + static_cast<unsigned>(gap_max_) &&
           std::max(end, read.end()) - block.first <= static_cast<unsigned>(words_max_);
  }

  const toml::table& table_;
  modbus::Profile profile_;
  std::vector<ReadPoint> points_;
  std::int64_t words_max_ = modbus::kWordsMax;
  std::int64_t gap_max_ = 8;
  std::vector<Problem> problems_;
};

}  // namespace

std::variant<modbus::Profile, std::vector<Problem>> parse_bms_profile(std::string_view text) {
  auto toml = parse_toml(text);
  if (auto* fault = std::get_if<Problem>(&toml)) {
    return std::vector{std::move(*fault)};
  }
  return ProfileReader{std::get<toml::table>(toml)}.read();
}

std::vector<Problem> load_bms_profile(Config& config) {
  if (config.bms.driver != BmsDriver::kModbus) {
    return {};
  }
  std::vector<Problem> problems;
  if (const auto named = modbus::profile_named(config.bms.profile, config.battery.series_cells)) {
    config.bms.registers = *named;
  } else {
    auto content = read_toml_file(config.bms.profile);
    if (auto* fault = std::get_if<Problem>(&content)) {
      problems.push_back(std::move(*fault));
    } else {
      auto parsed = parse_bms_profile(std::get<std::string>(content));
      if (auto* faults = std::get_if<std::vector<Problem>>(&parsed)) {
        problems = std::move(*faults);
      } else {
        config.bms.registers = std::get<modbus::Profile>(parsed);
      }
    }
    for (Problem& problem : problems) {
      problem.file = config.bms.profile;
    }
  }
  config.bms.registers.address = config.bms.address;
  return problems;
}

}  // namespace amphora::config
