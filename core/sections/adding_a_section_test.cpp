// SPDX-License-Identifier: Apache-2.0
// Follows docs/ADDING_A_SECTION.md step by step with a section that does not exist, and runs it through
// codec, replica and exchange. Nothing of core/state is changed for it: that is what is tested.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "core/sections/field.hpp"
#include "core/sections/tables.hpp"
#include "core/state/state_test_support.hpp"

namespace amphora::sections {
namespace {

// Step 1: a free number.
constexpr state::SectionId kHeater = 14;

// Step 2: its fields.
constexpr std::array kHeaterModes{Choice{"off", 0, "Off"}, Choice{"surplus", 1, "With surplus power"}};
constexpr std::array kHeaterFields{
    FieldSpec{.name = "mode",
              .title = "Mode",
              .kind = FieldKind::kChoice,
              .choices = kHeaterModes,
              .help = "When the heater may run."},
    FieldSpec{.name = "power_max_kw",
              .title = "Power at most",
              .kind = FieldKind::kU16,
              .unit = "kW",
              .scale = 1000,
              .min = 0,
              .max = 9000,
              .default_number = 2000,
              .help = "Rated power of the heater."},
    FieldSpec{
        .name = "room", .title = "Room", .kind = FieldKind::kText, .max = 16, .help = "Where it stands."}};
namespace heater_field {
enum : std::size_t { kMode, kPowerMax, kRoom };
}

// Step 3: its row.
constexpr SectionTable kHeaterTable{kHeater,      true, "heater", "Heater", "A heater for surplus power.",
                                    kHeaterFields};
static_assert(is_valid(kHeaterTable));

TEST(AddingASection, NeedsNoChangeInTheEngine) {
  std::array<state::SectionSpec, 8> specs{};
  ASSERT_EQ(sections::specs().size() + 1, specs.size());
  std::ranges::copy(sections::specs(), specs.begin());
  specs.back() = kHeaterTable.spec();

  state::TestWorld world{{.loss_ppm = 200'000}, 1};
  world.boot({.is_owner = true, .wall_ms = 1'700'000'000'000, .specs = specs});
  world.boot({.is_owner = false, .specs = specs});
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{60},
                              [&world] { return world.peer->exchange.is_synchronised(); }));

  Values values = default_values(kHeaterTable);
  values.fields[heater_field::kMode] = *parse_value(kHeaterFields[heater_field::kMode], "surplus");
  values.fields[heater_field::kPowerMax] = *parse_value(kHeaterFields[heater_field::kPowerMax], "3.5");
  values.fields[heater_field::kRoom].text = {"Bad"};
  ASSERT_TRUE(world.peer->replica.change(world.now, kHeater, encode(kHeaterTable, values)->bytes()).ok());
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{60}, [&world] { return world.is_equal(); }));

  const auto at_owner = decode(kHeaterTable, world.owner->replica.current(kHeater).payload.bytes());
  ASSERT_TRUE(at_owner.ok());
  EXPECT_EQ(*at_owner, values);
  EXPECT_EQ(at_owner->fields[heater_field::kPowerMax].number, 3500);
  EXPECT_EQ(world.owner_store.records.at(kHeater).payload, *encode(kHeaterTable, values));
}

TEST(AddingASection, ABoxWithoutItLivesOn) {
  std::array<state::SectionSpec, 8> specs{};
  std::ranges::copy(sections::specs(), specs.begin());
  specs.back() = kHeaterTable.spec();
  state::TestWorld world{{}, 2};
  world.boot({.is_owner = true, .wall_ms = 1'700'000'000'000, .specs = specs});
  world.boot({.is_owner = false, .specs = sections::specs()});
  world.run(std::chrono::seconds{1});
  ASSERT_TRUE(world.owner->replica
                  .change(world.now, kHeater, encode(kHeaterTable, default_values(kHeaterTable))->bytes())
                  .ok());
  Values display = default_values(*find_table(kDisplay));
  display.fields[display_field::kFahrenheit].number = 1;
  ASSERT_TRUE(
      world.owner->replica.change(world.now, kDisplay, encode(*find_table(kDisplay), display)->bytes()).ok());
  world.run(std::chrono::seconds{5});
  EXPECT_EQ(world.peer->replica.current(kDisplay), world.owner->replica.current(kDisplay));
}

TEST(AddingASection, BadTablesDoNotCompile) {
  // What the static_assert of step 3 holds against a row.
  constexpr std::array kTwice{kHeaterFields[0], kHeaterFields[0]};
  static_assert(!is_valid(SectionTable{14, true, "x", "X", "", kTwice}));
  constexpr std::array kDefaultOutside{
      FieldSpec{.name = "a", .title = "A", .kind = FieldKind::kU8, .min = 1, .max = 9}};
  static_assert(!is_valid(SectionTable{14, true, "x", "X", "", kDefaultOutside}));
  constexpr FieldSpec kLong{.name = "a", .title = "A", .kind = FieldKind::kText, .max = 65};
  constexpr std::array kTooLong{kLong};
  static_assert(!is_valid(SectionTable{14, true, "x", "X", "", kTooLong}));
  static_assert(!is_valid(SectionTable{16, true, "x", "X", "", kHeaterFields}));
  static_assert(is_valid(SectionTable{15, true, "x", "X", "", kHeaterFields}));
  EXPECT_EQ(encoded_size_max(kHeaterTable), 1U + 2U + 17U);
}

}  // namespace
}  // namespace amphora::sections
