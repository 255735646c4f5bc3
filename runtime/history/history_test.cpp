// SPDX-License-Identifier: Apache-2.0
#include "runtime/history/history.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace amphora::runtime {
namespace {

constexpr std::int64_t kNow = 1'763'683'200'000;  // 2025-11-21T00:00:00Z

HistorySample sample(std::int64_t at, double soc, double cell_min, double cell_max) {
  HistorySample s;
  s.at = WallTime{at};
  s.values[static_cast<std::size_t>(Series::kSocPercent)] = soc;
  s.values[static_cast<std::size_t>(Series::kCellMinMv)] = cell_min;
  s.values[static_cast<std::size_t>(Series::kCellMaxMv)] = cell_max;
  return s;
}

TEST(TierAccumulatorTest, means_and_extremes_of_a_span) {
  TierAccumulator minute{60'000};
  EXPECT_FALSE(minute.add(sample(kNow, 50, 3300, 3310)));
  EXPECT_FALSE(minute.add(sample(kNow + 10'000, 52, 3290, 3305)));
  const auto row = minute.add(sample(kNow + 60'000, 99, 1, 1));
  ASSERT_TRUE(row);
  EXPECT_EQ(row->at_ms, kNow);
  EXPECT_EQ(row->count, 2);
  EXPECT_EQ(row->values[static_cast<std::size_t>(Series::kSocPercent)], 51);
  EXPECT_EQ(row->values[static_cast<std::size_t>(Series::kCellMinMv)], 3290);
  EXPECT_EQ(row->values[static_cast<std::size_t>(Series::kCellMaxMv)], 3310);
  EXPECT_EQ(row->values[static_cast<std::size_t>(Series::kPowerW)], std::nullopt);
}

TEST(TierAccumulatorTest, a_clock_that_steps_back_ends_the_row) {
  TierAccumulator minute{60'000};
  EXPECT_FALSE(minute.add(sample(kNow, 50, 1, 1)));
  const auto row = minute.add(sample(kNow - 3'600'000, 60, 1, 1));
  ASSERT_TRUE(row);
  EXPECT_EQ(row->at_ms, kNow);
  EXPECT_EQ(minute.finish()->at_ms, kNow - 3'600'000);
  EXPECT_FALSE(minute.finish());
}

TEST(PlanHistory, picks_the_tier_by_step_and_by_age) {
  const auto plan = [](std::int64_t from, std::int64_t to, int points) {
    return plan_history({from, to, points, {Series::kPowerW}}, kNow, 730);
  };
  EXPECT_EQ(plan(kNow - 3'600'000, kNow, 600).tier, 0U);
  EXPECT_EQ(plan(kNow - 3'600'000, kNow, 600).step_ms, 10'000);
  EXPECT_EQ(plan(kNow - kDayMs, kNow, 600).tier, 1U);
  EXPECT_EQ(plan(kNow - kDayMs, kNow, 600).step_ms, 180'000);
  EXPECT_EQ(plan(kNow - 30 * kDayMs, kNow, 600).tier, 2U);
  EXPECT_EQ(plan(kNow - 10 * kDayMs, kNow - 10 * kDayMs + 3'600'000, 600).tier, 1U);
  EXPECT_EQ(plan(kNow - 300 * kDayMs, kNow - 300 * kDayMs + 3'600'000, 600).tier, 2U);
}

TEST(HistoryAnswers, gaps_are_null_and_numbers_are_rounded) {
  HistoryResult result{0, 40'000, 10'000, {Series::kSocPercent, Series::kPowerW}, {}};
  HistoryRow row{10'000, 1, {}};
  row.values[static_cast<std::size_t>(Series::kSocPercent)] = 50.126;
  result.rows.push_back(row);
  row.at_ms = 30'000;
  row.values[static_cast<std::size_t>(Series::kPowerW)] = -1500.4;
  result.rows.push_back(row);
  const auto json = nlohmann::json::parse(history_json(result));
  EXPECT_EQ(json["time"], nlohmann::json::array({10'000, 20'000, 30'000}));
  EXPECT_EQ(json["series"]["soc_percent"], nlohmann::json::array({50.13, nullptr, 50.13}));
  EXPECT_EQ(json["series"]["power_w"], nlohmann::json::array({nullptr, nullptr, -1500}));
  EXPECT_EQ(history_csv(result),
            "time,soc_percent,power_w\r\n1970-01-01T00:00:10.000Z,50.13,\r\n"
            "1970-01-01T00:00:30.000Z,50.13,-1500\r\n");
  EXPECT_EQ(nlohmann::json::parse(history_json({0, 1, 10'000, {Series::kPowerW}, {}}))["time"].size(), 0U);
}

TEST(HistoryAnswers, unknown_of_a_day_is_absent) {
  EXPECT_EQ(
      history_days_json({{"2026-11-20", 1.5, std::nullopt, 20, 90, std::nullopt}}),
      R"({"days":[{"date":"2026-11-20","energy_in_kwh":1.500,"soc_min_percent":20.00,"soc_max_percent":90.00}]})");
  EXPECT_EQ(history_days_json({}), R"({"days":[]})");
}

TEST(Times, text_of_moments) {
  EXPECT_EQ(utc_text(kNow + 7), "2025-11-21T00:00:00.007Z");
  EXPECT_EQ(series_from_text("power_w"), Series::kPowerW);
  EXPECT_EQ(series_from_text("power"), std::nullopt);
}

}  // namespace
}  // namespace amphora::runtime
