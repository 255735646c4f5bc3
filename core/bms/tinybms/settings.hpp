// SPDX-License-Identifier: Apache-2.0
// The settings of a TinyBMS (registers 300 to 343): their image, the checks before a write, and the order of
// writes.
//
// Some settings bound each other: 316 + 10 mV <= 301, 301 + 10 mV <= 300, 300 + 10 mV <= 315, and 317 < 305
// where 305 exists (it reads 0 on old firmware). The set that results from a write must keep this, and so
// must every state on the way there, because the BMS checks each write by itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/result.hpp"
#include "core/base/sampled.hpp"
#include "core/base/text.hpp"
#include "core/bms/tinybms/registers.hpp"

namespace amphora::tinybms {

// What the BMS said its settings are, word by word.
class SettingsImage {
 public:
  void store(TimePoint at, std::span<const std::uint16_t, kSettingsBlock.count> words);
  // No longer known what the BMS holds there (a write whose outcome is not known).
  void forget(const Register& entry);
  void forget_all();

  // Empty outside of 300..343 and where not known.
  Reading<std::uint16_t> word(std::uint16_t number) const;
  // In the register's type; also empty for reserved registers. The sentinel is returned as it is.
  Reading<RawValue> value(std::uint16_t number) const;
  // Every register has been read and none forgotten since.
  bool is_complete() const;

 private:
  std::array<Reading<std::uint16_t>, kSettingsBlock.count> words_{};
};

// A value for the register that begins at `number`, in its raw unit and with its sign (-40 for -40 °C).
struct RegisterWrite {
  std::uint16_t number = 0;
  RawValue value = 0;
  friend constexpr bool operator==(const RegisterWrite&, const RegisterWrite&) = default;
};

// More in one write are refused.
inline constexpr std::size_t kWriteCountMax = 44;

enum class WriteRefusalReason : std::uint8_t {
  kNothingToWrite,
  kTooMany,
  kUnknownRegister,
  kReadOnly,
  kOutOfRange,
  kDuplicate,        // the same register twice
  kConstraint,       // the resulting set breaks the rule with `other_number`
  kBusy,             // another write or command is under way
  kNotConnected,     // the BMS does not answer
  kSettingsNotRead,  // constraints cannot be judged yet
};
std::string_view to_text(WriteRefusalReason reason);

// Why a write was refused as a whole; nothing has been changed.
struct WriteRefusal {
  WriteRefusalReason reason = WriteRefusalReason::kBusy;
  std::uint16_t number = 0;  // 0 where no register is to blame
  RawValue value = 0;
  RawValue min = 0;  // kOutOfRange: the register's range; kConstraint: what the other register allows
  RawValue max = 0;
  std::uint16_t other_number = 0;  // kConstraint
};
// "register 315 over_voltage_cutoff: 4600 is out of range; allowed 1200 to 4500 mV": for people.
using RefusalText = FixedText<160>;
RefusalText describe(const WriteRefusal& refusal);

// Register, range and duplicates, and the constraints on the resulting set. Empty: may be written.
std::optional<WriteRefusal> check_writes(const SettingsImage& settings,
                                         std::span<const RegisterWrite> writes);

// Puts `writes` into an order in which every intermediate state keeps the constraints, if the BMS's present
// state does; such an order exists for every checked set. Where the present state breaks them already, the
// order heals what it can first.
void order_writes(const SettingsImage& settings, std::span<RegisterWrite> writes);

// Whether the set keeps all constraints; for tests and for the device's side. Unknown values break none.
bool is_consistent(const SettingsImage& settings);

// Whether `found` is what a write of `asked` leaves: equal, or the sentinel of the registers that the BMS
// takes over at once (323, 328).
bool is_written(const Register& entry, RawValue asked, RawValue found);

}  // namespace amphora::tinybms
