// SPDX-License-Identifier: Apache-2.0
// The control of one energy pack: measurements and settings in, relay commands out.
//
// Inputs:
//   handle_inputs    everything measured, whenever something changed; at least every few seconds
//   handle_time      wall time with UTC offset; until the first valid one, modes that need the clock hold
//                    their fail-safe position
//   set_settings     what the owner set; refused as a whole if one field is not allowed
//   order, release   a person's wish for one relay, with an end; reset_import_energy
// Outputs:
//   poll_transmit    commands: each fitted relay and the request to the inverter, in every cycle of 2 s
//                    and at once when one changes. Commands are positions, not changes: giving one again is
//                    harmless, which is what heals a device that restarted.
//   poll_event       switches with holder and reason, safety entered and left, warnings
//   poll_store       the facts that must outlive a restart: import limit exhausted, eco fallen back, orders.
//                    One write is under way at a time; after its answer (handle_stored, handle_store_failed)
//                    the next may come. Apart from an exhausted import limit, which is stored at once, writes
//                    are at least kStoreInterval apart. The commands do not wait for the store.
//   relay, balance, … queries for pages and telemetry, as of the last evaluation
//
// Nothing is commanded before the first inputs, or 10 s without any, or with an import limit that was stored
// as exhausted: a restart must not work the relays on values that nobody has read yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/enum_set.hpp"
#include "core/base/result.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/energy/arbiter.hpp"
#include "core/energy/balance.hpp"
#include "core/energy/local_time.hpp"
#include "core/energy/modes.hpp"
#include "core/energy/safety.hpp"
#include "core/energy/settings.hpp"

namespace amphora::energy {

struct ControllerConfig {
  BalanceConfig balance;
  Protection protection;
  PerRelay<RelayConfig> relays = default_relays();
};
std::optional<SettingsError> check_config(const ControllerConfig& config);

// A person's order that outlives a restart.
struct StoredOrder {
  Position position = Position::kOpen;
  std::int64_t end_unix_s = 0;
  friend constexpr bool operator==(const StoredOrder&, const StoredOrder&) = default;
};

struct Facts {
  std::optional<ImportExhausted> import_exhausted;
  bool has_eco_fallen_back = false;
  PerRelay<std::optional<StoredOrder>> orders{};
  friend constexpr bool operator==(const Facts&, const Facts&) = default;
};

struct StoreRequest {
  std::uint32_t ticket = 0;
  Facts facts;
};

struct RelayCommand {
  Relay relay = Relay::kGrid;
  Position position = Position::kClosed;
  friend constexpr bool operator==(const RelayCommand&, const RelayCommand&) = default;
};
struct InverterRequest {
  bool may_charge = true;
  bool may_discharge = true;
  friend constexpr bool operator==(const InverterRequest&, const InverterRequest&) = default;
};
using Command = std::variant<RelayCommand, InverterRequest>;

enum class Warning : std::uint8_t {
  kOverEcoLimit,      // for two minutes
  kLoadsLimit,        // all that eco may open is open, and it is still too much
  kEcoFellBack,       // eco gave up; self-consumption runs instead
  kImportUnmeasured,  // import limit on, power from the grid unknown
  kTimeUnknown,       // a mode that is on needs the clock
  kSocUnknown,        // a mode that is on needs it
  kRelayMismatch,     // a contact does not do what it is told
  kRelayWear,         // the wear limit keeps a relay from its position
  kCount
};
std::string_view to_text(Warning warning);

struct Event {
  enum class Kind : std::uint8_t {
    kSwitched,       // relay, position, holder, reason
    kSafetyEntered,  // cause
    kSafetyLeft,     // cause
    kMinimumSocReached,
    kMinimumSocLeft,
    kImportExhausted,
    kImportReleased,
    kWarningRaised,   // warning
    kWarningCleared,  // warning
    kOrderEnded,      // relay
    kMismatch,        // relay, position as commanded
    kMatch,           // relay
    kSettingsChanged,
    kTimeRefused,  // a time that cannot be right
    kCount
  };
  Kind kind = Kind::kSwitched;
  TimePoint at{};
  Relay relay = Relay::kGrid;
  Position position = Position::kOpen;
  Holder holder = Holder::kDefault;
  Reason reason = Reason::kNothingAsked;
  SafetyCause cause = SafetyCause::kOverVoltage;
  Warning warning = Warning::kOverEcoLimit;
};
std::string_view to_text(Event::Kind kind);

enum class OrderError : std::uint8_t {
  kNotFitted,
  kBadDuration,  // outside kOrderMin … kOrderMax
  kHeldByMode,   // a mode holds the relay; switch the mode off instead
};
std::string_view to_text(OrderError error);

class Controller {
 public:
  static constexpr Duration kCycle = std::chrono::seconds{2};
  static constexpr std::size_t kEventCapacity = 64;
  static constexpr Duration kStoreInterval = std::chrono::minutes{1};
  static constexpr Duration kStoreRetry = std::chrono::seconds{10};
  static constexpr Duration kOrderMin = std::chrono::seconds{1};
  static constexpr Duration kOrderMax = std::chrono::hours{24 * 7};

  // Needs !check_config(config) and !check_settings(settings). `stored`: what the store held at boot.
  Controller(const ControllerConfig& config, const ModeSettings& settings, const Facts& stored = {});

  void handle_timeout(TimePoint now);
  void handle_inputs(TimePoint now, const Inputs& inputs);
  void handle_time(TimePoint now, const TimeReading& reading);
  // The error and nothing changed, or empty.
  std::optional<SettingsError> set_settings(TimePoint now, const ModeSettings& settings);
  // Empty when the order is taken. Orders come last in precedence: a mode that starts later holds the relay.
  std::optional<OrderError> order(TimePoint now, Relay relay, Position position, Duration lasts);
  void release(TimePoint now, Relay relay);
  void reset_import_energy(TimePoint now);

  std::optional<Command> poll_transmit(TimePoint now);
  std::optional<Event> poll_event() { return events_.pop(); }
  std::optional<StoreRequest> poll_store(TimePoint now);
  void handle_stored(TimePoint now, std::uint32_t ticket);
  void handle_store_failed(TimePoint now, std::uint32_t ticket);
  TimePoint poll_timeout() const { return next_cycle_; }

  const ModeSettings& settings() const { return settings_; }
  const Balance& balance() const { return balance_; }
  const RelayState& relay(Relay relay) const { return arbiter_.relay(relay); }
  // What everybody asked in the last evaluation.
  const Asks& asks() const { return asks_; }
  EnumSet<SafetyCause> safety_causes() const { return safety_.causes(); }
  bool is_minimum_soc_reached() const { return minimum_soc_.is_reached(); }
  EnumSet<Warning> warnings() const { return warnings_; }
  InverterRequest inverter_request() const { return inverter_request_; }
  WattHours import_counted() const { return import_limit_.counted(); }
  bool is_import_exhausted() const { return import_limit_.exhausted().has_value(); }
  // When an exhausted limit ends. Empty while it is not exhausted or the time is unknown.
  std::optional<std::int64_t> import_exhausted_until_unix_s(TimePoint now) const;
  // What is left of a person's order. Empty without one, or when its end cannot be told yet.
  std::optional<Duration> order_left(TimePoint now, Relay relay) const;
  const Clock& clock() const { return clock_; }
  // Modes that run: enabled, or self-consumption in place of eco.
  EnumSet<Mode> running() const;
  Facts facts() const;
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }
  std::uint64_t store_count() const { return store_count_; }
  std::uint64_t refused_time_count() const { return refused_time_count_; }

 private:
  struct Order {
    Position position = Position::kOpen;
    std::optional<std::int64_t> end_unix_s;  // empty while the time was unknown
    std::optional<TimePoint> ends_at;        // empty: restored, and the time is not known yet
  };

  void start(TimePoint now);
  void evaluate(TimePoint now);
  void update_orders(TimePoint now);
  void update_eco(TimePoint now);
  void ask_safety();
  void ask_modes(TimePoint now);
  void update_warnings();
  void decide(TimePoint now, bool is_cycle);
  struct Shown {
    EnumSet<SafetyCause> causes;
    bool is_minimum_soc = false;
    bool is_exhausted = false;
    EnumSet<Warning> warnings;
  };
  Shown shown() const;
  void report_changes(TimePoint now, const Shown& before);
  void emit(Event event) { (void)events_.push_overwrite(event); }
  bool is_running(Mode mode) const { return running().has(mode); }

  ControllerConfig config_;
  ModeSettings settings_;
  Inputs inputs_;
  bool has_inputs_ = false;
  bool has_decided_ = false;
  std::optional<TimePoint> started_at_;
  TimePoint next_cycle_{};  // the first is due at once

  Clock clock_;
  Safety safety_;
  MinimumSoc minimum_soc_;
  SelfConsumption self_consumption_;
  Eco eco_;
  bool has_eco_fallen_back_ = false;
  ImportLimit import_limit_;
  PerRelay<std::optional<Order>> orders_{};
  Arbiter arbiter_;

  Balance balance_;
  Asks asks_{};
  EnumSet<Warning> warnings_;
  InverterRequest inverter_request_;

  std::uint32_t relays_to_command_ = 0;  // bit for each relay
  bool is_inverter_to_ask_ = true;       // with the first decision
  Ring<Event, kEventCapacity> events_;

  Facts stored_;                         // as the store has it
  std::optional<StoreRequest> storing_;  // under way
  TimePoint store_from_{};               // not earlier, unless it is urgent
  TimePoint retry_from_{};               // not earlier at all
  std::uint32_t next_ticket_ = 1;
  std::uint64_t store_count_ = 0;
  std::uint64_t refused_time_count_ = 0;
};

}  // namespace amphora::energy
