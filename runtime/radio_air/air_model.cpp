// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio_air/air_model.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/link/espnow.hpp"

namespace amphora::runtime::air {

namespace {

constexpr std::size_t kEventCountMax = 256;

Duration time_of_try(const NodeId to, std::size_t size) {
  const std::uint32_t ack_us = to == kEverybody ? 0 : espnow::kAckTimeUs;
  return Duration{espnow::kAccessTimeUs + espnow::airtime_us(size) + ack_us};
}

}  // namespace

std::string_view to_text(AirEvent::Kind kind) {
  constexpr std::string_view kNames[] = {"joined", "left", "expired", "replaced", "channel"};
  return kNames[static_cast<std::size_t>(kind)];
}

AirModel::AirModel(AirConfig config) : config_{std::move(config)}, rng_{config_.seed} {
  AMPHORA_ASSERT(!config_.channels.empty() && config_.try_count > 0);
}

void AirModel::handle_datagram(TimePoint now, ClientKey from, ByteSpan bytes) {
  handle_timeout(now);
  const auto datagram = decode_datagram(bytes);
  if (!datagram) {
    ++counters_.malformed;
    return;
  }
  if (const auto client = clients_.find(from); client != clients_.end()) {
    client->second.heard_at = now;
  }
  std::visit([&](const auto& message) { handle(now, from, message); }, *datagram);
}

void AirModel::handle_timeout(TimePoint now) {
  while (!on_air_.empty() && on_air_.begin()->first <= now) {
    auto node = on_air_.extract(on_air_.begin());
    end_try(node.key(), node.mapped());
  }
  for (auto client = clients_.begin(); client != clients_.end();) {
    const auto next = std::next(client);
    if (client->second.heard_at + config_.expiry <= now) {
      remove(client, AirEvent::Kind::kExpired);
    }
    client = next;
  }
}

std::optional<AirOutput> AirModel::poll_output(TimePoint now) {
  if (outputs_.empty() || outputs_.begin()->first > now) {
    return std::nullopt;
  }
  return outputs_.extract(outputs_.begin()).mapped();
}

std::optional<AirEvent> AirModel::poll_event() {
  if (events_.empty()) {
    return std::nullopt;
  }
  const AirEvent event = events_.front();
  events_.pop_front();
  return event;
}

TimePoint AirModel::poll_timeout() const {
  TimePoint next = kNever;
  if (!on_air_.empty()) {
    next = on_air_.begin()->first;
  }
  if (!outputs_.empty()) {
    next = earliest(next, outputs_.begin()->first);
  }
  for (const auto& [key, client] : clients_) {
    next = earliest(next, client.heard_at + config_.expiry);
  }
  return next;
}

void AirModel::handle(TimePoint now, ClientKey from, const Hello& hello) {
  const auto known = clients_.find(from);
  if (known != clients_.end()) {
    if (known->second.mac == hello.mac && known->second.instance == hello.instance) {
      return tell(now, from, Welcome{hello.instance, HelloResult::kWelcome, known->second.channel});
    }
    remove(known, AirEvent::Kind::kReplaced);
  }
  if (const auto other = find(hello.mac); other != clients_.end()) {
    if (!hello.is_first && other->second.instance != hello.instance) {
      return tell(now, from, Welcome{hello.instance, HelloResult::kReplaced, 0});
    }
    remove(other, AirEvent::Kind::kReplaced);
  }
  if (clients_.size() >= config_.client_max) {
    return tell(now, from, Welcome{hello.instance, HelloResult::kFull, 0});
  }
  const bool is_good = is_allowed(hello.channel);
  const std::uint8_t channel = is_good ? hello.channel : config_.channels.front();
  clients_[from] = Client{hello.instance, hello.mac, channel, now, false};
  note({AirEvent::Kind::kJoined, hello.mac, channel});
  tell(now, from,
       Welcome{hello.instance, is_good ? HelloResult::kWelcome : HelloResult::kBadChannel, channel});
}

void AirModel::handle(TimePoint now, ClientKey from, const Send& send) {
  const auto client = clients_.find(from);
  if (client == clients_.end() || client->second.is_sending || send.bytes.empty()) {
    ++counters_.refused;
    return tell(now, from, Sent{send.token, RadioSendResult::kNotSent});
  }
  ++counters_.frames;
  client->second.is_sending = true;
  Transmission transmission;
  transmission.from = from;
  transmission.source = client->second.mac;
  transmission.to = send.to;
  transmission.token = send.token;
  transmission.channel = client->second.channel;
  transmission.size = send.bytes.size();
  std::copy(send.bytes.begin(), send.bytes.end(), transmission.bytes.begin());
  put_on_air(now, transmission);
}

void AirModel::handle(TimePoint now, ClientKey from, const SetChannel& set) {
  const auto client = clients_.find(from);
  if (client == clients_.end()) {
    ++counters_.refused;
    return;
  }
  const bool is_good = is_allowed(set.channel);
  if (is_good && client->second.channel != set.channel) {
    client->second.channel = set.channel;
    note({AirEvent::Kind::kChannel, client->second.mac, set.channel});
  }
  tell(now, from, ChannelSet{set.token, set.channel, is_good});
}

void AirModel::handle(TimePoint, ClientKey from, const Bye&) {
  if (const auto client = clients_.find(from); client != clients_.end()) {
    remove(client, AirEvent::Kind::kLeft);
  }
}

bool AirModel::is_allowed(std::uint8_t channel) const {
  return std::find(config_.channels.begin(), config_.channels.end(), channel) != config_.channels.end();
}

AirModel::Clients::iterator AirModel::find(NodeId mac) {
  return std::find_if(clients_.begin(), clients_.end(),
                      [mac](const auto& entry) { return entry.second.mac == mac; });
}

void AirModel::remove(Clients::iterator client, AirEvent::Kind why) {
  note({why, client->second.mac, client->second.channel});
  clients_.erase(client);
}

void AirModel::put_on_air(TimePoint now, Transmission transmission) {
  TimePoint& free_at = free_at_[transmission.channel];
  free_at = std::max(now, free_at) + time_of_try(transmission.to, transmission.size);
  ++transmission.tries;
  ++counters_.tries;
  on_air_.emplace(free_at, transmission);
}

void AirModel::end_try(TimePoint now, Transmission& transmission) {
  const bool is_broadcast = transmission.to == kEverybody;
  bool is_acked = is_broadcast;
  for (const auto& [key, client] : clients_) {
    const bool is_meant = key != transmission.from && (is_broadcast || client.mac == transmission.to);
    if (!is_meant || client.channel != transmission.channel) {
      continue;
    }
    if (rng_.chance(config_.loss_ppm)) {
      ++counters_.lost;
      continue;
    }
    // A repetition whose first try arrived is recognised by the receiving radio and only acknowledged.
    if (!transmission.is_delivered) {
      deliver(now, transmission, key);
      transmission.is_delivered = !is_broadcast;
    }
    is_acked = is_broadcast || !rng_.chance(config_.loss_ppm);
  }
  if (!is_acked && transmission.tries < config_.try_count) {
    return put_on_air(now, transmission);
  }
  counters_.no_ack += is_acked ? 0U : 1U;
  if (const auto sender = clients_.find(transmission.from); sender != clients_.end()) {
    sender->second.is_sending = false;
    tell(now, transmission.from,
         Sent{transmission.token, is_acked ? RadioSendResult::kAcked : RadioSendResult::kNoAck});
  }
}

void AirModel::deliver(TimePoint now, const Transmission& transmission, ClientKey to) {
  ++counters_.delivered;
  tell(now, to,
       Received{transmission.source, transmission.to, config_.rssi_dbm,
                ByteSpan{transmission.bytes}.first(transmission.size)});
}

void AirModel::tell(TimePoint now, ClientKey to, const Datagram& datagram) {
  AirOutput output;
  output.to = to;
  output.size = encode_datagram(datagram, output.bytes).size();
  outputs_.emplace(now + config_.delay, output);
}

void AirModel::note(AirEvent event) {
  if (events_.size() == kEventCountMax) {
    events_.pop_front();
    ++counters_.events_dropped;
  }
  events_.push_back(event);
}

}  // namespace amphora::runtime::air
