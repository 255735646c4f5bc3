// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/requests.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace amphora::runtime::http {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kChangesMax = 64;
constexpr int kRegisterMax = 65535;
constexpr std::size_t kTextSizeMax = 1024;
constexpr std::int64_t kUnixMsMax = 253'402'300'799'999;  // the last moment of the year 9999

Problem bad(std::string code, std::string message, std::string field = {}, int status = 400) {
  Problem problem;
  problem.status = status;
  problem.code = std::move(code);
  problem.message = std::move(message);
  problem.field = std::move(field);
  return problem;
}

// Watches depth and number of values while the text is read, so that a deep or huge document is never built,
// and notices members that are given twice.
class Limits {
 public:
  bool operator()(int depth, Json::parse_event_t event, Json& value) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start) {
      keys_.emplace_back();
    } else if (event == Event::object_end) {
      keys_.pop_back();
    } else if (event == Event::key && !keys_.empty() &&
               !keys_.back().insert(value.get<std::string>()).second && doubled_.empty()) {
      doubled_ = value.get<std::string>();
    }
    if (static_cast<std::size_t>(depth) > kJsonDepthMax || ++count_ > kJsonValuesMax) {
      is_too_much_ = true;
    }
    return !is_too_much_;
  }
  bool is_too_much() const { return is_too_much_; }
  const std::string& doubled() const { return doubled_; }

 private:
  std::size_t count_ = 0;
  bool is_too_much_ = false;
  std::string doubled_;
  std::vector<std::set<std::string>> keys_;
};

Parsed<Json> parse_object(std::string_view body) {
  if (body.size() > kBodySizeMax) {
    return bad("too_large", "The body is larger than 64 KiB.", {}, 413);
  }
  // The depth is checked before parsing: the library's parser needs stack or heap for each level.
  std::size_t depth = 0;
  bool is_in_text = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (is_in_text) {
      i += c == '\\' ? 1U : 0U;
      is_in_text = c != '"';
    } else if (c == '"') {
      is_in_text = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kJsonDepthMax) {
        return bad("too_deep", "The JSON document is nested too deeply; 8 levels are allowed.");
      }
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  Limits limits;
  Json json = Json::parse(
      body,
      [&limits](int level, Json::parse_event_t event, Json& value) { return limits(level, event, value); },
      false);
  if (limits.is_too_much()) {
    return bad("too_large", "The JSON document has too many values.");
  }
  if (json.is_discarded()) {
    return bad("bad_json", "The body is not valid JSON.");
  }
  if (!limits.doubled().empty()) {
    return bad("doubled_field", "The field is given twice.", limits.doubled());
  }
  if (!json.is_object()) {
    return bad("bad_json", "The body must be a JSON object.");
  }
  return json;
}

// Only these members, all of them.
std::optional<Problem> check_members(const Json& object, std::initializer_list<const char*> names,
                                     const std::string& prefix = {}) {
  for (const char* name : names) {
    if (!object.contains(name)) {
      return bad("missing_field", "The field is missing.", prefix + name);
    }
  }
  for (const auto& [name, value] : object.items()) {
    if (std::none_of(names.begin(), names.end(), [&key = name](const char* known) { return key == known; })) {
      return bad("unknown_field", "There is no such field.", prefix + name);
    }
  }
  return std::nullopt;
}

bool is_name(std::string_view text, std::size_t size_max, std::string_view also) {
  return !text.empty() && text.size() <= size_max && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           also.find(c) != std::string_view::npos;
  });
}

Parsed<RegisterChange> parse_change(const Json& item, const std::string& field) {
  if (!item.is_object()) {
    return bad("wrong_type", "An object with register and value is needed.", field);
  }
  if (auto problem = check_members(item, {"register", "value"}, field + ".")) {
    return *problem;
  }
  const Json& number = item["register"];
  if (!number.is_number_integer() || number.get<double>() < 0 || number.get<double>() > kRegisterMax) {
    return bad("wrong_type", "The register must be a whole number from 0 to 65535.", field + ".register");
  }
  const Json& value = item["value"];
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    return bad("wrong_type", "The value must be a number.", field + ".value");
  }
  return RegisterChange{number.get<int>(), value.get<double>()};
}

Parsed<SettingValue> parse_value(const Json& value, const std::string& field) {
  if (value.is_boolean()) {
    return SettingValue{value.get<bool>()};
  }
  if (value.is_number() && std::isfinite(value.get<double>())) {
    return SettingValue{value.get<double>()};
  }
  if (value.is_string() && value.get_ref<const std::string&>().size() <= kTextSizeMax) {
    return SettingValue{value.get<std::string>()};
  }
  return bad("wrong_type", "The value must be a number, a text of at most 1024 bytes, true or false.", field);
}

Parsed<std::int64_t> parse_number(const Request& request, std::string_view name, std::int64_t otherwise,
                                  std::int64_t min, std::int64_t max) {
  const auto text = request.parameter(name);
  if (!text) {
    return otherwise;
  }
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || stop != text->data() + text->size()) {
    return bad("wrong_type", "A whole number is needed.", std::string{name});
  }
  if (value < min || value > max) {
    Problem problem = bad(
        "out_of_range", "The number must be from " + std::to_string(min) + " to " + std::to_string(max) + ".",
        std::string{name});
    problem.value = static_cast<double>(value);
    problem.min = static_cast<double>(min);
    problem.max = static_cast<double>(max);
    return problem;
  }
  return value;
}

std::optional<Problem> check_parameters(const Request& request,
                                        std::initializer_list<std::string_view> names) {
  std::set<std::string_view> seen;
  for (const auto& [name, value] : request.query) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return bad("unknown_field", "There is no such parameter.", name);
    }
    if (!seen.insert(name).second) {
      return bad("doubled_field", "The parameter is given twice.", name);
    }
  }
  return std::nullopt;
}

Parsed<std::vector<Series>> parse_series(const Request& request) {
  std::vector<Series> list;
  std::string_view rest = request.parameter("series").value_or("");
  if (rest.empty()) {
    for (std::size_t i = 0; i < kSeriesCount; ++i) {
      list.push_back(static_cast<Series>(i));
    }
    return list;
  }
  while (true) {
    const std::size_t comma = rest.find(',');
    const auto series = series_from_text(rest.substr(0, comma));
    if (!series || std::find(list.begin(), list.end(), *series) != list.end()) {
      return bad("unknown_series",
                 "Allowed, each once: soc_percent, power_w, voltage_v, current_a, cell_min_mv, cell_max_mv, "
                 "temperature_c.",
                 "series");
    }
    list.push_back(*series);
    if (comma == std::string_view::npos) {
      return list;
    }
    rest = rest.substr(comma + 1);
  }
}

// The members "section" and "values".
Parsed<BoxSettingsChange> take_change(const Json& json) {
  const Json& section = json["section"];
  if (!section.is_string() || !is_name(section.get_ref<const std::string&>(), 32, "_")) {
    return bad("wrong_type", "The name of a section is needed, for example \"battery\".", "section");
  }
  const Json& values = json["values"];
  if (!values.is_object() || values.empty() || values.size() > kChangesMax) {
    return bad("wrong_type", "An object with 1 to 64 fields is needed.", "values");
  }
  BoxSettingsChange change{section.get<std::string>(), {}};
  for (const auto& [name, value] : values.items()) {
    const std::string field = "values." + name;
    if (!is_name(name, 64, "_")) {
      return bad("unknown_field", "There is no such field.", field);
    }
    const auto one = parse_value(value, field);
    if (const auto* problem = std::get_if<Problem>(&one)) {
      return *problem;
    }
    change.values.push_back({name, std::get<SettingValue>(one)});
  }
  return change;
}

}  // namespace

Response problem_response(const Problem& problem) {
  nlohmann::ordered_json error{{"code", problem.code}, {"message", problem.message}};
  if (!problem.field.empty()) {
    error["field"] = problem.field;
  }
  if (problem.register_number) {
    error["register"] = *problem.register_number;
  }
  for (const auto& [name, value] :
       {std::pair{"value", problem.value}, std::pair{"min", problem.min}, std::pair{"max", problem.max}}) {
    if (value) {
      error[name] = *value;
    }
  }
  Response response;
  response.status = problem.status;
  response.body = nlohmann::ordered_json{{"error", std::move(error)}}.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

std::string_view to_text(BmsCommand command) {
  constexpr std::string_view kNames[] = {"clear_events", "clear_statistics", "reset"};
  return kNames[static_cast<std::size_t>(command)];
}

Parsed<BmsSettingsChange> parse_bms_settings_change(std::string_view body) {
  const auto parsed = parse_object(body);
  if (const auto* problem = std::get_if<Problem>(&parsed)) {
    return *problem;
  }
  const Json& json = std::get<Json>(parsed);
  if (auto problem = check_members(json, {"changes"})) {
    return *problem;
  }
  const Json& list = json["changes"];
  if (!list.is_array() || list.empty() || list.size() > kChangesMax) {
    return bad("wrong_type", "A list of 1 to 64 changes is needed.", "changes");
  }
  BmsSettingsChange change;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string field = "changes[" + std::to_string(i) + "]";
    const auto item = parse_change(list[i], field);
    if (const auto* problem = std::get_if<Problem>(&item)) {
      return *problem;
    }
    const auto& one = std::get<RegisterChange>(item);
    if (std::any_of(change.changes.begin(), change.changes.end(), [&](const RegisterChange& other) {
          return other.register_number == one.register_number;
        })) {
      return bad("doubled_field", "The register is given twice.", field + ".register");
    }
    change.changes.push_back(one);
  }
  return change;
}

Parsed<BmsCommand> parse_bms_command(std::string_view body) {
  const auto parsed = parse_object(body);
  if (const auto* problem = std::get_if<Problem>(&parsed)) {
    return *problem;
  }
  const Json& json = std::get<Json>(parsed);
  if (auto problem = check_members(json, {"command"})) {
    return *problem;
  }
  for (const BmsCommand command :
       {BmsCommand::kClearEvents, BmsCommand::kClearStatistics, BmsCommand::kReset}) {
    if (json["command"].is_string() && json["command"].get_ref<const std::string&>() == to_text(command)) {
      return command;
    }
  }
  return bad("unknown_command", "Allowed: clear_events, clear_statistics, reset.", "command");
}

Parsed<BoxSettingsChange> parse_box_settings_change(std::string_view body) {
  const auto parsed = parse_object(body);
  if (const auto* problem = std::get_if<Problem>(&parsed)) {
    return *problem;
  }
  const Json& json = std::get<Json>(parsed);
  if (auto problem = check_members(json, {"section", "values"})) {
    return *problem;
  }
  return take_change(json);
}

Parsed<SectionChange> parse_section_change(std::string_view body) {
  const auto parsed = parse_object(body);
  if (const auto* problem = std::get_if<Problem>(&parsed)) {
    return *problem;
  }
  const Json& json = std::get<Json>(parsed);
  if (auto problem = check_members(json, {"scope", "section", "values"})) {
    return *problem;
  }
  const Json& scope = json["scope"];
  if (!scope.is_string() || !is_name(scope.get_ref<const std::string&>(), 17, ":")) {
    return bad("wrong_type", "Whose section is needed: \"own\" or the address of a node.", "scope");
  }
  auto change = take_change(json);
  if (const auto* problem = std::get_if<Problem>(&change)) {
    return *problem;
  }
  return SectionChange{scope.get<std::string>(), std::move(std::get<BoxSettingsChange>(change))};
}

std::string_view to_text(PairingRequest::Action action) {
  constexpr std::string_view kNames[] = {"show_code", "enter_code", "cancel", "forget"};
  return kNames[static_cast<std::size_t>(action)];
}

namespace {

// The text member that an action needs.
std::optional<Problem> take_text(const Json& json, const char* member, std::string_view extra,
                                 std::string& out) {
  const auto found = json.find(member);
  if (found == json.end() || !found->is_string() ||
      !is_name(found->get_ref<const std::string&>(), 17, extra)) {
    return bad("wrong_type", "This is needed as a text.", member);
  }
  out = found->get<std::string>();
  return std::nullopt;
}

}  // namespace

Parsed<PairingRequest> parse_pairing_request(std::string_view body) {
  using enum PairingRequest::Action;
  const auto parsed = parse_object(body);
  if (const auto* problem = std::get_if<Problem>(&parsed)) {
    return *problem;
  }
  const Json& json = std::get<Json>(parsed);
  PairingRequest request;
  bool is_known = false;
  for (const auto action : {kShowCode, kEnterCode, kCancel, kForget}) {
    if (json.contains("action") && json["action"] == to_text(action)) {
      request.action = action;
      is_known = true;
    }
  }
  if (!is_known) {
    return bad("unknown_action", "Allowed: show_code, enter_code, cancel, forget.", "action");
  }
  const char* const member =
      request.action == kEnterCode ? "code" : (request.action == kForget ? "node" : nullptr);
  if (auto problem =
          member == nullptr ? check_members(json, {"action"}) : check_members(json, {"action", member})) {
    return *problem;
  }
  std::optional<Problem> problem;
  if (request.action == kEnterCode) {
    problem = take_text(json, "code", "", request.code);
  } else if (request.action == kForget) {
    problem = take_text(json, "node", ":", request.node);
  }
  if (problem) {
    return *problem;
  }
  return request;
}

namespace {

constexpr std::array<std::string_view, 3> kRelayOrders{"open", "closed", "auto"};

// A whole number within a range.
std::optional<Problem> take_whole(const Json& json, const char* member, int min, int max, int& out) {
  const Json& value = json[member];
  if (!value.is_number_integer()) {
    return bad("wrong_type", "A whole number is needed.", member);
  }
  const auto number = value.get<double>();
  if (number < min || number > max) {
    Problem problem =
        bad("out_of_range",
            "The number must be from " + std::to_string(min) + " to " + std::to_string(max) + ".", member);
    problem.value = number;
    problem.min = min;
    problem.max = max;
    return problem;
  }
  out = value.get<int>();
  return std::nullopt;
}

}  // namespace

std::string describe(const PackRequest& request) {
  if (const auto* relay = std::get_if<RelayRequest>(&request)) {
    const std::string order{kRelayOrders[static_cast<std::size_t>(relay->order)]};
    const bool has_end = relay->order != RelayRequest::Order::kAuto;
    return "Relay " + relay->relay + ": " + order +
           (has_end ? " for " + std::to_string(relay->minutes) + " min." : ".");
  }
  if (const auto* identify = std::get_if<IdentifyRequest>(&request)) {
    return "Shows itself for " + std::to_string(identify->seconds) + " s.";
  }
  return "The count of energy from the grid begins anew.";
}

Parsed<PackRequest> parse_relay_request(std::string_view body) {
  const auto parsed = parse_object(body);
  if (const auto* problem = std::get_if<Problem>(&parsed)) {
    return *problem;
  }
  const Json& json = std::get<Json>(parsed);
  RelayRequest request;
  const auto order = json.find("order");
  const auto known =
      order != json.end() && order->is_string()
          ? std::find(kRelayOrders.begin(), kRelayOrders.end(), order->get_ref<const std::string&>())
          : kRelayOrders.end();
  if (known == kRelayOrders.end()) {
    return bad("bad_value", "Allowed: open, closed, auto.", "order");
  }
  request.order = static_cast<RelayRequest::Order>(known - kRelayOrders.begin());
  const bool has_end = request.order != RelayRequest::Order::kAuto;
  auto problem =
      has_end ? check_members(json, {"relay", "order", "minutes"}) : check_members(json, {"relay", "order"});
  if (!problem &&
      (!json["relay"].is_string() || !is_name(json["relay"].get_ref<const std::string&>(), 32, "_"))) {
    problem = bad("wrong_type", "The name of a relay is needed, for example \"pool_pump\".", "relay");
  }
  if (!problem && has_end) {
    problem = take_whole(json, "minutes", 1, 10'080, request.minutes);
  }
  if (problem) {
    return *problem;
  }
  request.relay = json["relay"].get<std::string>();
  return PackRequest{request};
}

Parsed<PackRequest> parse_grid_energy_reset(std::string_view body) {
  const auto parsed = parse_object(body);
  if (const auto* problem = std::get_if<Problem>(&parsed)) {
    return *problem;
  }
  if (auto problem = check_members(std::get<Json>(parsed), {})) {
    return *problem;
  }
  return PackRequest{GridEnergyReset{}};
}

Parsed<PackRequest> parse_identify_request(std::string_view body) {
  const auto parsed = parse_object(body);
  if (const auto* problem = std::get_if<Problem>(&parsed)) {
    return *problem;
  }
  const Json& json = std::get<Json>(parsed);
  IdentifyRequest request;
  auto problem = check_members(json, {"seconds"});
  if (!problem) {
    problem = take_whole(json, "seconds", 1, 300, request.seconds);
  }
  if (problem) {
    return *problem;
  }
  return PackRequest{request};
}

Parsed<Credentials> parse_credentials(std::string_view body) {
  const auto parsed = parse_object(body);
  if (const auto* problem = std::get_if<Problem>(&parsed)) {
    return *problem;
  }
  const Json& json = std::get<Json>(parsed);
  if (auto problem = check_members(json, {"user", "password"})) {
    return *problem;
  }
  if (!json["user"].is_string() || !is_name(json["user"].get_ref<const std::string&>(), 32, "_-.")) {
    return bad("wrong_type", "A user has 1 to 32 letters, digits, '_', '-' or '.'.", "user");
  }
  if (!json["password"].is_string() || json["password"].get_ref<const std::string&>().empty() ||
      json["password"].get_ref<const std::string&>().size() > 256) {
    return bad("wrong_type", "A password has 1 to 256 bytes.", "password");
  }
  return Credentials{json["user"].get<std::string>(), json["password"].get<std::string>()};
}

Parsed<Credentials> parse_new_credentials(std::string_view body) {
  auto parsed = parse_credentials(body);
  const auto* credentials = std::get_if<Credentials>(&parsed);
  if (credentials != nullptr && credentials->password.size() < kNewPasswordSizeMin) {
    return bad("too_short", "A new password needs at least 8 characters.", "password");
  }
  return parsed;
}

Parsed<EventQuery> parse_event_query(const Request& request) {
  if (auto problem = check_parameters(request, {"limit", "before", "level", "source", "q"})) {
    return *problem;
  }
  EventQuery query;
  const auto limit = parse_number(request, "limit", 200, 1, 1000);
  if (const auto* problem = std::get_if<Problem>(&limit)) {
    return *problem;
  }
  query.limit = static_cast<int>(std::get<std::int64_t>(limit));
  const auto before = parse_number(request, "before", INT64_MAX, 1, INT64_MAX);
  if (const auto* problem = std::get_if<Problem>(&before)) {
    return *problem;
  }
  query.before = std::get<std::int64_t>(before);
  if (const auto level = request.parameter("level"); level && !level->empty()) {
    query.level_min = event_level_from_text(*level);
    if (!query.level_min) {
      return bad("unknown_level", "Allowed: info, notice, warning, error.", "level");
    }
  }
  query.source = request.parameter("source").value_or("");
  if (!query.source.empty() && !is_name(query.source, 32, "_")) {
    return bad("unknown_source", "Allowed: bms, inverter, link, mqtt, storage, settings, auth, box.",
               "source");
  }
  query.text = request.parameter("q").value_or("");
  if (query.text.size() > 100) {
    return bad("too_long", "At most 100 bytes can be searched for.", "q");
  }
  return query;
}

Parsed<HistoryQuery> parse_history_query(const Request& request, std::int64_t now_ms) {
  if (auto problem = check_parameters(request, {"from", "to", "points", "series"})) {
    return *problem;
  }
  HistoryQuery query;
  const auto to = parse_number(request, "to", now_ms, 0, kUnixMsMax);
  if (const auto* problem = std::get_if<Problem>(&to)) {
    return *problem;
  }
  query.to_ms = std::get<std::int64_t>(to);
  const auto from =
      parse_number(request, "from", std::max<std::int64_t>(query.to_ms - kDayMs, 0), 0, kUnixMsMax);
  if (const auto* problem = std::get_if<Problem>(&from)) {
    return *problem;
  }
  query.from_ms = std::get<std::int64_t>(from);
  if (query.from_ms >= query.to_ms) {
    return bad("out_of_range", "The range is empty: from must be before to.", "from");
  }
  const auto points = parse_number(request, "points", 600, 1, kHistoryPointsMax);
  if (const auto* problem = std::get_if<Problem>(&points)) {
    return *problem;
  }
  query.points = static_cast<int>(std::get<std::int64_t>(points));
  auto series = parse_series(request);
  if (const auto* problem = std::get_if<Problem>(&series)) {
    return *problem;
  }
  query.series = std::move(std::get<std::vector<Series>>(series));
  return query;
}

Parsed<DaysQuery> parse_days_query(const Request& request) {
  if (auto problem = check_parameters(request, {"days"})) {
    return *problem;
  }
  const auto days = parse_number(request, "days", 31, 1, 3660);
  if (const auto* problem = std::get_if<Problem>(&days)) {
    return *problem;
  }
  return DaysQuery{static_cast<int>(std::get<std::int64_t>(days))};
}

}  // namespace amphora::runtime::http
