// SPDX-License-Identifier: Apache-2.0
// What the box answers to people: the API backend. Every answer comes from memory or, for the past, from the
// store's thread; orders to the BMS are answered when their outcome is known.
#include <algorithm>
#include <utility>

#include "apps/amphora/build_info.hpp"
#include "apps/amphora/config/settings.hpp"
#include "apps/amphora/run/bms_settings.hpp"
#include "apps/amphora/run/box.hpp"
#include "apps/amphora/run/node_config.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "runtime/history/history.hpp"

namespace amphora::run {
namespace {

using runtime::EventLevel;
using runtime::http::Actor;
using runtime::http::Problem;
using runtime::http::problem_response;
using runtime::http::Reply;
using runtime::http::Response;

// A write of all registers takes half a second each and is read back; a BMS that is unplugged half way ends
// it sooner.
constexpr Duration kOrderPatience = std::chrono::seconds{60};

Response json_response(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

Response unavailable(std::string code, std::string message) {
  Problem problem;
  problem.status = 503;
  problem.code = std::move(code);
  problem.message = std::move(message);
  return problem_response(problem);
}

Response no_storage(const std::string& error) {
  return unavailable("storage_unavailable", error.empty()
                                                ? "Too many questions wait for the storage; ask again."
                                                : "The storage cannot be used: " + error);
}

std::string who(const Actor& actor) {
  return (actor.user.empty() ? std::string{"somebody"} : actor.user) + " from " + actor.remote;
}

}  // namespace

Json Box::box_json(TimePoint now) const {
  const BuildInfo& build = build_info();
  const bool is_login_required = config().web.login == config::Login::kRequired;
  return {{"name", config().box.name},
          {"site", config().box.site},
          {"role", "bms-gateway"},
          {"version", build.version},
          {"commit", build.commit},
          {"uptime_s", static_cast<double>(to_milliseconds(now.time_since_epoch())) / 1000.0},
          {"time", runtime::utc_text(runtime::wall_now().unix_ms)},
          {"login", is_login_required ? "required" : "none"},
          {"first_run", web_ && web_->is_first_run()}};
}

Json Box::state_groups(TimePoint now) {
  Json groups{{"box", box_json(now)}};
  if (report_) {
    const WallTime wall = runtime::wall_now();
    groups["battery"] = battery_json(*report_, config(), now);
    groups["limits"] = limits_json(*report_);
    groups["inverter"] = inverter_json(*report_, config(), now);
    groups["bms_link"] = bms_link_json(*report_, config(), now, wall);
    groups["control"] = control_json(*report_, control_->reports().dropped_count());
  }
  groups["mqtt"] = mqtt_json(config(), mqtt_ ? std::optional{mqtt_->status()} : std::nullopt);
  groups["storage"] = storage_json(store_status());
  return groups;
}

std::string Box::state_json() {
  return state_groups(loop_.now()).dump();
}

void Box::events(const runtime::EventQuery& query, Reply reply) {
  const auto answer = [reply](const runtime::EventPage& page) {
    reply(json_response(runtime::event_page_json(page)));
  };
  if (!store_ || !store_->query_events(query, answer)) {
    reply(no_storage(storage_error_));
  }
}

void Box::history(const runtime::HistoryQuery& query, Reply reply) {
  const auto answer = [reply](const runtime::HistoryResult& result) {
    reply(json_response(runtime::history_json(result)));
  };
  if (!store_ || !store_->query_history(query, answer)) {
    reply(no_storage(storage_error_));
  }
}

void Box::history_csv(const runtime::HistoryQuery& query, Reply reply) {
  const auto answer = [reply](const runtime::HistoryResult& result) {
    Response response = json_response(runtime::history_csv(result));
    response.content_type = "text/csv; charset=utf-8";
    response.headers.emplace_back("Content-Disposition", "attachment; filename=\"amphora-history.csv\"");
    reply(std::move(response));
  };
  if (!store_ || !store_->query_history(query, answer)) {
    reply(no_storage(storage_error_));
  }
}

void Box::history_days(const runtime::http::DaysQuery& query, Reply reply) {
  const auto answer = [reply](const std::vector<runtime::HistoryDay>& days) {
    reply(json_response(runtime::history_days_json(days)));
  };
  if (!store_ || !store_->query_days(query.days, answer)) {
    reply(no_storage(storage_error_));
  }
}

void Box::bms_settings(Reply reply) {
  reply(json_response(bms_settings_json(report_.get(), loop_.now(), runtime::wall_now()).dump()));
}

void Box::put_bms_settings(const runtime::http::BmsSettingsChange& change, const Actor& actor, Reply reply) {
  const auto writes = to_register_writes(change.changes);
  if (const auto* problem = std::get_if<Problem>(&writes)) {
    note(EventLevel::kWarning, "settings", "bms_write_refused", who(actor) + ": " + problem->message);
    reply(problem_response(*problem));
    return;
  }
  const std::uint64_t token = ++token_;
  if (!control_->order(
          runtime::WriteSettingsOrder{token, std::get<std::vector<tinybms::RegisterWrite>>(writes)})) {
    reply(unavailable("busy", "The box has too much to do; try again."));
    return;
  }
  asked_writes_.emplace(token, std::move(reply));
}

void Box::handle(const runtime::WriteAnswer& answer) {
  const auto asked = asked_writes_.find(answer.token);
  if (asked == asked_writes_.end()) {
    return;
  }
  if (const auto* refusal = std::get_if<tinybms::WriteRefusal>(&answer.result)) {
    const Problem problem = to_problem(*refusal);
    note(EventLevel::kWarning, "settings", "bms_write_refused", problem.message);
    asked->second(problem_response(problem));
  } else {
    const auto id = std::get<tinybms::WriteId>(answer.result);
    writes_.emplace(id.number, PendingWrite{std::move(asked->second), {}, loop_.now() + kOrderPatience});
  }
  asked_writes_.erase(asked);
}

void Box::follow_write(const node::Event& event) {
  const auto* driver_event = std::get_if<tinybms::DriverEvent>(&event.what);
  if (driver_event == nullptr) {
    return;
  }
  if (const auto* written = std::get_if<tinybms::RegisterWritten>(driver_event)) {
    if (const auto found = writes_.find(written->id.number); found != writes_.end()) {
      found->second.outcomes.push_back(*written);
    }
  } else if (const auto* finished = std::get_if<tinybms::WriteFinished>(driver_event)) {
    if (const auto found = writes_.find(finished->id.number); found != writes_.end()) {
      finish_write(found->first, found->second);
      writes_.erase(found);
    }
  }
}

void Box::finish_write(std::uint32_t, PendingWrite& pending) {
  Json settings = Json::array();
  bool is_verified = true;
  std::string first_failure;
  for (const tinybms::RegisterWritten& outcome : pending.outcomes) {
    settings.push_back(outcome_json(outcome));
    if (outcome.result != tinybms::WriteResult::kVerified) {
      is_verified = false;
      first_failure = first_failure.empty() ? "Register " + std::to_string(outcome.number) + ": " +
                                                  std::string{tinybms::to_text(outcome.result)}
                                            : first_failure;
    }
  }
  if (is_verified) {
    pending.reply(json_response(Json{{"result", "verified"}, {"settings", settings}}.dump()));
    return;
  }
  Json body{{"result", "failed"},
            {"settings", settings},
            {"error",
             {{"code", "not_verified"},
              {"message",
               first_failure +
                   ". The settings are read again as soon as the BMS answers, and shown as they are."}}}};
  Response response = json_response(body.dump());
  response.status = 502;
  pending.reply(std::move(response));
}

void Box::bms_command(runtime::http::BmsCommand command, const Actor& actor, Reply reply) {
  using runtime::http::BmsCommand;
  tinybms::ControlOption option = tinybms::ControlOption::kReset;
  if (command != BmsCommand::kReset) {
    option = command == BmsCommand::kClearEvents ? tinybms::ControlOption::kClearEvents
                                                 : tinybms::ControlOption::kClearStatistics;
  }
  const std::uint64_t token = ++token_;
  if (!control_->order(runtime::ControlOrder{token, option})) {
    reply(unavailable("busy", "The box has too much to do; try again."));
    return;
  }
  note(EventLevel::kNotice, "settings", "bms_command",
       who(actor) + " orders: " + std::string{runtime::http::to_text(command)});
  commands_.emplace(token, PendingCommand{option, std::move(reply), loop_.now() + kOrderPatience});
}

void Box::handle(const runtime::ControlAnswer& answer) {
  const auto found = commands_.find(answer.token);
  if (found != commands_.end() && answer.refusal) {
    found->second.reply(
        unavailable(std::string{tinybms::to_text(*answer.refusal)},
                    "The BMS cannot take the order: " + std::string{tinybms::to_text(*answer.refusal)}));
    commands_.erase(found);
  }
}

void Box::follow_command(const node::Event& event) {
  const auto* driver_event = std::get_if<tinybms::DriverEvent>(&event.what);
  const auto* finished =
      driver_event != nullptr ? std::get_if<tinybms::ControlFinished>(driver_event) : nullptr;
  if (finished == nullptr) {
    return;
  }
  const auto found = std::find_if(commands_.begin(), commands_.end(), [finished](const auto& entry) {
    return entry.second.option == finished->option;
  });
  if (found == commands_.end()) {
    return;
  }
  if (finished->result == tinybms::ControlResult::kAcknowledged) {
    found->second.reply(json_response(Json{{"result", "accepted"}}.dump()));
  } else {
    found->second.reply(unavailable("not_acknowledged", "The BMS did not take the order: " +
                                                            std::string{tinybms::to_text(finished->result)}));
  }
  commands_.erase(found);
}

void Box::give_up_waiting(TimePoint now) {
  const auto is_late = [now](auto& entry) {
    if (now < entry.second.give_up_at) {
      return false;
    }
    entry.second.reply(
        unavailable("no_answer", "The BMS has not finished; its settings will be read again and shown."));
    return true;
  };
  std::erase_if(writes_, is_late);
  std::erase_if(commands_, is_late);
}

// A section waits for a restart only while what is saved differs from what the box was started with.
void Box::box_settings(Reply reply) {
  nlohmann::json settings = config::to_box_settings_json(config());
  const nlohmann::json started = config::to_box_settings_json(started_with_);
  for (std::size_t i = 0; i < settings["sections"].size(); ++i) {
    nlohmann::json& section = settings["sections"][i];
    const bool differs = section["fields"] != started["sections"][i]["fields"];
    section["restart_needed"] = differs && config::is_restart_needed(section["name"].get<std::string>());
  }
  reply(json_response(settings.dump()));
}

void Box::put_box_settings(const runtime::http::BoxSettingsChange& change, const Actor& actor, Reply reply) {
  if (!store_) {
    reply(no_storage(storage_error_));
    return;
  }
  const SettingsStore before = settings_;
  const auto errors = settings_.change(change);
  if (!errors.empty()) {
    const config::SettingError& error = errors.front();
    Problem problem;
    problem.status = 422;
    problem.code = std::string{config::to_text(error.code)};
    problem.message = error.message;
    problem.field = error.field.empty() ? "section" : "values." + error.field;
    problem.min = error.min;
    problem.max = error.max;
    reply(problem_response(problem));
    return;
  }
  const node::BmsGatewayConfig node = to_node_config(config());
  if (const auto fault = check_node_config(node)) {
    settings_ = before;
    Problem problem;
    problem.status = 422;
    problem.code = "conflict";
    problem.message = *fault;
    reply(problem_response(problem));
    return;
  }
  (void)control_->order(runtime::ReconfigureOrder{node.profile, node.output});
  note(EventLevel::kNotice, "settings", "box_settings_changed",
       who(actor) + " changed the settings of section " + change.section + ".");
  const bool is_restart_needed = config::is_restart_needed(change.section);
  store_->put_section(
      SettingsStore::store_key(change.section), settings_.section_content(change.section),
      [reply, is_restart_needed](const std::optional<runtime::SysError>& error) {
        if (error) {
          reply(unavailable("not_stored", "The setting is in force but could not be stored yet (" +
                                              error->text() + "); it is tried again."));
        } else {
          reply(json_response(Json{{"result", "saved"}, {"restart_needed", is_restart_needed}}.dump()));
        }
      });
}

std::string Box::metrics_text() {
  const TimePoint now = loop_.now();
  metrics_.set_uptime(now.time_since_epoch());
  if (report_) {
    metrics_.set_report(*report_, now);
  }
  if (mqtt_) {
    metrics_.set_mqtt(mqtt_->status());
  }
  metrics_.set_store(store_status());
  if (web_) {
    metrics_.set_web(web_->counters(), web_->hub());
  }
  return metrics_.render();
}

Response Box::health() {
  const TimePoint now = loop_.now();
  const bool is_battery_good = report_ && is_battery_online(*report_, now);
  const bool is_inverter_good = report_ && phase_name(*report_) == "online";
  const bool is_storage_good = store_status().is_ok;
  const bool is_good = is_battery_good && is_inverter_good && is_storage_good;
  Response response = json_response(Json{
      {"status", is_good ? "ok" : "degraded"},
      {"battery", is_battery_good},
      {"inverter", is_inverter_good},
      {"storage", is_storage_good}}.dump());
  response.status = is_good ? 200 : 503;
  return response;
}

void Box::audit(const runtime::http::AuditEvent& event) {
  note(event.is_failure ? EventLevel::kWarning : EventLevel::kNotice, "auth", event.code, event.text);
}

void Box::save_user(const runtime::UserRecord& user) {
  if (store_) {
    store_->put_user(user);
  }
}

}  // namespace amphora::run
