// SPDX-License-Identifier: Apache-2.0
// Live values to many WebSocket clients, each at its own pace, without a backlog.
//
// /ws/live: the state is a set of named groups (the top-level members of GET state). update_group() replaces
// one group's JSON; tick() (at most 5 a second) makes one delta message of the groups that changed, encoded
// once and shared by all clients that are up to date. A client that is still busy with an earlier message
// gets, when it is done, one message with every group that changed meanwhile: newest values only. Events wait
// for a slow client in a short queue (kEventBacklogMax); the oldest is dropped and counted. /ws/cells: one
// shared text, newest only, also sent at once to a new client.
//
// Pure of sockets: a client is a WebsocketPeer that asks for its next message. Loop's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/base/time.hpp"

namespace amphora::runtime::http {

inline constexpr std::size_t kEventBacklogMax = 32;

using SharedText = std::shared_ptr<const std::string>;

enum class Channel : std::uint8_t { kLive, kCells };

// One connected client, owned by its connection.
class HubClient {
 public:
  explicit HubClient(Channel channel, std::function<void()> wake)
      : channel_{channel}, wake_{std::move(wake)} {}

 private:
  friend class Hub;
  Channel channel_;
  std::function<void()> wake_;  // there is something to poll; must not poll inside
  bool has_started_ = false;
  std::uint64_t version_ = 0;  // of the newest state or cells this client has been given
  std::deque<SharedText> events_;
};

struct HubCounters {
  std::uint64_t updates = 0;   // deltas and cell messages encoded
  std::uint64_t messages = 0;  // handed to clients
  std::uint64_t merged = 0;    // messages made for a client that had missed updates
  std::uint64_t events_dropped = 0;
  std::uint64_t clients_refused = 0;  // over the limit
};

class Hub {
 public:
  explicit Hub(std::size_t client_max) : client_max_{client_max} {}

  // `json`: the value of the group, already encoded. An equal text is no change. Empty removes the group.
  void update_group(const std::string& name, std::string json);
  // Makes one delta of what changed since the last call and wakes clients. `unix_ms`: its timestamp.
  void tick(std::int64_t unix_ms);
  // `json`: the event object.
  void publish_event(std::string_view json);
  // `json`: the whole message. Empty text: no reading is known.
  void publish_cells(std::string json);

  // False and counted over the limit.
  bool add(HubClient& client);
  void remove(HubClient& client);
  // The next message for this client, or empty. After add() the first one of kLive is the whole state.
  SharedText poll(HubClient& client);

  std::size_t client_count() const { return clients_.size(); }
  const HubCounters& counters() const { return counters_; }

 private:
  struct Group {
    std::string json;
    std::uint64_t version = 0;
  };
  SharedText compose(std::uint64_t after_version) const;
  SharedText poll_live(HubClient& client);

  std::size_t client_max_;
  std::map<std::string, Group> groups_;
  std::uint64_t version_ = 0;       // of the last tick
  std::uint64_t version_next_ = 1;  // what changes now belongs to
  std::int64_t timestamp_ms_ = 0;
  bool has_changes_ = false;
  SharedText delta_;  // from version_ - 1 to version_
  SharedText cells_;
  std::uint64_t cells_version_ = 0;
  std::unordered_set<HubClient*> clients_;
  HubCounters counters_;
};

}  // namespace amphora::runtime::http
