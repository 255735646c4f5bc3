// SPDX-License-Identifier: Apache-2.0
#include "runtime/link/node_host.hpp"

#include <sys/random.h>

#include "core/base/assert.hpp"

namespace amphora::runtime {

std::uint64_t random_bits() {
  std::uint64_t bits = 0;
  AMPHORA_ASSERT(::getrandom(&bits, sizeof bits, 0) == static_cast<ssize_t>(sizeof bits));
  return bits;
}

link::PairingEntropy pairing_entropy() {
  link::PairingEntropy entropy{};
  AMPHORA_ASSERT(::getrandom(entropy.data(), entropy.size(), 0) == static_cast<ssize_t>(entropy.size()));
  return entropy;
}

std::string_view to_text(LinkPairing::State state) {
  constexpr std::string_view kNames[] = {"idle", "showing", "waiting", "exchanging", "done", "failed"};
  return kNames[static_cast<std::size_t>(state)];
}

link::SendStatus to_send_status(RadioSendResult result) {
  switch (result) {
    case RadioSendResult::kAcked:
      return link::SendStatus::kAcked;
    case RadioSendResult::kNoAck:
      return link::SendStatus::kNoAck;
    case RadioSendResult::kNotSent:
      return link::SendStatus::kNotSent;
  }
  return link::SendStatus::kNotSent;
}

LinkSection section_report(const state::Replica& replica, state::SectionId section,
                           const state::Exchange* exchange) {
  LinkSection report;
  report.id = section;
  report.record = replica.current(section);
  report.sync = exchange != nullptr ? exchange->sync_state(section) : state::SyncState::kLocal;
  report.conflict_at = replica.conflict_at(section);
  report.is_waiting_for_time = replica.is_waiting_for_time(section);
  return report;
}

ChangeAnswer change_section(TimePoint now, state::Replica& replica, const ChangeOrder& order) {
  const sections::SectionTable* const table = sections::find_table(order.section);
  if (table == nullptr || !replica.has_section(order.section)) {
    return {order.token, ChangeAnswer::Unknown{}, false};
  }
  auto values = sections::decode(*table, replica.current(order.section).payload.bytes());
  // What cannot be read is replaced by the defaults that were shown for it.
  sections::Values changed = values.ok() ? *values : sections::default_values(*table);
  for (const auto& [index, value] : order.fields) {
    changed.fields[index] = value;
  }
  const auto payload = sections::encode(*table, changed);
  if (!payload.ok()) {
    return {order.token, payload.error(), false};
  }
  const auto outcome = replica.change(now, order.section, payload->bytes());
  if (!outcome.ok()) {
    return {order.token, outcome.error(), false};
  }
  return {order.token, replica.current(order.section).version, *outcome == state::ChangeOutcome::kStamped};
}

void seed_section(TimePoint now, state::Replica& replica, const SeedOrder& order) {
  if (!replica.has_section(order.section) || replica.is_waiting_for_time(order.section)) {
    return;
  }
  const state::Record& current = replica.current(order.section);
  if (is_seed(current) && current.payload != order.payload) {
    (void)replica.merge(
        now, order.section,
        {current.version + 1, state::successor(current.stamp), replica.self(), order.payload});
  }
}

void restore_sections(TimePoint now, state::Replica& replica, NodeId owner,
                      const std::vector<StoredSection>& stored) {
  for (const StoredSection& section : stored) {
    if (section.owner != owner) {
      continue;
    }
    if (!section.record || !replica.restore(section.section, *section.record).ok()) {
      replica.report_corrupt(now, section.section);
    }
  }
}

}  // namespace amphora::runtime
