// SPDX-License-Identifier: Apache-2.0
#include "runtime/websocket/hub.hpp"

#include <utility>

namespace amphora::runtime::http {

void Hub::update_group(const std::string& name, std::string json) {
  Group& group = groups_[name];
  if (group.json == json && group.version != 0) {
    return;
  }
  group.json = std::move(json);
  group.version = version_next_;
  has_changes_ = true;
}

void Hub::tick(std::int64_t unix_ms) {
  if (!has_changes_) {
    return;
  }
  has_changes_ = false;
  timestamp_ms_ = unix_ms;
  version_ = version_next_++;
  delta_ = compose(version_ - 1);
  ++counters_.updates;
  for (HubClient* client : clients_) {
    if (client->channel_ == Channel::kLive) {
      client->wake_();
    }
  }
}

// Groups that changed after the given version; version 0 is the whole state.
SharedText Hub::compose(std::uint64_t after_version) const {
  auto text = std::make_shared<std::string>();
  if (after_version == 0) {
    *text = "{\"type\":\"state\",\"timestamp\":" + std::to_string(timestamp_ms_);
  } else {
    *text = "{\"type\":\"delta\",\"timestamp\":" + std::to_string(timestamp_ms_);
  }
  for (const auto& [name, group] : groups_) {
    if (group.version <= after_version || group.version > version_) {
      continue;
    }
    // A group that is gone is null in a delta, so that it is removed, and absent from a whole state.
    if (!group.json.empty()) {
      *text += ",\"" + name + "\":" + group.json;
    } else if (after_version != 0) {
      *text += ",\"" + name + "\":null";
    }
  }
  *text += "}";
  return text;
}

void Hub::publish_event(std::string_view json) {
  auto text = std::make_shared<std::string>("{\"type\":\"event\",\"event\":");
  text->append(json).append("}");
  for (HubClient* client : clients_) {
    if (client->channel_ != Channel::kLive) {
      continue;
    }
    if (client->events_.size() >= kEventBacklogMax) {
      client->events_.pop_front();
      ++counters_.events_dropped;
    }
    client->events_.push_back(text);
    client->wake_();
  }
}

void Hub::publish_cells(std::string json) {
  ++cells_version_;
  cells_ = json.empty() ? nullptr : std::make_shared<const std::string>(std::move(json));
  ++counters_.updates;
  if (!cells_) {
    return;
  }
  for (HubClient* client : clients_) {
    if (client->channel_ == Channel::kCells) {
      client->wake_();
    }
  }
}

bool Hub::add(HubClient& client) {
  if (clients_.size() >= client_max_) {
    ++counters_.clients_refused;
    return false;
  }
  clients_.insert(&client);
  client.wake_();
  return true;
}

void Hub::remove(HubClient& client) {
  clients_.erase(&client);
}

SharedText Hub::poll_live(HubClient& client) {
  if (!client.has_started_) {
    if (version_ == 0) {
      return nullptr;  // nothing is known of the box yet
    }
    client.has_started_ = true;
    client.version_ = version_;
    return compose(0);
  }
  if (client.version_ < version_) {
    const bool is_up_to_date = client.version_ + 1 == version_;
    counters_.merged += is_up_to_date ? 0 : 1;
    SharedText text = is_up_to_date ? delta_ : compose(client.version_);
    client.version_ = version_;
    return text;
  }
  if (!client.events_.empty()) {
    SharedText text = std::move(client.events_.front());
    client.events_.pop_front();
    return text;
  }
  return nullptr;
}

SharedText Hub::poll(HubClient& client) {
  SharedText text;
  if (client.channel_ == Channel::kLive) {
    text = poll_live(client);
  } else if (client.version_ < cells_version_) {
    client.version_ = cells_version_;
    text = cells_;
  }
  counters_.messages += text ? 1 : 0;
  return text;
}

}  // namespace amphora::runtime::http
