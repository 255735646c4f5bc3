// SPDX-License-Identifier: Apache-2.0
// What the box answers to people: the API backend. Every answer comes from memory or, for the past, from the
// store's thread. What concerns the battery is answered by the battery part.
#include <utility>

#include "apps/amphora/build_info.hpp"
#include "apps/amphora/config/settings.hpp"
#include "apps/amphora/run/answers.hpp"
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

Response no_link() {
  return not_here("This box has no radio link.");
}

Response no_battery() {
  return not_here("This box has no battery of its own.");
}

}  // namespace

Json Box::box_json(TimePoint now) const {
  const BuildInfo& build = build_info();
  const bool is_login_required = config().web.login == config::Login::kRequired;
  return {{"name", config().box.name},
          {"site", config().box.site},
          {"role", to_text(config().box.role)},
          {"version", build.version},
          {"commit", build.commit},
          {"uptime_s", static_cast<double>(to_milliseconds(now.time_since_epoch())) / 1000.0},
          {"time", runtime::utc_text(runtime::wall_now().unix_ms)},
          {"login", is_login_required ? "required" : "none"},
          {"first_run", web_ && web_->is_first_run()}};
}

Json Box::state_groups(TimePoint now) {
  Json groups{{"box", box_json(now)}};
  if (battery_) {
    battery_->add_state(groups, config(), now);
  }
  if (link_) {
    link_->add_state(groups, config(), now);
  }
  if (pack_) {
    pack_->add_state(groups, config(), now);
  }
  if (config().box.role != config::Role::kReceiver) {
    groups["mqtt"] = mqtt_json(config(), mqtt_ ? std::optional{mqtt_->status()} : std::nullopt);
  }
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
  if (!battery_) {
    reply(no_battery());
    return;
  }
  battery_->bms_settings(reply);
}

void Box::put_bms_settings(const runtime::http::BmsSettingsChange& change, const Actor& actor, Reply reply) {
  if (!battery_) {
    reply(no_battery());
    return;
  }
  battery_->put_bms_settings(change, actor, std::move(reply));
}

void Box::bms_command(runtime::http::BmsCommand command, const Actor& actor, Reply reply) {
  if (!battery_) {
    reply(no_battery());
    return;
  }
  battery_->bms_command(command, actor, std::move(reply));
}

// A section waits for a restart only while what is saved differs from what the box was started with.
void Box::box_settings(Reply reply) {
  nlohmann::json settings = config::to_box_settings_json(config());
  const nlohmann::json started = config::to_box_settings_json(started_with_);
  for (std::size_t i = 0; i < settings["sections"].size(); ++i) {
    nlohmann::json& section = settings["sections"][i];
    const bool differs = section["fields"] != started["sections"][i]["fields"];
    const auto name = section["name"].get<std::string>();
    section["restart_needed"] = differs && config::is_restart_needed(name, config().box.role);
    for (nlohmann::json& field : section["fields"]) {
      const config::Field* const known =
          config::find_field(name == "box" ? std::string{} : name, field["name"].get<std::string>());
      if (settings_.is_shared(*known)) {
        field["writable"] = false;
        field["shared"] = true;
      }
    }
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
  // A pack takes its values at the next start; the checks between keys know what it can work with.
  if (const auto fault = pack_ ? std::nullopt : check_node_config(node)) {
    settings_ = before;
    Problem problem;
    problem.status = 422;
    problem.code = "conflict";
    problem.message = *fault;
    reply(problem_response(problem));
    return;
  }
  if (battery_) {
    battery_->reconfigure(node);
  }
  if (link_) {
    link_->handle_base_config(settings_.base());
  }
  journal_.note(EventLevel::kNotice, "settings", "box_settings_changed",
                who(actor) + " changed the settings of section " + change.section + ".");
  const bool is_restart_needed = config::is_restart_needed(change.section, config().box.role);
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

void Box::sections(Reply reply) {
  if (pack_) {
    pack_->sections(reply);
    return;
  }
  link_ ? link_->sections(reply) : reply(no_link());
}

void Box::put_section(const runtime::http::SectionChange& change, const Actor& actor, Reply reply) {
  if ((link_ || pack_) && !store_) {
    reply(no_storage(storage_error_));
    return;
  }
  if (pack_) {
    pack_->put_section(change, actor, std::move(reply));
    return;
  }
  link_ ? link_->put_section(change, actor, std::move(reply)) : reply(no_link());
}

void Box::pairing(const runtime::http::PairingRequest& request, const Actor& actor, Reply reply) {
  if (link_ && !store_) {
    reply(no_storage(storage_error_));
    return;
  }
  link_ ? link_->pairing(request, actor, std::move(reply)) : reply(no_link());
}

void Box::pack(const runtime::http::PackRequest& request, const Actor& actor, Reply reply) {
  pack_ ? pack_->handle_request(request, actor, std::move(reply)) : reply(not_here("This box is no pack."));
}

void Box::old_path(runtime::http::OldPath path, Reply reply) {
  link_ ? link_->old_path(path, config(), reply) : reply(no_link());
}

std::string Box::metrics_text() {
  const TimePoint now = loop_.now();
  metrics_.set_uptime(now.time_since_epoch());
  if (battery_ && battery_->report()) {
    metrics_.set_report(*battery_->report(), now);
  }
  if (link_ && link_->report() != nullptr) {
    metrics_.set_link(*link_->report(), now);
  }
  if (pack_ && pack_->report()) {
    metrics_.set_pack(*pack_->report(), now);
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
  Json parts{{"storage", store_status().is_ok}};
  if (battery_) {
    const runtime::ReportPtr& report = battery_->report();
    parts["battery"] = report && is_battery_online(*report, now);
    if (!config().inverter.interface.empty()) {
      parts["inverter"] = report && phase_name(*report) == "online";
    }
  }
  if (link_) {
    parts["link"] = link_->is_well();
  }
  if (pack_) {
    parts["pack"] = pack_->is_well(config(), now);
  }
  bool is_good = true;
  for (const auto& part : parts.items()) {
    is_good = is_good && part.value().get<bool>();
  }
  Json body{{"status", is_good ? "ok" : "degraded"}};
  body.update(parts);
  Response response = json_response(body);
  response.status = is_good ? 200 : 503;
  return response;
}

void Box::audit(const runtime::http::AuditEvent& event) {
  journal_.note(event.is_failure ? EventLevel::kWarning : EventLevel::kNotice, "auth", event.code,
                event.text);
}

void Box::save_user(const runtime::UserRecord& user) {
  if (store_) {
    store_->put_user(user);
  }
}

}  // namespace amphora::run
