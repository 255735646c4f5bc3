// SPDX-License-Identifier: Apache-2.0
// The battery's past: samples, their thinning into tiers, and the answers to questions about a range.
//
// Samples come every 10 s. Three tiers are kept: 10 s for two days, 1 min for 60 days, 15 min for as long as
// configured, and one row per calendar day of the box's time zone. A coarser row is the mean of what it
// covers, except the lowest cell (minimum) and the highest cell (maximum). Pure: the SQL is in
// runtime/store_sqlite.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"

namespace amphora::runtime {

enum class Series : std::uint8_t {
  kSocPercent,
  kPowerW,
  kVoltageV,
  kCurrentA,
  kCellMinMv,
  kCellMaxMv,
  kTemperatureC,
  kCount
};
inline constexpr std::size_t kSeriesCount = static_cast<std::size_t>(Series::kCount);

// "soc_percent", "power_w", "voltage_v", "current_a", "cell_min_mv", "cell_max_mv", "temperature_c".
std::string_view to_text(Series series);
std::optional<Series> series_from_text(std::string_view text);

using SeriesValues = std::array<std::optional<double>, kSeriesCount>;

struct HistorySample {
  WallTime at;
  SeriesValues values{};
  // Counters of the battery's whole life, as published elsewhere; only their growth is used, for the day
  // rows.
  std::optional<double> energy_in_kwh;
  std::optional<double> energy_out_kwh;
};

struct HistoryTier {
  std::int64_t step_ms;
  std::int64_t keep_ms;
};
inline constexpr std::int64_t kDayMs = 86'400'000;
inline constexpr std::size_t kTierCount = 3;
constexpr std::array<HistoryTier, kTierCount> history_tiers(int history_days) {
  return {{{10'000, 2 * kDayMs}, {60'000, 60 * kDayMs}, {900'000, history_days * kDayMs}}};
}

// What one row or one bucket of an answer is made of.
class SampleBucket {
 public:
  // `weight`: samples that `values` already stand for.
  void add(const SeriesValues& values, std::int64_t weight = 1);
  bool is_empty() const { return count_ == 0; }
  std::int64_t count() const { return count_; }
  SeriesValues values() const;

 private:
  std::array<double, kSeriesCount> sum_{};
  std::array<std::int64_t, kSeriesCount> weight_{};
  std::int64_t count_ = 0;
};

struct HistoryRow {
  std::int64_t at_ms = 0;  // start of the row's span
  std::int64_t count = 0;
  SeriesValues values{};
};

// Turns samples into finished rows of one tier. A clock that steps back ends the row as well.
class TierAccumulator {
 public:
  explicit TierAccumulator(std::int64_t step_ms) : step_ms_{step_ms} {}
  // The row that this sample finished, if any.
  std::optional<HistoryRow> add(const HistorySample& sample);
  std::optional<HistoryRow> finish();

 private:
  std::int64_t step_ms_;
  std::int64_t start_ms_ = 0;
  SampleBucket bucket_;
};

inline constexpr int kHistoryPointsMax = 2000;

struct HistoryQuery {
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;      // excluded
  int points = 600;            // at most; 1…kHistoryPointsMax
  std::vector<Series> series;  // at least one
};

struct HistoryResult {
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
  std::int64_t step_ms = 0;
  std::vector<Series> series;
  std::vector<HistoryRow> rows;  // those with data, oldest first, at_ms a multiple of step_ms
};

// Step of the answer (a multiple of the tier's) and the tier to read for it: the coarsest that is fine
// enough, coarser still where the finer one no longer reaches back to `from`.
struct HistoryPlan {
  std::size_t tier = 0;
  std::int64_t step_ms = 0;
};
HistoryPlan plan_history(const HistoryQuery& query, std::int64_t now_ms, int history_days);

struct HistoryDay {
  std::string date;  // "2026-11-20"
  std::optional<double> energy_in_kwh;
  std::optional<double> energy_out_kwh;
  std::optional<double> soc_min_percent;
  std::optional<double> soc_max_percent;
  std::optional<double> cell_delta_max_mv;
};

// The calendar day of the process's time zone.
std::string local_date(std::int64_t unix_ms);
// "2026-11-21T00:30:00.000Z"
std::string utc_text(std::int64_t unix_ms);

// The answers of the API. Rows without data appear as null, so that a gap in the data is a gap in the
// drawing.
std::string history_json(const HistoryResult& result);
std::string history_days_json(const std::vector<HistoryDay>& days);
// Header line, then one line per row with data: time (UTC), then the series; unknown is empty.
std::string history_csv(const HistoryResult& result);

}  // namespace amphora::runtime
