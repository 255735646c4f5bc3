// SPDX-License-Identifier: Apache-2.0
#include "runtime/history/history.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace amphora::runtime {

namespace {

constexpr std::string_view kSeriesNames[kSeriesCount] = {
    "soc_percent", "power_w", "voltage_v", "current_a", "cell_min_mv", "cell_max_mv", "temperature_c"};
// Decimals that the source can tell apart; more would be noise in the answer.
constexpr int kSeriesDecimals[kSeriesCount] = {2, 0, 2, 2, 0, 0, 1};

void append_number(std::string& out, double value, int decimals) {
  char text[48];
  const auto [end, error] =
      std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals);
  if (error != std::errc{} || !std::isfinite(value)) {
    out += "null";
    return;
  }
  out.append(text, end);
}

void append_optional(std::string& out, const std::optional<double>& value, int decimals) {
  if (value) {
    append_number(out, *value, decimals);
  } else {
    out += "null";
  }
}

std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  const std::int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

void append_member(std::string& out, const char* name, const std::optional<double>& value, int decimals) {
  if (value) {
    out += ",\"";
    out += name;
    out += "\":";
    append_number(out, *value, decimals);
  }
}

}  // namespace

std::string_view to_text(Series series) {
  return kSeriesNames[static_cast<std::size_t>(series)];
}

std::optional<Series> series_from_text(std::string_view text) {
  for (std::size_t i = 0; i < kSeriesCount; ++i) {
    if (kSeriesNames[i] == text) {
      return static_cast<Series>(i);
    }
  }
  return std::nullopt;
}

void SampleBucket::add(const SeriesValues& values, std::int64_t weight) {
  count_ += weight;
  for (std::size_t i = 0; i < kSeriesCount; ++i) {
    if (!values[i]) {
      continue;
    }
    const bool is_first = weight_[i] == 0;
    weight_[i] += weight;
    switch (static_cast<Series>(i)) {
      case Series::kCellMinMv:
        sum_[i] = is_first ? *values[i] : std::min(sum_[i], *values[i]);
        break;
      case Series::kCellMaxMv:
        sum_[i] = is_first ? *values[i] : std::max(sum_[i], *values[i]);
        break;
      default:
        sum_[i] += *values[i] * static_cast<double>(weight);
        break;
    }
  }
}

SeriesValues SampleBucket::values() const {
  SeriesValues values;
  for (std::size_t i = 0; i < kSeriesCount; ++i) {
    if (weight_[i] == 0) {
      continue;
    }
    const auto series = static_cast<Series>(i);
    const bool is_extreme = series == Series::kCellMinMv || series == Series::kCellMaxMv;
    values[i] = is_extreme ? sum_[i] : sum_[i] / static_cast<double>(weight_[i]);
  }
  return values;
}

std::optional<HistoryRow> TierAccumulator::add(const HistorySample& sample) {
  const std::int64_t start = floor_to(sample.at.unix_ms, step_ms_);
  std::optional<HistoryRow> finished;
  if (!bucket_.is_empty() && start != start_ms_) {
    finished = finish();
  }
  start_ms_ = start;
  bucket_.add(sample.values);
  return finished;
}

std::optional<HistoryRow> TierAccumulator::finish() {
  if (bucket_.is_empty()) {
    return std::nullopt;
  }
  const HistoryRow row{start_ms_, bucket_.count(), bucket_.values()};
  bucket_ = {};
  return row;
}

HistoryPlan plan_history(const HistoryQuery& query, std::int64_t now_ms, int history_days) {
  const auto tiers = history_tiers(history_days);
  const std::int64_t span = std::max<std::int64_t>(query.to_ms - query.from_ms, 1);
  const std::int64_t points = std::clamp(query.points, 1, kHistoryPointsMax);
  const std::int64_t wanted = (span + points - 1) / points;
  HistoryPlan plan;
  for (std::size_t i = 0; i < kTierCount; ++i) {
    const bool is_fine_enough = tiers[i].step_ms <= std::max(wanted, tiers[0].step_ms);
    const bool finer_reaches_back = i > 0 && query.from_ms >= now_ms - tiers[plan.tier].keep_ms;
    if (i == 0 || is_fine_enough || !finer_reaches_back) {
      plan.tier = i;
    }
  }
  const std::int64_t step = tiers[plan.tier].step_ms;
  plan.step_ms = std::max(step, (wanted + step - 1) / step * step);
  return plan;
}

std::string local_date(std::int64_t unix_ms) {
  const std::time_t seconds = static_cast<std::time_t>(floor_to(unix_ms, 1000) / 1000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
  return text;
}

std::string utc_text(std::int64_t unix_ms) {
  const std::int64_t whole = floor_to(unix_ms, 1000);
  const std::time_t seconds = static_cast<std::time_t>(whole / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<int>(unix_ms - whole));
  return text;
}

std::string history_json(const HistoryResult& result) {
  // One entry per step from the first row to the last, so that gaps are seen.
  std::vector<const HistoryRow*> slots;
  std::string time;
  if (!result.rows.empty() && result.step_ms > 0) {
    std::size_t next = 0;
    for (std::int64_t at = result.rows.front().at_ms; at <= result.rows.back().at_ms; at += result.step_ms) {
      const bool is_known = next < result.rows.size() && result.rows[next].at_ms == at;
      slots.push_back(is_known ? &result.rows[next++] : nullptr);
      time += (time.empty() ? "" : ",") + std::to_string(at);
    }
  }
  std::string out =
      "{\"from\":" + std::to_string(result.from_ms) + ",\"to\":" + std::to_string(result.to_ms) +
      ",\"step_ms\":" + std::to_string(result.step_ms) + ",\"time\":[" + time + "],\"series\":{";
  for (std::size_t s = 0; s < result.series.size(); ++s) {
    const auto index = static_cast<std::size_t>(result.series[s]);
    out += s == 0 ? "\"" : ",\"";
    out += kSeriesNames[index];
    out += "\":[";
    for (std::size_t i = 0; i < slots.size(); ++i) {
      out += i == 0 ? "" : ",";
      append_optional(out, slots[i] == nullptr ? std::nullopt : slots[i]->values[index],
                      kSeriesDecimals[index]);
    }
    out += "]";
  }
  return out + "}}";
}

std::string history_days_json(const std::vector<HistoryDay>& days) {
  std::string out = "{\"days\":[";
  for (const HistoryDay& day : days) {
    out += out.back() == '[' ? "" : ",";
    out += "{\"date\":\"" + day.date + "\"";
    append_member(out, "energy_in_kwh", day.energy_in_kwh, 3);
    append_member(out, "energy_out_kwh", day.energy_out_kwh, 3);
    append_member(out, "soc_min_percent", day.soc_min_percent, 2);
    append_member(out, "soc_max_percent", day.soc_max_percent, 2);
    append_member(out, "cell_delta_max_mv", day.cell_delta_max_mv, 0);
    out += "}";
  }
  return out + "]}";
}

std::string history_csv(const HistoryResult& result) {
  std::string out = "time";
  for (const Series series : result.series) {
    out += ",";
    out += to_text(series);
  }
  out += "\r\n";
  for (const HistoryRow& row : result.rows) {
    out += utc_text(row.at_ms);
    for (const Series series : result.series) {
      const auto index = static_cast<std::size_t>(series);
      out += ",";
      if (row.values[index]) {
        append_number(out, *row.values[index], kSeriesDecimals[index]);
      }
    }
    out += "\r\n";
  }
  return out;
}

}  // namespace amphora::runtime
