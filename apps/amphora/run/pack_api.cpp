// SPDX-License-Identifier: Apache-2.0
// What the pack part answers to people.
#include <fmt/format.h>

#include <utility>

#include "apps/amphora/run/answers.hpp"
#include "apps/amphora/run/pack_part.hpp"
#include "apps/amphora/run/pack_text.hpp"
#include "apps/amphora/run/sections_json.hpp"
#include "core/sections/tables.hpp"
#include "runtime/link/link_store.hpp"

namespace amphora::run {
namespace {

using runtime::EventLevel;
using runtime::http::Actor;
using runtime::http::Problem;
using runtime::http::problem_response;
using runtime::http::Reply;

// The node id of section records: the lower 48 bits, as the node has it.
NodeId origin_of(packnet::HardwareNumber hardware) {
  constexpr std::uint64_t kMask = (std::uint64_t{1} << 48U) - 1;
  return NodeId{(hardware & kMask) != 0 ? hardware & kMask : 1};
}

std::optional<energy::Relay> relay_from(std::string_view name) {
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    if (to_text(energy::relay_at(i)) == name) {
      return energy::relay_at(i);
    }
  }
  return std::nullopt;
}

bool is_pack_section(state::SectionId section) {
  for (const state::SectionSpec& spec : sections::pack_specs()) {
    if (spec.id == section) {
      return true;
    }
  }
  return false;
}

std::string_view in_the_middle(energy::Holder holder) {
  switch (holder) {
    case energy::Holder::kSafety:
      return "safety";
    case energy::Holder::kMinimumSoc:
      return "the minimum charge";
    case energy::Holder::kImportLimit:
      return "the import limit";
    case energy::Holder::kBackup:
      return "backup";
    case energy::Holder::kSelfConsumption:
      return "self-consumption";
    case energy::Holder::kEco:
      return "eco";
    case energy::Holder::kTimeOfUse:
      return "time of use";
    case energy::Holder::kManual:
    case energy::Holder::kDefault:
    case energy::Holder::kCount:
      break;
  }
  return "a mode";
}

Problem held_problem(energy::Relay relay, energy::Holder holder) {
  const bool is_mode = holder != energy::Holder::kSafety && holder != energy::Holder::kMinimumSoc;
  return make_problem(409, "held_by_mode",
                      fmt::format("{} is held by {}; {}.", title_of(relay), in_the_middle(holder),
                                  is_mode ? fmt::format("switch {} off instead", in_the_middle(holder))
                                          : std::string{"nobody may switch it until that is over"}),
                      "relay");
}

Problem refusal_problem(const sections::SectionTable& table, const node::SectionChangeRefusal& refusal) {
  if (refusal.field) {
    return to_problem(table, *refusal.field);
  }
  const energy::SettingsError fault = refusal.fault.value_or(energy::SettingsError{});
  return make_problem(
      422, "conflict",
      fmt::format("{} does not go with the other settings; allowed: {}.", fault.field, fault.allowed),
      "values");
}

}  // namespace

void PackPart::sections(const Reply& reply) const {
  std::vector<SectionScope> scopes;
  if (report_) {
    const NodeId self = origin_of(report_->bus.hardware);
    SectionScope scope{"own", "All packs on this bus", runtime::to_string(self), self, report_->sections};
    scope.follows_file = false;
    scopes.push_back(std::move(scope));
  }
  reply(json_response(sections_json(scopes, loop_.now(), runtime::wall_now())));
}

void PackPart::put_section(const runtime::http::SectionChange& change, const Actor& actor, Reply reply) {
  const sections::SectionTable* const table = sections::find_table(change.change.section);
  if (change.scope != "own" || table == nullptr || !is_pack_section(table->id)) {
    reply(problem_response(make_problem(
        404, "unknown_section",
        "There is no section \"" + change.change.section + "\" of \"" + change.scope + "\" here.",
        change.scope != "own" ? "scope" : "section")));
    return;
  }
  auto fields = to_field_changes(*table, change.change.values);
  if (const auto* problem = std::get_if<Problem>(&fields)) {
    reply(problem_response(*problem));
    return;
  }
  const std::uint64_t token = ++token_;
  if (!thread_.order(runtime::PackChangeOrder{token, table->id, std::move(std::get<FieldChanges>(fields))})) {
    reply(unavailable("busy", "The box has too much to do; try again."));
    return;
  }
  journal_.note(EventLevel::kNotice, "settings", "section_changed",
                who(actor) + " changed " + std::string{table->title} + " of all packs.");
  changes_.add(loop_.now(), token, kAllPacks, *table, std::move(reply));
}

void PackPart::handle(const runtime::PackChangeAnswer& answer) {
  if (const auto* refusal = std::get_if<node::SectionChangeRefusal>(&answer.result)) {
    changes_.refuse(answer.token, refusal_problem(*sections::find_table(answer.section), *refusal));
  } else {
    changes_.accept(answer.token, std::get<std::uint32_t>(answer.result), answer.is_to_be_stored);
  }
}

void PackPart::handle_request(const runtime::http::PackRequest& request, const Actor& actor, Reply reply) {
  using runtime::http::RelayRequest;
  const std::uint64_t token = ++token_;
  PendingOrder pending{std::move(reply), energy::Relay::kGrid};
  runtime::PackOrder order = runtime::PackResetOrder{token};
  if (const auto* relay = std::get_if<RelayRequest>(&request)) {
    const auto which = relay_from(relay->relay);
    if (!which || !options_.node.control.relays[index_of(*which)].is_fitted) {
      pending.reply(problem_response(make_problem(
          404, "not_fitted", fmt::format("This pack has no relay \"{}\".", relay->relay), "relay")));
      return;
    }
    pending.relay = *which;
    runtime::PackRelayOrder wanted{token, *which, std::nullopt, std::chrono::minutes{relay->minutes}};
    if (relay->order != RelayRequest::Order::kAuto) {
      wanted.position =
          relay->order == RelayRequest::Order::kClosed ? energy::Position::kClosed : energy::Position::kOpen;
    }
    order = wanted;
  } else if (const auto* identify = std::get_if<runtime::http::IdentifyRequest>(&request)) {
    order = runtime::PackIdentifyOrder{token, std::chrono::seconds{identify->seconds}};
  }
  if (!thread_.order(std::move(order))) {
    pending.reply(unavailable("busy", "The box has too much to do; try again."));
    return;
  }
  journal_.note(EventLevel::kNotice, "energy", "pack_ordered", who(actor) + ": " + describe(request));
  orders_.emplace(token, std::move(pending));
}

void PackPart::handle(const runtime::PackAnswer& answer) {
  const auto found = orders_.find(answer.token);
  if (found == orders_.end()) {
    return;
  }
  const PendingOrder& pending = found->second;
  if (!answer.refusal) {
    pending.reply(json_response(Json::object()));
  } else if (*answer.refusal == energy::OrderError::kHeldByMode) {
    pending.reply(problem_response(held_problem(pending.relay, answer.holder)));
  } else if (*answer.refusal == energy::OrderError::kNotFitted) {
    pending.reply(problem_response(make_problem(
        404, "not_fitted", fmt::format("This pack has no relay \"{}\".", to_text(pending.relay)), "relay")));
  } else {
    pending.reply(
        problem_response(make_problem(422, "bad_value", "Allowed: 1 to 10080 minutes.", "minutes")));
  }
  orders_.erase(found);
}

}  // namespace amphora::run
