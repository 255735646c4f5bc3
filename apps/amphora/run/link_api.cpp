// SPDX-License-Identifier: Apache-2.0
// What the link part answers to people.
#include <algorithm>
#include <utility>

#include "apps/amphora/build_info.hpp"
#include "apps/amphora/run/answers.hpp"
#include "apps/amphora/run/link_json.hpp"
#include "apps/amphora/run/link_part.hpp"
#include "apps/amphora/run/shared_settings.hpp"
#include "runtime/link/link_store.hpp"

namespace amphora::run {
namespace {

using runtime::EventLevel;
using runtime::http::Actor;
using runtime::http::OldPath;
using runtime::http::Problem;
using runtime::http::problem_response;
using runtime::http::Reply;

Problem refusal_problem(state::Refusal refusal) {
  switch (refusal) {
    case state::Refusal::kReadOnly:
      return make_problem(422, "not_changeable",
                          "This is what the box says of itself; nobody can change it.");
    case state::Refusal::kNotDuringEdit:
      return make_problem(409, "peer_offline",
                          "This box does not know the time and the other box is not in reach; try again when "
                          "it is.");
    case state::Refusal::kTooLarge:
      return make_problem(422, "too_large", "The values of this section together are too long.");
    default:
      return make_problem(409, "refused",
                          "The change cannot be made: " + std::string{state::to_text(refusal)});
  }
}

}  // namespace

bool LinkPart::is_well() const {
  return report_ != nullptr && report_->radio.state == runtime::RadioState::kUp &&
         std::any_of(report_->peers.begin(), report_->peers.end(), [](const runtime::LinkPeer& peer) {
           return peer.state != liveness::State::kDisconnected;
         });
}

std::string LinkPart::peer_name(NodeId node) const {
  const runtime::LinkSection* const section =
      report_ != nullptr ? find_section(*report_, node, sections::kSystem) : nullptr;
  if (section == nullptr || section->record.version == 0) {
    return {};
  }
  const sections::Values values = values_of(*sections::find_table(sections::kSystem), section->record);
  return std::string{values.fields[sections::system_field::kName].text.view()};
}

std::string LinkPart::peer_title(NodeId node) const {
  const std::string name = peer_name(node);
  return name.empty() ? "transmitter " + runtime::to_string(node) : "\"" + name + "\"";
}

void LinkPart::add_state(Json& groups, const config::Config& config, TimePoint now) const {
  if (report_ == nullptr) {
    return;
  }
  const WallTime wall = runtime::wall_now();
  const NameOf name_of = [this](NodeId node) { return is_receiver() ? peer_name(node) : std::string{}; };
  groups["link"] = link_json(*report_, config, name_of, now, wall);
  Json changed = Json::array();
  for (const auto& [owner, section] : changed_) {
    const runtime::LinkSection* const found = find_section(*report_, owner, section);
    if (found != nullptr) {
      changed.push_back({{"scope", owner == report_->self ? "own" : runtime::to_string(owner)},
                         {"section", sections::find_table(section)->name},
                         {"version", found->record.version}});
    }
  }
  groups["sections"] = Json{{"changed", std::move(changed)}, {"revision", sections_revision_}};
  const PeerBattery* const battery = is_receiver() ? shown_battery() : nullptr;
  if (battery == nullptr || !battery->has_values()) {
    return;
  }
  for (const runtime::LinkPeer& peer : report_->peers) {
    const auto found = batteries_.find(peer.node);
    if (found != batteries_.end() && &found->second == battery) {
      config::Config of_peer = config::default_config(battery::Chemistry::kLfp);
      const runtime::LinkSection* const section = find_section(*report_, peer.node, sections::kBattery);
      if (section != nullptr) {
        const auto& table = *sections::find_table(sections::kBattery);
        (void)put_over(table, values_of(table, section->record), of_peer);
      }
      groups["battery"] =
          battery->to_json(of_peer.battery, peer.state != liveness::State::kDisconnected, now);
    }
  }
}

void LinkPart::sections(const Reply& reply) const {
  const TimePoint now = loop_.now();
  const auto scopes = report_ != nullptr ? link_scopes(*report_, now) : std::vector<SectionScope>{};
  reply(json_response(sections_json(scopes, now, runtime::wall_now())));
}

void LinkPart::put_section(const runtime::http::SectionChange& change, const Actor& actor, Reply reply) {
  const sections::SectionTable* const table = sections::find_table(change.change.section);
  const bool is_own = change.scope == "own";
  const auto node = is_own ? std::optional{told_self_} : runtime::parse_mac(change.scope);
  const runtime::LinkSection* const section =
      report_ != nullptr && table != nullptr && node && !node->is_nobody()
          ? find_section(*report_, *node, table->id)
          : nullptr;
  if (section == nullptr) {
    reply(problem_response(make_problem(
        404, "unknown_section",
        "There is no section \"" + change.change.section + "\" of \"" + change.scope + "\" here.",
        table == nullptr ? "section" : "scope")));
    return;
  }
  if (!table->is_peer_editable) {
    reply(problem_response(refusal_problem(state::Refusal::kReadOnly)));
    return;
  }
  auto fields = to_field_changes(*table, change.change.values);
  if (const auto* problem = std::get_if<Problem>(&fields)) {
    reply(problem_response(*problem));
    return;
  }
  if (*node == told_self_) {
    sections::Values values = values_of(*table, section->record);
    for (const auto& [index, value] : std::get<FieldChanges>(fields)) {
      values.fields[index] = value;
    }
    if (const auto faults = handlers_.check(*table, values); !faults.empty()) {
      reply(problem_response(make_problem(422, "conflict", faults.front(), "values")));
      return;
    }
  }
  const std::uint64_t token = ++token_;
  if (!thread_.order(
          runtime::ChangeOrder{token, *node, table->id, std::move(std::get<FieldChanges>(fields))})) {
    reply(unavailable("busy", "The box has too much to do; try again."));
    return;
  }
  journal_.note(EventLevel::kNotice, "settings", "section_changed",
                who(actor) + " changed " + std::string{table->title} + " of " +
                    (is_own ? "this box" : peer_title(*node)) + ".");
  changes_.add(loop_.now(), token, *node, *table, std::move(reply));
}

void LinkPart::handle(const runtime::ChangeAnswer& answer) {
  const sections::SectionTable* const table = changes_.table(answer.token);
  if (table == nullptr) {
    return;
  }
  if (const auto* error = std::get_if<sections::FieldError>(&answer.result)) {
    changes_.refuse(answer.token, to_problem(*table, *error));
  } else if (const auto* refusal = std::get_if<state::Refusal>(&answer.result)) {
    changes_.refuse(answer.token, refusal_problem(*refusal));
  } else if (const auto* version = std::get_if<std::uint32_t>(&answer.result)) {
    changes_.accept(answer.token, *version, answer.is_to_be_stored);
  } else {
    changes_.refuse(answer.token, make_problem(409, "peer_offline", "This node is not known here any more."));
  }
}

void LinkPart::pairing(const runtime::http::PairingRequest& request, const Actor& actor, Reply reply) {
  using enum runtime::http::PairingRequest::Action;
  if (config_.radio.mode == config::RadioMode::kPlain && request.action != kForget) {
    reply(problem_response(
        make_problem(409, "plain_link",
                     "This link is open and needs no pairing; set mode = \"sealed\" in the file first.")));
    return;
  }
  if (request.action == kShowCode && is_receiver()) {
    reply(problem_response(
        make_problem(409, "wrong_role", "The code is shown at the transmitter and entered here.")));
    return;
  }
  if (request.action == kEnterCode && !is_receiver()) {
    reply(problem_response(
        make_problem(409, "wrong_role", "The code is shown here and entered at the receiver.")));
    return;
  }
  const std::uint64_t token = ++token_;
  runtime::LinkOrder order = runtime::ShowCodeOrder{token};
  if (request.action == kEnterCode) {
    order = runtime::EnterCodeOrder{token, request.code};
  } else if (request.action == kCancel) {
    order = runtime::CancelPairingOrder{token};
  } else if (request.action == kForget) {
    order = runtime::ForgetOrder{token, runtime::parse_mac(request.node).value_or(NodeId{})};
  }
  if (!thread_.order(std::move(order))) {
    reply(unavailable("busy", "The box has too much to do; try again."));
    return;
  }
  journal_.note(EventLevel::kNotice, "settings", "pairing_asked",
                who(actor) + ": " + std::string{runtime::http::to_text(request.action)} +
                    (request.node.empty() ? "" : " " + request.node) + ".");
  pairings_.emplace(token, PendingPairing{std::move(reply), request.action});
}

void LinkPart::reply_to_pairing(const runtime::PairingAnswer& answer) {
  using enum runtime::http::PairingRequest::Action;
  const auto found = pairings_.find(answer.token);
  if (found == pairings_.end()) {
    return;
  }
  const auto [reply, action] = std::move(found->second);
  pairings_.erase(found);
  if (!answer.is_accepted) {
    reply(problem_response(
        action == kForget      ? make_problem(404, "unknown_node", "No such node is paired here.", "node")
        : action == kEnterCode ? make_problem(400, "bad_code", "A code has six digits.", "code")
                               : make_problem(409, "not_possible", "The radio is not ready; try again.")));
    return;
  }
  Json json = Json::object();
  if (action == kShowCode) {
    json["code"] = answer.code;
    if (answer.expires_at) {
      json["expires_s"] = to_milliseconds(*answer.expires_at - loop_.now()) / 1000;
    }
  } else {
    json["result"] = action == kEnterCode ? "started" : (action == kForget ? "forgotten" : "cancelled");
  }
  reply(json_response(json));
}

Json LinkPart::own_values(NodeId owner, state::SectionId section) const {
  const runtime::LinkSection* const found =
      report_ != nullptr ? find_section(*report_, owner, section) : nullptr;
  if (found == nullptr || found->record.version == 0) {
    return Json::object();
  }
  const sections::SectionTable& table = *sections::find_table(section);
  return values_json(table, values_of(table, found->record));
}

void LinkPart::old_path(OldPath path, const config::Config& config, const Reply& reply) const {
  // The transmitter is this box, or the first that this box knows.
  const runtime::LinkPeer* const peer =
      report_ != nullptr && !report_->peers.empty() ? &report_->peers.front() : nullptr;
  const bool is_known = peer != nullptr || !is_receiver();
  const NodeId transmitter = is_receiver() ? (peer != nullptr ? peer->node : NodeId{}) : told_self_;
  Json json = Json::object();
  switch (path) {
    case OldPath::kReceiverInfo:
      if (is_receiver()) {
        json = own_values(told_self_, sections::kMetadata);
        json.update(Json{{"name", config.box.name},
                         {"mac", runtime::to_string(told_self_)},
                         {"firmware", build_info().version},
                         {"uptime_s", to_milliseconds(loop_.now().time_since_epoch()) / 1000},
                         {"channel", config.radio.channel}});
      } else if (peer != nullptr) {
        json = {{"mac", runtime::to_string(peer->node)}, {"channel", report_->channel}};
      }
      break;
    case OldPath::kTransmitterInfo:
      json = {{"known", is_known && !transmitter.is_nobody()}};
      json.update(is_known ? own_values(transmitter, sections::kMetadata) : Json::object());
      break;
    case OldPath::kMqttConfig:
      json = is_known ? own_values(transmitter, sections::kMqtt) : json;
      break;
    case OldPath::kNetworkConfig:
      json = is_known ? own_values(transmitter, sections::kNetwork) : json;
      break;
    case OldPath::kTransmitterStatus:
      json = {{"connected", peer != nullptr && peer->state != liveness::State::kDisconnected}};
      if (peer != nullptr && peer->last_beacon) {
        json["seconds_since_beacon"] = to_milliseconds(loop_.now() - *peer->last_beacon) / 1000;
      }
      break;
  }
  reply(json_response(json));
}

}  // namespace amphora::run
