// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/link_event_text.hpp"

#include <fmt/format.h>

#include <utility>

#include "apps/amphora/run/sections_json.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "core/sections/tables.hpp"
#include "runtime/link/link_store.hpp"

namespace amphora::run {
namespace {

using runtime::EventLevel;
using runtime::EventRecord;
using Told = std::optional<EventRecord>;

EventRecord tell(EventLevel level, std::string code, std::string text, Json data = {}) {
  EventRecord record;
  record.level = level;
  record.source = "link";
  record.code = std::move(code);
  record.text = std::move(text);
  record.data = data.is_object() ? data.dump() : std::string{};
  return record;
}

Told describe(const node::PhaseChanged& change) {
  using enum node::TransmitterPhase;
  switch (change.phase) {
    case kRadioDown:
      return tell(EventLevel::kWarning, "radio_down",
                  "The radio does not work; readings wait until it is back. The link page says why.");
    case kUnpaired:
      return tell(EventLevel::kNotice, "unpaired",
                  "No receiver is paired with this box yet: show a code here and enter it at the receiver.");
    case kSearching:
      return tell(EventLevel::kInfo, "searching", "The receiver is looked for on all channels.");
    case kVerifying:
    case kPairing:
      return std::nullopt;
    case kLinked:
      return tell(EventLevel::kInfo, "receiver_found",
                  fmt::format("The receiver is found on channel {}.", change.channel),
                  {{"channel", change.channel}});
  }
  return std::nullopt;
}

Told describe(const liveness::Change& change, const std::string& peer) {
  const Json data{{"from", liveness::to_text(change.from)}, {"to", liveness::to_text(change.to)}};
  switch (change.to) {
    case liveness::State::kConnected:
      return tell(EventLevel::kNotice, "peer_connected", fmt::format("Contact with {}.", peer), data);
    case liveness::State::kDegraded:
      return tell(EventLevel::kInfo, "peer_degraded",
                  fmt::format("Contact with {} is doubtful; it is being looked for.", peer), data);
    case liveness::State::kFailing:
      return tell(EventLevel::kNotice, "peer_failing", fmt::format("Nothing heard of {} for long.", peer),
                  data);
    case liveness::State::kDisconnected:
      return tell(EventLevel::kWarning, "peer_lost",
                  fmt::format("Contact with {} is lost. Its last values and settings are shown as old; it is "
                              "found again by itself.",
                              peer),
                  data);
  }
  return std::nullopt;
}

Told describe(const state::ReplicaEvent& event, const std::string& whose) {
  using enum state::ReplicaEvent::Kind;
  const std::string section = section_title(event.section);
  const Json data{
      {"section", section}, {"version", event.version}, {"origin", runtime::to_string(event.origin)}};
  switch (event.kind) {
    case kChanged:
    case kStored:
      return std::nullopt;
    case kAdopted:
      return tell(EventLevel::kNotice, "section_adopted",
                  fmt::format("{} of {}: version {} was taken over from the other box.", section, whose,
                              event.version),
                  data);
    case kConflictTheirs:
      return tell(EventLevel::kWarning, "section_conflict",
                  fmt::format("{} of {} was changed at both boxes; the newer change, made at the other box, "
                              "holds. What was changed here before is gone.",
                              section, whose),
                  data);
    case kStoreFailed:
      return tell(
          EventLevel::kError, "section_not_stored",
          fmt::format("{} of {} cannot be stored, so the other box is not told of it yet; it is tried "
                      "again.",
                      section, whose),
          data);
    case kCorrupt:
      return tell(EventLevel::kError, "section_damaged",
                  fmt::format("What was stored of {} of {} is damaged and left out; the other box brings it "
                              "back.",
                              section, whose),
                  data);
  }
  return std::nullopt;
}

Told describe(const state::ExchangeEvent& event, const std::string& peer) {
  using enum state::ExchangeEvent::Kind;
  const std::string section = section_title(event.section);
  switch (event.kind) {
    case kSynchronised:
    case kAcknowledged:
      return std::nullopt;
    case kPeerStoreFailed:
      return tell(EventLevel::kWarning, "peer_store_failed",
                  fmt::format("{} cannot store {}; it is sent again.", peer, section));
    case kRefusedByPeer:
      return tell(EventLevel::kWarning, "peer_refused",
                  fmt::format("{} does not take {} from here; both boxes may run different versions.", peer,
                              section));
    case kTie:
      return tell(EventLevel::kNotice, "sections_compared",
                  fmt::format("The settings here and at {} differed although they are equally new; all were "
                              "exchanged.",
                              peer));
  }
  return std::nullopt;
}

Told describe(const telemetry::SenderEvent& event) {
  using enum telemetry::SenderEvent::Kind;
  const Json data{{"detail", event.detail}};
  switch (event.kind) {
    case kOverflow:
      return tell(EventLevel::kWarning, "queue_full",
                  "The receiver has been away for so long that the oldest waiting readings are dropped.",
                  data);
    case kExpired:
      return tell(EventLevel::kNotice, "readings_expired",
                  fmt::format("{} readings waited for too long and were dropped.", event.detail), data);
    case kWatchdogRestart:
      return tell(EventLevel::kWarning, "queue_restarted",
                  fmt::format("{} readings got no answer for a minute; sending begins anew.", event.detail),
                  data);
    case kAckRefused:
      return tell(
          EventLevel::kWarning, "ack_refused",
          "The receiver acknowledges readings that were never sent; it may have another stream in mind.",
          data);
    case kStoreFailed:
      return tell(EventLevel::kError, "queue_not_stored",
                  "Waiting readings cannot be stored and would not survive a restart; it is tried again.",
                  data);
  }
  return std::nullopt;
}

Told describe(const telemetry::ReceiverEvent& event, const std::string& peer) {
  using enum telemetry::ReceiverEvent::Kind;
  const Json data{{"detail", event.detail}};
  switch (event.kind) {
    case kNewEpoch:
      return std::nullopt;
    case kMissing:
      return tell(
          EventLevel::kNotice, "readings_missing",
          fmt::format("{} readings of {} will never come; the history has a gap.", event.detail, peer), data);
    case kRewound:
      return tell(
          EventLevel::kError, "readings_refused",
          fmt::format("{} counts its readings again from before; nothing is taken from it. Restart it.",
                      peer),
          data);
    case kDeliveryFailed:
      return tell(EventLevel::kError, "reading_not_stored",
                  fmt::format("A reading of {} cannot be stored; it is tried again.", peer), data);
  }
  return std::nullopt;
}

std::string reason_text(link::PairingEvent::Reason reason) {
  using enum link::PairingEvent::Reason;
  switch (reason) {
    case kExpired:
      return "the code has expired";
    case kTooManyTries:
      return "the code was tried too often";
    case kWrongCode:
      return "the code was wrong";
    case kRefused:
      return "no transmitter in reach shows this code";
    case kBusy:
      return "the other box was busy with somebody else";
    case kNoAnswer:
      return "no transmitter that shows a code was heard";
    case kStoreFailed:
      return "the key could not be stored";
    case kNone:
    case kCancelled:
      break;
  }
  return "it was cancelled";
}

Told describe(const link::PairingEvent& event) {
  using enum link::PairingEvent::Kind;
  const Json data{{"peer", runtime::to_string(event.peer)}, {"reason", link::to_text(event.reason)}};
  switch (event.kind) {
    case kOpened:
      return tell(EventLevel::kNotice, "pairing_opened", "Pairing has begun.");
    case kTry:
      return tell(EventLevel::kNotice, "pairing_tried",
                  fmt::format("A box has tried the code: {}.", runtime::to_string(event.peer)), data);
    case kPaired:
      return tell(
          EventLevel::kNotice, "paired",
          fmt::format("Paired with {}; the link is sealed from now on.", runtime::to_string(event.peer)),
          data);
    case kClosed:
      if (event.reason == link::PairingEvent::Reason::kNone) {
        return std::nullopt;
      }
      return tell(
          event.reason == link::PairingEvent::Reason::kCancelled ? EventLevel::kNotice : EventLevel::kWarning,
          "pairing_ended", fmt::format("Pairing has ended: {}.", reason_text(event.reason)), data);
  }
  return std::nullopt;
}

}  // namespace

std::optional<EventRecord> describe(const node::TransmitterEvent& event, NodeId self, const PeerName& name) {
  const std::string peer = name(NodeId{});
  if (const auto* phase = std::get_if<node::PhaseChanged>(&event.what)) {
    return describe(*phase);
  }
  if (const auto* pairing = std::get_if<link::PairingEvent>(&event.what)) {
    return describe(*pairing);
  }
  if (const auto* change = std::get_if<liveness::Change>(&event.what)) {
    return describe(*change, peer);
  }
  if (const auto* replica = std::get_if<state::ReplicaEvent>(&event.what)) {
    // What the configuration file says is taken over from nobody.
    const bool is_seed = replica->kind == state::ReplicaEvent::Kind::kAdopted && replica->origin == self;
    return is_seed ? std::nullopt : describe(*replica, "this box");
  }
  if (const auto* exchange = std::get_if<state::ExchangeEvent>(&event.what)) {
    return describe(*exchange, peer);
  }
  if (const auto* queue = std::get_if<telemetry::SenderEvent>(&event.what)) {
    return describe(*queue);
  }
  return std::nullopt;
}

std::optional<EventRecord> describe(const node::ReceiverEvent& event, NodeId self, const PeerName& name) {
  const std::string peer = event.peer == self ? "this box" : name(event.peer);
  if (const auto* pairing = std::get_if<link::PairingEvent>(&event.what)) {
    return describe(*pairing);
  }
  if (const auto* change = std::get_if<liveness::Change>(&event.what)) {
    return describe(*change, peer);
  }
  if (const auto* replica = std::get_if<state::ReplicaEvent>(&event.what)) {
    const bool is_seed = event.peer == self && replica->kind == state::ReplicaEvent::Kind::kAdopted;
    return is_seed ? std::nullopt : describe(*replica, peer);
  }
  if (const auto* exchange = std::get_if<state::ExchangeEvent>(&event.what)) {
    return describe(*exchange, peer);
  }
  if (const auto* readings = std::get_if<telemetry::ReceiverEvent>(&event.what)) {
    return describe(*readings, peer);
  }
  return std::nullopt;
}

}  // namespace amphora::run
