// SPDX-License-Identifier: Apache-2.0
// Invariant 5, first half: no relay breaks its minimum times, its wear limit or its precedence, and an
// exhausted import limit never lets the grid close; and invariant 8 for what the controller stores.
//
// It judges what contacts really do, against what was true in the house: voltages and silence of the BMS as
// the model made them, energy that really came through the grid, the date as it really was. It shares no code
// with the arbiter: the precedence is written down here a second time, as what each relay must be, may be, or
// must not be. Where a mode has freedom (eco sheds when it likes, self-consumption holds between its
// thresholds) the expectation is "either", and eco gets rules of its own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/ring.hpp"
#include "core/energy/controller.hpp"
#include "sim/checkers/violation.hpp"

namespace amphora::sim {

// What is true in one step, as the world knows it.
struct RelayTruth {
  energy::PerRelay<energy::Position> contact{};
  bool is_running = true;                     // the controller has power
  bool is_unsafe = false;                     // something that safety must answer
  bool is_nearly_unsafe = false;              // inside a hysteresis, or silent for less than the bound
  std::optional<BasisPoints> soc;             // as the BMS tells it; empty while nobody was told for too long
  std::optional<std::int32_t> minute_of_day;  // local; empty while the controller cannot know
  std::int64_t local_s = 0;                   // the date as the controller was told it; else the true one
  EnumSet<energy::Mode> running;
  std::int64_t home_w = 0;                                    // as a meter tells it
  bool is_metered = true;                                     // the controller hears the grid's meter
  std::int64_t import_uj = 0;                                 // in this step, through the grid contact
  energy::PerRelay<std::optional<energy::Position>> order{};  // taken and not ended
  energy::PerRelay<bool> is_stuck{};                          // the contact does not follow its coil
  bool is_date_doubtful = false;                              // the controller had a wrong one lately
};

class RelayChecker {
 public:
  RelayChecker(const energy::PerRelay<energy::RelayConfig>& relays, ViolationLog& log)
      : relays_{relays}, log_{log} {}

  // `settings`: in force in this step.
  void handle_step(TimePoint now, const RelayTruth& truth, const energy::ModeSettings& settings);
  // The controller lost its power or its settings: what it counted today is no longer all.
  void handle_count_lost() { is_count_whole_ = false; }
  // It lost its power: expectations start anew.
  void handle_boot(TimePoint now);
  // "Exhausted" became durable while the date was known.
  void handle_exhausted(std::int64_t local_s, const energy::ModeSettings& settings);
  // The same, with the accounting day as the store has it; also as a boot finds it there.
  void handle_exhausted_day(std::int64_t day) { exhausted_day_ = day; }
  // The controller is told the date. A limit exhausted in a day that is more than a day away, because the
  // date was wrong, belongs to today.
  void handle_date(std::int64_t local_s, const energy::ModeSettings& settings);

  std::uint64_t switch_count(energy::Relay relay) const { return switch_counts_[energy::index_of(relay)]; }

 private:
  enum class Expected : std::uint8_t { kEither, kOpen, kClosed };
  struct Context {
    const RelayTruth& truth;
    const energy::ModeSettings& settings;
    bool is_exhausted = false;
    bool is_maybe_exhausted = false;
  };

  Expected expected_grid(const Context& context) const;
  Expected expected_output(const Context& context, energy::Relay relay, bool with_eco) const;
  void check_switch(TimePoint now, const Context& context, std::size_t index);
  void check_expected(TimePoint now, const Context& context, std::size_t index);
  // Its contact does not do, or did not do until just now, what it is told.
  bool is_excused(TimePoint now, std::size_t index) const;
  void check_import(TimePoint now, const Context& context);
  void check_eco(TimePoint now, const Context& context);

  energy::PerRelay<energy::RelayConfig> relays_;
  ViolationLog& log_;
  bool has_contacts_ = false;
  energy::PerRelay<energy::Position> contact_{};
  energy::PerRelay<std::optional<TimePoint>> switched_at_{};
  energy::PerRelay<Ring<TimePoint, 64>> switches_{};
  energy::PerRelay<std::uint64_t> switch_counts_{};
  energy::PerRelay<Expected> expected_{};
  energy::PerRelay<TimePoint> expected_since_{};
  energy::PerRelay<std::optional<TimePoint>> stuck_at_{};  // last seen
  std::optional<TimePoint> unsafe_at_;                     // last seen
  std::optional<TimePoint> over_limit_at_;                 // last seen
  std::optional<TimePoint> over_limit_since_;
  std::optional<TimePoint> dark_since_;  // the inverter output is open for eco alone
  std::optional<std::int64_t> exhausted_day_;
  std::int64_t today_ = 0;
  std::int64_t imported_uj_ = 0;  // today
  bool is_count_whole_ = false;
};

// What a small controller's flash bears, and what that leaves for facts in a year.
struct StateWear {
  static constexpr std::uint64_t kEraseEndurance = 100'000;  // of a sector of NOR flash
  static constexpr std::uint64_t kSectorBytes = 4'096;
  // Facts with eight orders, sequence number and checksum, with room to spare.
  static constexpr std::uint64_t kRecordBytes = 128;
  static constexpr std::uint64_t kLifeYears = 20;
  // As if each write erased a sector, and always the same: the worst store there is.
  static constexpr std::uint64_t kWritesPerYear = kEraseEndurance / kLifeYears;
  // Writes that a log in two sectors bears, which erases one when the other is full.
  static constexpr std::uint64_t kLogWrites = 2 * kEraseEndurance * (kSectorBytes / kRecordBytes);
};

// Invariant 8 for the facts of an energy controller: each write has something to say, and writes stay under
// the budget.
class FactsChecker {
 public:
  static constexpr std::uint64_t kWritesPerYear = StateWear::kWritesPerYear;
  static constexpr std::uint64_t kBurst = 20;

  explicit FactsChecker(ViolationLog& log) : log_{log} {}
  void handle_write(TimePoint now, const energy::Facts& durable, const energy::Facts& written);
  std::uint64_t write_count() const { return write_count_; }

 private:
  ViolationLog& log_;
  std::uint64_t write_count_ = 0;
};

}  // namespace amphora::sim
