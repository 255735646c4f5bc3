// SPDX-License-Identifier: Apache-2.0
// The modes: small machines that ask for positions. None of them switches anything; the arbiter does.
//
// Each gets the time and what it needs, and answers with an Ask: open, close, stay as you are, or nothing.
// The rules are in the mode table of settings.hpp and, for owners, in docs/MODES.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/energy/local_time.hpp"
#include "core/energy/precedence.hpp"
#include "core/energy/relay.hpp"
#include "core/energy/settings.hpp"

namespace amphora::energy {

struct Ask {
  enum class Kind : std::uint8_t { kNone, kOpen, kClose, kHold };
  Kind kind = Kind::kNone;
  Reason reason = Reason::kNothingAsked;
  friend constexpr bool operator==(const Ask&, const Ask&) = default;
};
constexpr Ask ask_for(Position position, Reason reason) {
  return {position == Position::kClosed ? Ask::Kind::kClose : Ask::Kind::kOpen, reason};
}

// asks[holder][relay]
using Asks = std::array<PerRelay<Ask>, kHolderCount>;

class SelfConsumption {
 public:
  Ask update(std::optional<BasisPoints> soc, const ModeSettings& settings);
  void stop() { last_.reset(); }

 private:
  std::optional<Position> last_;
};

// Closed inside the windows, open outside, closed while the time is unknown.
Ask time_of_use(std::optional<LocalTime> now, const ModeSettings& settings);

// What eco sees of the house.
struct EcoView {
  std::optional<Watts> home;
  PerRelay<std::optional<Watts>> power{};  // of what each relay switches
  PerRelay<std::optional<Position>> position{};
  PerRelay<Watts> rated{};
  PerRelay<bool> is_fitted{};
};

class Eco {
 public:
  // Time for an opened load to show in the measured power before the next one is opened.
  static constexpr Duration kSettle = std::chrono::seconds{5};
  // A relay that does not follow for this long (minimum times, wear limit) no longer keeps the next one
  // waiting.
  static constexpr Duration kPatience = std::chrono::seconds{90};
  // Within the limit for this long, and this long after the last change, before a load is restored.
  static constexpr Duration kRestoreAfter = std::chrono::seconds{30};
  // What a load took is remembered for so long. A load that alone would not fit under the limit with what it
  // took then is tried again: otherwise a house whose inverter output was opened at 5.1 kW under a limit of
  // 5 kW would stay dark for good, and everything that was opened before it with it.
  static constexpr Duration kRetryAfter = std::chrono::minutes{30};
  static constexpr std::int32_t kMarginPercent = 5;
  static constexpr Duration kWarnAfter = std::chrono::seconds{120};
  static constexpr Duration kFallBackAfter = std::chrono::seconds{600};

  void update(TimePoint now, const EcoView& view, const ModeSettings& settings);
  // Forgets everything: switched off, or fallen back.
  void stop();

  bool is_shed(Relay relay) const;
  std::size_t shed_count() const { return shed_count_; }
  // Everything that may be opened is open, and it is still too much.
  bool is_loads_limit() const { return is_loads_limit_; }
  // Over the limit for kWarnAfter.
  bool is_over_for_long() const { return is_over_for_long_; }
  // Over the limit for kFallBackAfter.
  bool gives_up() const { return gives_up_; }

 private:
  struct Shed {
    Relay relay = Relay::kGrid;
    Watts power;  // when it was opened
    TimePoint at{};
  };
  bool has_settled(TimePoint now, const EcoView& view) const;
  std::optional<Relay> next_to_shed(const EcoView& view, const ModeSettings& settings) const;
  void handle_over(TimePoint now, const EcoView& view, const ModeSettings& settings);
  void handle_within(TimePoint now, const EcoView& view, const ModeSettings& settings);
  bool awaits_restored(TimePoint now, const EcoView& view);

  PerRelay<Shed> shed_{};
  std::size_t shed_count_ = 0;
  std::optional<Relay> restored_;  // asked to close again, not seen closed yet
  std::optional<TimePoint> changed_at_;
  std::optional<TimePoint> over_since_;
  std::optional<TimePoint> within_since_;
  bool is_loads_limit_ = false;
  bool is_over_for_long_ = false;
  bool gives_up_ = false;
};

// What must outlive a restart of the import limit: that it was exhausted, and in which accounting day.
//
// An accounting day runs from reset time to reset time by the clock on the wall and is named by a number:
// (local seconds - reset) / 86,400. "Exhausted until 05:00" is then "exhausted in day D", over as soon as the
// wall shows a day after D, which needs no arithmetic with hours and is right on days with 23 and 25 of them.
struct ImportExhausted {
  std::optional<std::int32_t> day;  // empty: the time was unknown and still is
  friend constexpr bool operator==(const ImportExhausted&, const ImportExhausted&) = default;
};

// Counts energy from the grid. The count is in memory only: it starts at zero after a restart. The fact that
// it was used up is durable, so that a restart does not open the tap again.
class ImportLimit {
 public:
  // Samples further apart than this have an unknown stretch between them, which counts nothing and is warned
  // of by whoever sees that the power is unknown.
  static constexpr Duration kGapMax = std::chrono::seconds{10};
  // Without a clock a day is this long.
  static constexpr Duration kDayWithoutClock = std::chrono::hours{24};

  ImportLimit() = default;
  explicit ImportLimit(const std::optional<ImportExhausted>& stored) : exhausted_{stored} {}

  void update(TimePoint now, std::optional<Watts> grid, std::optional<LocalTime> local,
              const ModeSettings& settings);
  // Zero again. An exhausted limit stays exhausted: that ends at the reset time or with the mode.
  void reset_counter() { counted_uj_ = 0; }

  WattHours counted() const;
  const std::optional<ImportExhausted>& exhausted() const { return exhausted_; }

 private:
  void count(TimePoint now, std::optional<Watts> grid);
  void start_day(TimePoint now);

  std::optional<ImportExhausted> exhausted_;
  std::int64_t counted_uj_ = 0;
  std::optional<TimePoint> sample_at_;
  std::int64_t sample_w_ = 0;
  std::optional<std::int32_t> day_;
  std::optional<TimePoint> day_began_;  // on the monotonic clock
};

}  // namespace amphora::energy
