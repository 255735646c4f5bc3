// SPDX-License-Identifier: Apache-2.0
// Orders of people to the BMS: each is answered when its outcome is known, or when it takes too long.
#include <algorithm>
#include <utility>

#include "apps/amphora/run/answers.hpp"
#include "apps/amphora/run/battery_part.hpp"
#include "apps/amphora/run/bms_settings.hpp"

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

// The answer to a write whose last register is known.
Response outcome_of(const std::vector<tinybms::RegisterWritten>& outcomes) {
  Json settings = Json::array();
  bool is_verified = true;
  std::string first_failure;
  for (const tinybms::RegisterWritten& outcome : outcomes) {
    settings.push_back(outcome_json(outcome));
    if (outcome.result != tinybms::WriteResult::kVerified) {
      is_verified = false;
      first_failure = first_failure.empty() ? "Register " + std::to_string(outcome.number) + ": " +
                                                  std::string{tinybms::to_text(outcome.result)}
                                            : first_failure;
    }
  }
  if (is_verified) {
    return json_response(Json{{"result", "verified"}, {"settings", settings}});
  }
  Json body{{"result", "failed"},
            {"settings", settings},
            {"error",
             {{"code", "not_verified"},
              {"message",
               first_failure +
                   ". The settings are read again as soon as the BMS answers, and shown as they are."}}}};
  Response response = json_response(body);
  response.status = 502;
  return response;
}

}  // namespace

void BatteryPart::bms_settings(const Reply& reply) {
  reply(json_response(bms_settings_json(report_.get(), loop_.now(), runtime::wall_now()).dump()));
}

void BatteryPart::put_bms_settings(const runtime::http::BmsSettingsChange& change, const Actor& actor,
                                   Reply reply) {
  const auto writes = to_register_writes(change.changes);
  if (const auto* problem = std::get_if<Problem>(&writes)) {
    journal_.note(EventLevel::kWarning, "settings", "bms_write_refused",
                  who(actor) + ": " + problem->message);
    reply(problem_response(*problem));
    return;
  }
  const std::uint64_t token = ++token_;
  if (!control_.order(
          runtime::WriteSettingsOrder{token, std::get<std::vector<tinybms::RegisterWrite>>(writes)})) {
    reply(unavailable("busy", "The box has too much to do; try again."));
    return;
  }
  asked_writes_.emplace(token, std::move(reply));
}

void BatteryPart::handle(const runtime::WriteAnswer& answer) {
  const auto asked = asked_writes_.find(answer.token);
  if (asked == asked_writes_.end()) {
    return;
  }
  if (const auto* refusal = std::get_if<tinybms::WriteRefusal>(&answer.result)) {
    const Problem problem = to_problem(*refusal);
    journal_.note(EventLevel::kWarning, "settings", "bms_write_refused", problem.message);
    asked->second(problem_response(problem));
  } else {
    const auto id = std::get<tinybms::WriteId>(answer.result);
    writes_.emplace(id.number, PendingWrite{std::move(asked->second), {}, loop_.now() + kOrderPatience});
  }
  asked_writes_.erase(asked);
}

void BatteryPart::follow_write(const node::Event& event) {
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
      found->second.reply(outcome_of(found->second.outcomes));
      writes_.erase(found);
    }
  }
}

void BatteryPart::bms_command(runtime::http::BmsCommand command, const Actor& actor, Reply reply) {
  using runtime::http::BmsCommand;
  tinybms::ControlOption option = tinybms::ControlOption::kReset;
  if (command != BmsCommand::kReset) {
    option = command == BmsCommand::kClearEvents ? tinybms::ControlOption::kClearEvents
                                                 : tinybms::ControlOption::kClearStatistics;
  }
  const std::uint64_t token = ++token_;
  if (!control_.order(runtime::ControlOrder{token, option})) {
    reply(unavailable("busy", "The box has too much to do; try again."));
    return;
  }
  journal_.note(EventLevel::kNotice, "settings", "bms_command",
                who(actor) + " orders: " + std::string{runtime::http::to_text(command)});
  commands_.emplace(token, PendingCommand{option, std::move(reply), loop_.now() + kOrderPatience});
}

void BatteryPart::handle(const runtime::ControlAnswer& answer) {
  const auto found = commands_.find(answer.token);
  if (found != commands_.end() && answer.refusal) {
    found->second.reply(
        unavailable(std::string{tinybms::to_text(*answer.refusal)},
                    "The BMS cannot take the order: " + std::string{tinybms::to_text(*answer.refusal)}));
    commands_.erase(found);
  }
}

void BatteryPart::follow_command(const node::Event& event) {
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

void BatteryPart::give_up_waiting(TimePoint now) {
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

}  // namespace amphora::run
