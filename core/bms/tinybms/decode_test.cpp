// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/decode.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace amphora::tinybms {
namespace {

using battery::Activity;
using battery::Snapshot;

constexpr TimePoint kAt{std::chrono::seconds{5}};

// Registers of a real 14-cell NMC pack, read by a public MODBUS sketch in 2020.
LiveWords real_words() {
  LiveWords words{};
  constexpr std::uint16_t kCells[] = {39800, 39810, 39820, 39830, 39830, 39840, 39890,
                                      39900, 39830, 39830, 39830, 39840, 39880, 39880};
  for (std::size_t i = 0; i < std::size(kCells); ++i) {
    words[i + 2] = kCells[i];
  }
  words[32] = 0x93CD;
  words[33] = 0x00FE;
  words[34] = 0x7904;
  words[35] = 0x027D;
  words[36] = 0x1EB8;
  words[37] = 0x425F;
  words[40] = 3980;
  words[41] = 3990;
  words[42] = 0x8000;
  words[43] = 0x8000;
  words[46] = 0xF208;
  words[47] = 0x04FA;
  words[48] = 97;
  words[50] = 0x97;
  words[53] = 14;
  return words;
}

TEST(TinyBmsDecode, ARealPack) {
  Snapshot snapshot;
  EXPECT_EQ(decode_live(real_words(), kAt, {}, std::nullopt, snapshot), 0U);
  ASSERT_TRUE(snapshot.cells.has_value());
  EXPECT_EQ(snapshot.cells->at, kAt);
  EXPECT_EQ(snapshot.cells->value.count, 14);
  EXPECT_EQ(snapshot.cells->value.voltage[0], Millivolts{3980});
  EXPECT_EQ(snapshot.cells->value.voltage[7], Millivolts{3990});
  EXPECT_EQ(snapshot.cells->value.voltage[13], Millivolts{3988});
  EXPECT_EQ(known(snapshot.cell_min), Millivolts{3980});
  EXPECT_EQ(known(snapshot.cell_max), Millivolts{3990});
  EXPECT_EQ(known(snapshot.voltage), Millivolts{55780});
  EXPECT_EQ(known(snapshot.current), Milliamps{0});
  EXPECT_EQ(known(snapshot.soc), BasisPoints{8355});
  EXPECT_EQ(known(snapshot.soh), std::nullopt) << "firmware without SOH reads 0";
  EXPECT_EQ(known(snapshot.temperature_internal), Decicelsius{97});
  ASSERT_TRUE(snapshot.temperature_external.has_value());
  EXPECT_EQ(snapshot.temperature_external->value, battery::ExternalTemperatures{});
  EXPECT_EQ(known(snapshot.temperature_min), Decicelsius{97});
  EXPECT_EQ(known(snapshot.temperature_max), Decicelsius{97});
  EXPECT_EQ(known(snapshot.activity), Activity::kIdle);
  EXPECT_EQ(known(snapshot.lifetime_s), 16683981U);
  EXPECT_FALSE(snapshot.limits.has_value()) << "TinyBMS publishes no limits";
}

TEST(TinyBmsDecode, ImplausibleValuesAreUnknownAndCounted) {
  Snapshot snapshot;
  EXPECT_EQ(decode_live(real_words(), kAt, {}, std::nullopt, snapshot), 0U);
  LiveWords words = real_words();
  words[37] = 0x7FC0;  // not a number
  words[39] = 0xFF80;  // minus infinity
  words[47] = 0x7FFF;  // far above 100 %
  words[48] = 0x7000;  // 2867 °C
  words[50] = 0x98;    // no such status
  words[40] = 60000;   // 60 V in one cell
  words[45] = 60000;   // 120 %
  EXPECT_EQ(decode_live(words, kAt, {}, std::nullopt, snapshot), 7U);
  EXPECT_FALSE(snapshot.voltage.has_value());
  EXPECT_FALSE(snapshot.current.has_value());
  EXPECT_FALSE(snapshot.soc.has_value());
  EXPECT_FALSE(snapshot.soh.has_value());
  EXPECT_FALSE(snapshot.temperature_internal.has_value());
  EXPECT_FALSE(snapshot.activity.has_value());
  EXPECT_FALSE(snapshot.cell_min.has_value());
  EXPECT_TRUE(snapshot.cells.has_value()) << "the rest stays";
}

TEST(TinyBmsDecode, CellsAreFoundAtEitherEnd) {
  LiveWords words{};
  for (std::size_t i = 0; i < 4; ++i) {
    words[i] = static_cast<std::uint16_t>(33000 + 10 * i);
  }
  words[53] = 4;
  words[52] = 0b0101;
  Snapshot snapshot;
  (void)decode_live(words, kAt, {}, std::nullopt, snapshot);
  ASSERT_TRUE(snapshot.cells.has_value());
  EXPECT_EQ(snapshot.cells->value.voltage[3], Millivolts{3303});
  EXPECT_EQ(snapshot.balancing->value.cells, 0b0101U);

  const std::span<const std::uint16_t, 16> slots{words.data(), 16};
  EXPECT_EQ(first_cell_slot(slots, 4, CellLayout::kDetect), 0U);
  EXPECT_EQ(first_cell_slot(slots, 4, CellLayout::kLast), 12U);
  EXPECT_EQ(first_cell_slot(slots, 0, CellLayout::kDetect), std::nullopt);
  EXPECT_EQ(first_cell_slot(slots, 17, CellLayout::kDetect), std::nullopt);
  words[9] = 33000;  // cells at neither end
  words[8] = 33000;
  EXPECT_EQ(first_cell_slot(slots, 2, CellLayout::kDetect), std::nullopt);
  words[53] = 2;
  EXPECT_GE(decode_live(words, kAt, {}, std::nullopt, snapshot), 1U);
  EXPECT_FALSE(snapshot.cells.has_value());
}

TEST(TinyBmsDecode, BalancingCanFollowTheCells) {
  LiveWords words = real_words();
  words[52] = 0b100;
  Snapshot snapshot;
  (void)decode_live(words, kAt, {CellLayout::kDetect, BalancingOrder::kSameAsCells}, std::nullopt, snapshot);
  EXPECT_EQ(snapshot.balancing->value.cells, 1U);
}

TEST(TinyBmsDecode, TheConfiguredCellCountStandsIn) {
  LiveWords words = real_words();
  words[53] = 0;
  Snapshot snapshot;
  EXPECT_EQ(decode_live(words, kAt, {}, std::nullopt, snapshot), 1U);
  EXPECT_FALSE(snapshot.cells.has_value());
  EXPECT_EQ(decode_live(words, kAt, {}, std::uint16_t{14}, snapshot), 1U);
  ASSERT_TRUE(snapshot.cells.has_value());
  EXPECT_EQ(snapshot.cells->value.count, 14);
}

TEST(TinyBmsDecode, ExternalSensorsAreTheCells) {
  LiveWords words = real_words();
  words[42] = static_cast<std::uint16_t>(-55);
  words[43] = 212;
  words[45] = 49550;
  Snapshot snapshot;
  EXPECT_EQ(decode_live(words, kAt, {}, std::nullopt, snapshot), 0U);
  EXPECT_EQ(snapshot.temperature_external->value.sensor[0], Decicelsius{-55});
  EXPECT_EQ(known(snapshot.temperature_min), Decicelsius{-55});
  EXPECT_EQ(known(snapshot.temperature_max), Decicelsius{212});
  EXPECT_EQ(known(snapshot.soh), BasisPoints{9910});
}

TEST(TinyBmsDecode, IdentityIsBinaryAsHexadecimal) {
  const VersionWords words{0x0102, 0x0301, 0x00F2, 0x0418, 0x0041, 0x4D50, 0x484F, 0x5241, 0, 1};
  Snapshot snapshot;
  decode_version(words, snapshot);
  EXPECT_EQ(snapshot.identity.firmware.view(), "1.242");
  EXPECT_EQ(snapshot.identity.hardware.view(), "2.1");
  EXPECT_EQ(snapshot.identity.serial.view(), "00414d50484f524100000001");
}

TEST(TinyBmsDecode, EveryStatus) {
  for (const Activity activity : {Activity::kIdle, Activity::kCharging, Activity::kFullyCharged,
                                  Activity::kDischarging, Activity::kRegeneration, Activity::kFault}) {
    EXPECT_EQ(activity_of(static_cast<std::uint16_t>(status_of(activity))), activity);
  }
  EXPECT_EQ(activity_of(0), std::nullopt);
}

TEST(TinyBmsDecode, FloatBits) {
  EXPECT_EQ(milli_from_float(0x425F1EB8), 55780);
  EXPECT_EQ(milli_from_float(std::bit_cast<std::uint32_t>(-3.03F)), -3030);
  EXPECT_EQ(milli_from_float(0), 0);
  EXPECT_EQ(milli_from_float(0x80000000), 0);
  EXPECT_EQ(milli_from_float(1), 0);
  EXPECT_EQ(milli_from_float(std::bit_cast<std::uint32_t>(std::numeric_limits<float>::infinity())),
            std::nullopt);
  EXPECT_EQ(milli_from_float(std::bit_cast<std::uint32_t>(std::numeric_limits<float>::quiet_NaN())),
            std::nullopt);
  EXPECT_EQ(milli_from_float(std::bit_cast<std::uint32_t>(std::numeric_limits<float>::max())), std::nullopt);
  EXPECT_EQ(float_from_milli(55780), 0x425F1EB8U);
  EXPECT_EQ(float_from_milli(0), 0U);
}

RC_GTEST_PROP(TinyBmsDecode, FloatsAgreeWithTheProcessor, ()) {
  const auto milli = *rc::gen::inRange<std::int64_t>(-2'000'000'000, 2'000'000'000);
  const std::uint32_t bits = float_from_milli(milli);
  // Double has room for both roundings, so this is the correctly rounded float.
  RC_ASSERT(bits == std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<double>(milli) / 1000.0)));
  const double exact = static_cast<double>(std::bit_cast<float>(bits)) * 1000.0;
  RC_ASSERT(milli_from_float(bits) == static_cast<std::int64_t>(std::llround(exact)));
}

RC_GTEST_PROP(TinyBmsDecode, AnyBitsAreConvertedOrRefused, (std::uint32_t bits)) {
  const auto milli = milli_from_float(bits);
  const float value = std::bit_cast<float>(bits);
  if (!std::isfinite(value) || std::fabs(value) >= 0x1p44F) {
    RC_ASSERT(!milli.has_value());
  } else {
    RC_ASSERT(milli.has_value());
    RC_ASSERT(*milli == static_cast<std::int64_t>(std::llround(static_cast<double>(value) * 1000.0)));
  }
}

RC_GTEST_PROP(TinyBmsDecode, AnyWordsAreDecoded, ()) {
  LiveWords words{};
  for (std::uint16_t& word : words) {
    word = *rc::gen::arbitrary<std::uint16_t>();
  }
  Snapshot snapshot;
  (void)decode_live(words, kAt, {}, std::nullopt, snapshot);
  if (snapshot.voltage) {
    RC_ASSERT(snapshot.voltage->value >= Millivolts{0} && snapshot.voltage->value <= Millivolts{100'000});
  }
  if (snapshot.soc) {
    RC_ASSERT(snapshot.soc->value >= BasisPoints{0} && snapshot.soc->value <= BasisPoints{10'000});
  }
  RC_ASSERT(!snapshot.cells || (snapshot.cells->value.count >= 1 && snapshot.cells->value.count <= 16));
}

}  // namespace
}  // namespace amphora::tinybms
