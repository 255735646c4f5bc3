// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/waiting_changes.hpp"

#include <utility>

#include "apps/amphora/run/answers.hpp"
#include "apps/amphora/run/state_json.hpp"

namespace amphora::run {
namespace {

void tell_saved(const runtime::http::Reply& reply, std::uint32_t version) {
  reply(json_response(Json{{"result", "saved"}, {"version", version}}));
}

}  // namespace

void WaitingChanges::add(TimePoint now, std::uint64_t token, NodeId owner,
                         const sections::SectionTable& table, runtime::http::Reply reply) {
  changes_.emplace(token, Change{std::move(reply), &table, owner, std::nullopt, now + kStorePatience});
}

const sections::SectionTable* WaitingChanges::table(std::uint64_t token) const {
  const auto found = changes_.find(token);
  return found != changes_.end() ? found->second.table : nullptr;
}

void WaitingChanges::refuse(std::uint64_t token, const runtime::http::Problem& problem) {
  if (const auto found = changes_.find(token); found != changes_.end()) {
    found->second.reply(problem_response(problem));
    changes_.erase(found);
  }
}

void WaitingChanges::accept(std::uint64_t token, std::uint32_t version, bool is_to_be_stored) {
  const auto found = changes_.find(token);
  if (found == changes_.end()) {
    return;
  }
  if (is_to_be_stored) {
    found->second.version = version;
    return;
  }
  tell_saved(found->second.reply, version);
  changes_.erase(found);
}

void WaitingChanges::handle_store(NodeId owner, const state::ReplicaEvent& event) {
  using Kind = state::ReplicaEvent::Kind;
  if (event.kind != Kind::kStored && event.kind != Kind::kStoreFailed) {
    return;
  }
  std::erase_if(changes_, [&](auto& entry) {
    const Change& change = entry.second;
    if (change.owner != owner || change.table->id != event.section || !change.version) {
      return false;
    }
    if (event.kind == Kind::kStoreFailed) {
      change.reply(unavailable("not_stored",
                               "The setting is in force but could not be stored yet; it is tried again."));
      return true;
    }
    if (event.version < *change.version) {
      return false;
    }
    tell_saved(change.reply, *change.version);
    return true;
  });
}

void WaitingChanges::give_up(TimePoint now) {
  std::erase_if(changes_, [now](auto& entry) {
    if (now < entry.second.give_up_at) {
      return false;
    }
    entry.second.reply(unavailable("not_stored", "The setting could not be stored yet; it is tried again."));
    return true;
  });
}

}  // namespace amphora::run
