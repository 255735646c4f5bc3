// SPDX-License-Identifier: Apache-2.0
// From register blocks to the battery snapshot.
//
// Integers only: the two floats of the block (pack voltage, pack current) are converted from their bits. A
// value that cannot be (not a number, outside of the register table's plausible range, an undefined status)
// is counted and becomes unknown; it is never guessed and the old value is not kept. A value that the BMS
// does not have (no sensor, SOH on old firmware) becomes unknown without being counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/battery/snapshot.hpp"
#include "core/bms/tinybms/registers.hpp"

namespace amphora::tinybms {

// The bits of an IEEE 754 binary32 number as thousandths, rounded half away from zero. Empty for NaN,
// infinity and magnitudes of 2^43 and above.
std::optional<std::int64_t> milli_from_float(std::uint32_t bits);
// The bits of the float nearest to value / 1000. |value| below 2^40.
std::uint32_t float_from_milli(std::int64_t value);

enum class OnlineStatus : std::uint8_t {
  kCharging = 0x91,
  kFullyCharged = 0x92,
  kDischarging = 0x93,
  kRegeneration = 0x96,
  kIdle = 0x97,
  kFault = 0x9B,
};
std::optional<battery::Activity> activity_of(std::uint16_t status);
OnlineStatus status_of(battery::Activity activity);

inline constexpr std::size_t kCellSlotCount = 16;

// Where the cells of a pack with fewer than 16 lie in registers 0 to 15. A real 14S device has its two zeros
// in registers 0 and 1 (kLast); kDetect looks for the zeros itself.
enum class CellLayout : std::uint8_t { kDetect, kFirst, kLast };
// Which bit of registers 51 and 52 is the first cell: bit 0, as documented, or the bit of its register. Not
// verified on hardware with fewer than 16 cells.
enum class BalancingOrder : std::uint8_t { kBitZero, kSameAsCells };

struct DecodeOptions {
  CellLayout cell_layout = CellLayout::kDetect;
  BalancingOrder balancing_order = BalancingOrder::kBitZero;
};

// The first register with a cell, for `cell_count` (1..16) cells. Empty if the layout cannot be told: zeros
// at neither end.
std::optional<std::size_t> first_cell_slot(std::span<const std::uint16_t, kCellSlotCount> slots,
                                           std::size_t cell_count, CellLayout layout);

using LiveWords = std::array<std::uint16_t, kLiveBlock.count>;
using StatisticsWords = std::array<std::uint16_t, kStatisticsBlock.count>;
using VersionWords = std::array<std::uint16_t, kVersionBlock.count>;

// Each fills its fields of `snapshot` with the moment `at` and returns how many values were implausible.
// `series_cells` (register 307, if known) stands in where register 53 is not 1..16. Alarms are not touched:
// they need the event list.
std::uint32_t decode_live(const LiveWords& words, TimePoint at, const DecodeOptions& options,
                          std::optional<std::uint16_t> series_cells, battery::Snapshot& snapshot);
std::uint32_t decode_statistics(const StatisticsWords& words, TimePoint at, battery::Snapshot& snapshot);
// Manufacturer, model, serial number (96 binary bits as hexadecimal), firmware "public.internal", hardware
// "version.changes".
void decode_version(const VersionWords& words, battery::Snapshot& snapshot);

// The value of register `number` from the block that begins at `first`; empty if the table or block has no
// such register, for its sentinel, or for an implausible float.
std::optional<RawValue> value_in_block(std::span<const std::uint16_t> words, std::uint16_t first,
                                       std::uint16_t number);

// 0x1B: internal, external 1, external 2; empty elements: not connected. False if the payload is not 6 bytes.
struct Temperatures {
  std::optional<Decicelsius> internal;
  std::array<std::optional<Decicelsius>, 2> external{};
};
std::optional<Temperatures> decode_temperatures(std::span<const std::uint8_t> payload);

}  // namespace amphora::tinybms
