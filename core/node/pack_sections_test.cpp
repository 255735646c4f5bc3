// SPDX-License-Identifier: Apache-2.0
// The sections that packs share allow what the controller of modes allows, and begin with its defaults.
#include <gtest/gtest.h>

#include <string>

#include "core/energy/settings.hpp"
#include "core/sections/tables.hpp"

namespace amphora::sections {
namespace {

using energy::ModeSettings;
using energy::Relay;

std::int64_t usual(state::SectionId section, std::size_t field) {
  return find_table(section)->fields[field].default_number;
}

// Fits the controller exactly within its range: both ends are taken, and what lies beyond is not.
template <class Set>
void expect_range(std::size_t field, Set set) {
  const FieldSpec& spec = find_table(kModes)->fields[field];
  for (const std::int64_t value : {spec.min, spec.max}) {
    ModeSettings settings;
    set(settings, value);
    EXPECT_FALSE(energy::check_settings(settings)) << spec.name << " " << value;
  }
  for (const std::int64_t value : {spec.min - 1, spec.max + 1}) {
    ModeSettings settings;
    set(settings, value);
    EXPECT_TRUE(energy::check_settings(settings)) << spec.name << " " << value;
  }
}

template <class Quantity>
Quantity to(std::int64_t value) {
  return Quantity{static_cast<std::int32_t>(value)};
}

TEST(PackSections, BeginWithTheDefaultsOfTheController) {
  using namespace modes_field;
  const ModeSettings settings;
  EXPECT_EQ(settings.enabled.bits(), 0U);
  for (const std::size_t mode : {kSelfConsumption, kEco, kTimeOfUse, kBackup, kImportLimited}) {
    EXPECT_EQ(usual(kModes, mode), 0);
    EXPECT_EQ(find_table(kModes)->fields[mode].name, to_text(static_cast<energy::Mode>(mode)));
  }
  EXPECT_EQ(usual(kModes, kSocLow), settings.self_low.count());
  EXPECT_EQ(usual(kModes, kSocHigh), settings.self_high.count());
  EXPECT_EQ(usual(kModes, kEcoLimit), settings.eco_limit.count());
  EXPECT_EQ(usual(kModes, kEcoFallsBack) != 0, settings.eco_falls_back);
  EXPECT_EQ(usual(kModes, modes_field::kImportLimit), settings.import_limit.count());
  EXPECT_EQ(usual(kModes, kImportReset), settings.import_reset_minute);
  EXPECT_EQ(usual(kModes, kSocMinimum), settings.soc_minimum.count());
  EXPECT_EQ(usual(kModes, kSocMinimumRelease), settings.soc_minimum_release.count());
  EXPECT_EQ(schedule_field::kWindowCount, energy::kWindowCountMax);
  for (std::size_t i = 0; i < schedule_field::kWindowCount; ++i) {
    EXPECT_EQ(usual(kSchedule, i), 0);
  }
  // In the order of the relays, without the grid.
  ASSERT_EQ(std::size_t{loads_field::kCount} + 1, energy::kRelayCount);
  for (std::size_t i = 0; i < loads_field::kCount; ++i) {
    const Relay relay = energy::relay_at(i + 1);
    EXPECT_EQ(find_table(kLoads)->fields[i].name, "shed_" + std::string{to_text(relay)});
    std::int64_t place = 0;
    for (std::uint8_t k = 0; k < settings.eco_order.count; ++k) {
      place = settings.eco_order.relay[k] == relay ? k + 1 : place;
    }
    EXPECT_EQ(usual(kLoads, i), place) << to_text(relay);
  }
}

TEST(PackSections, AllowWhatTheControllerAllows) {
  using namespace modes_field;
  expect_range(kSocMinimum, [](ModeSettings& s, std::int64_t value) {
    s.soc_minimum = to<BasisPoints>(value);
    s.soc_minimum_release = BasisPoints{10'000};
  });
  expect_range(kEcoLimit, [](ModeSettings& s, std::int64_t value) { s.eco_limit = to<Watts>(value); });
  expect_range(modes_field::kImportLimit,
               [](ModeSettings& s, std::int64_t value) { s.import_limit = to<WattHours>(value); });
  for (const std::size_t percent : {kSocLow, kSocHigh, kSocMinimumRelease}) {
    EXPECT_EQ(find_table(kModes)->fields[percent].min, 0);
    EXPECT_EQ(find_table(kModes)->fields[percent].max, 10'000);
  }
  const FieldSpec& reset = find_table(kModes)->fields[kImportReset];
  EXPECT_EQ(reset.min, 0);
  EXPECT_EQ(reset.max, energy::kMinutesPerDay - 1);
}

TEST(PackSections, LowIsBelowHighAndMinimumBelowItsRelease) {
  using namespace modes_field;
  const SectionTable& modes = *find_table(kModes);
  Values values = default_values(modes);
  values.fields[kSocLow].number = 5000;
  auto error = validate(modes, values);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(describe(modes, *error).view(), "soc_high_percent: 50 % must be greater than soc_low_percent");
  values = default_values(modes);
  values.fields[kSocMinimum].number = 800;
  error = validate(modes, values);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(describe(modes, *error).view(),
            "soc_minimum_release_percent: 8 % must be greater than soc_minimum_percent");
}

}  // namespace
}  // namespace amphora::sections
