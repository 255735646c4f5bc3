// SPDX-License-Identifier: Apache-2.0
// From request text to typed requests: every body and every query of the API is checked here and nowhere
// else.
//
// JSON is limited in size (64 KiB), depth (8) and number of values (4096); unknown members, wrong types,
// missing and doubled members are refused with the path of the field ("changes[0].value"). Nothing is
// guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/history/history.hpp"
#include "runtime/http/message.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::runtime::http {

inline constexpr std::size_t kBodySizeMax = 64 * 1024;
inline constexpr std::size_t kJsonDepthMax = 8;
inline constexpr std::size_t kJsonValuesMax = 4096;

// What the error answers carry.
struct Problem {
  int status = 400;
  std::string code;     // "out_of_range"
  std::string message;  // for a person: what, where, what is allowed
  std::string field;    // path of the field, or the query parameter; may be empty
  std::optional<int> register_number;
  std::optional<double> value;
  std::optional<double> min;
  std::optional<double> max;
};
Response problem_response(const Problem& problem);

template <class T>
using Parsed = std::variant<T, Problem>;

struct RegisterChange {
  int register_number = 0;
  double value = 0;
};
struct BmsSettingsChange {
  std::vector<RegisterChange> changes;  // 1…64, no register twice
};
enum class BmsCommand : std::uint8_t { kClearEvents, kClearStatistics, kReset };
std::string_view to_text(BmsCommand command);

using SettingValue = std::variant<bool, double, std::string>;
struct SettingChange {
  std::string field;
  SettingValue value;
};
struct BoxSettingsChange {
  std::string section;
  std::vector<SettingChange> values;  // 1…64, no field twice
};
struct SectionChange {
  std::string scope;  // "own", or the address of a node
  BoxSettingsChange change;
};
struct PairingRequest {
  enum class Action : std::uint8_t { kShowCode, kEnterCode, kCancel, kForget };
  Action action = Action::kShowCode;
  std::string code;  // kEnterCode: six digits
  std::string node;  // kForget: the address of the paired node
};
std::string_view to_text(PairingRequest::Action action);
// What people order at a pack.
struct RelayRequest {
  enum class Order : std::uint8_t { kOpen, kClosed, kAuto };
  std::string relay;  // as in the state's group modes
  Order order = Order::kAuto;
  int minutes = 0;  // 1…10080; kAuto has none
};
struct GridEnergyReset {};
struct IdentifyRequest {
  int seconds = 10;  // 1…300
};
using PackRequest = std::variant<RelayRequest, GridEnergyReset, IdentifyRequest>;
// "Relay pool_pump: closed for 30 min."
std::string describe(const PackRequest& request);
// Paths of older boxes; where they pointed is answered from memory, without secrets.
enum class OldPath : std::uint8_t {
  kReceiverInfo,
  kTransmitterInfo,
  kMqttConfig,
  kNetworkConfig,
  kTransmitterStatus
};
struct Credentials {
  std::string user;      // 1…32 of letters, digits, '_', '-', '.'
  std::string password;  // 1…256 bytes
};
struct DaysQuery {
  int days = 31;  // 1…3660
};

inline constexpr std::size_t kNewPasswordSizeMin = 8;

Parsed<BmsSettingsChange> parse_bms_settings_change(std::string_view body);
Parsed<BmsCommand> parse_bms_command(std::string_view body);
Parsed<BoxSettingsChange> parse_box_settings_change(std::string_view body);
Parsed<SectionChange> parse_section_change(std::string_view body);
Parsed<PairingRequest> parse_pairing_request(std::string_view body);
Parsed<PackRequest> parse_relay_request(std::string_view body);
Parsed<PackRequest> parse_grid_energy_reset(std::string_view body);
Parsed<PackRequest> parse_identify_request(std::string_view body);
Parsed<Credentials> parse_credentials(std::string_view body);
// The same, with the rules for a new password.
Parsed<Credentials> parse_new_credentials(std::string_view body);
Parsed<EventQuery> parse_event_query(const Request& request);
// `now`: the default range is the last 24 hours.
Parsed<HistoryQuery> parse_history_query(const Request& request, std::int64_t now_ms);
Parsed<DaysQuery> parse_days_query(const Request& request);

}  // namespace amphora::runtime::http
