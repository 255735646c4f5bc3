// SPDX-License-Identifier: Apache-2.0
// The gateway's side of commands: what command.hpp's gate lets in, this sends.
//
// order() takes a command for one pack or for all and gives a ticket. The command goes out as its frame and,
// in sealed mode, the seal directly behind it. Packs that are expected to answer are listed with the order.
// To those that did not, the same frames are repeated with back-off (kTryWaits); the gate acknowledges a
// repetition again and does not carry it out again, so repeating to all is harmless. Events tell the outcome
// at each pack, and at last that the order is over.
//
// Order: packs get orders in the sequence in which they were given. An order waits while an earlier one has a
// pack in common with it (an order to all has, with every other), so that no repetition of an old value can
// arrive after a new one; orders to different packs run at the same time. At most kOrdersMax at once,
// further ones are refused.
//
// Counter: every order takes a number that was never used before, durable in steps: poll_store() gives the
// first number that is not covered, and nothing is sent with a number that is not covered. The lower eight
// bits are the sequence, in plain mode as well. A pack that answers kReplayed has a floor above: the counter
// is raised beyond it (kRaiseMax at most, because answers are not authenticated and forged ones must not use
// it up). A pack that answers kNotAuthentic may be far behind: the repetition carries the epoch. When it
// answers so again, the key is wrong.
//
// At most once: kBusy, or kReplayed when no earlier try is left without an answer, says that the command was
// not carried out; it is given to that pack alone with a number of its own, once. After an unanswered try the
// pack may have carried it out and restarted; then nothing is repeated, and kReplayed is the outcome. (In
// plain mode a pack that restarts between two tries carries the command out twice.)
//
// Works only while this gateway is the active one. Not done here: the table of packs, which belongs to
// network.hpp; frames are sent by the owner in the order in which they come.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/machine.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/packnet/command.hpp"
#include "core/packnet/frames.hpp"
#include "core/packnet/node_table.hpp"

namespace amphora::packnet {

inline constexpr std::size_t kOrdersMax = 8;
// After the first try, the second, and so on; after the last one the pack counts as silent.
inline constexpr auto kTryWaits = std::array<Duration, 5>{
    std::chrono::milliseconds{100}, std::chrono::milliseconds{200}, std::chrono::milliseconds{400},
    std::chrono::milliseconds{800}, std::chrono::milliseconds{1600}};
inline constexpr std::uint32_t kCounterStep = 64;
inline constexpr std::uint32_t kRaiseMax = 0x7FFF'FFFF;

struct CommanderConfig {
  bool is_sealed = true;
  crypto::Key key{};          // command_key(); unused in plain mode
  std::uint64_t counter = 0;  // as stored: every number from here on is unused
};

struct OrderRefusal {
  enum class Reason : std::uint8_t {
    kNotActive,      // another gateway is, or the bus is down
    kBadNode,        // neither a node nor kNodeAll
    kBadCommand,     // see `error`
    kNobody,         // to all, and no pack is known
    kFull,           // kOrdersMax are under way
    kCounterUsedUp,  // 48 bits: not in this life
  };
  Reason reason = Reason::kNotActive;
  CommandError error;
  friend constexpr bool operator==(const OrderRefusal& a, const OrderRefusal& b) {
    return a.reason == b.reason && a.error.result == b.error.result && a.error.argument == b.error.argument;
  }
};
std::string_view to_text(OrderRefusal::Reason reason);

using OrderTicket = std::uint32_t;

enum class Outcome : std::uint8_t {
  kWaiting,
  kDone,     // acknowledged as carried out
  kRefused,  // see `result` and `detail`
  kSilent,   // no answer to any try: it may or may not have been carried out
  kGivenUp   // this gateway is no longer the active one; as kSilent
};
std::string_view to_text(Outcome outcome);

struct OrderCounts {
  std::uint8_t done = 0;
  std::uint8_t refused = 0;
  std::uint8_t silent = 0;  // and given up
  friend constexpr bool operator==(const OrderCounts&, const OrderCounts&) = default;
};

struct CommanderEvent {
  enum class Kind : std::uint8_t {
    kNode,  // the outcome at `node`; for kRefused with the reason
    kOver   // the order is over; see `counts`. The last event of this ticket
  };
  Kind kind = Kind::kNode;
  OrderTicket ticket = 0;
  Node node = kNodeNone;
  Outcome outcome = Outcome::kWaiting;
  CommandResult result = CommandResult::kDone;
  std::uint32_t detail = 0;
  OrderCounts counts;
  friend constexpr bool operator==(const CommanderEvent&, const CommanderEvent&) = default;
};

struct CommanderMetrics {
  std::uint64_t orders = 0;
  std::uint64_t refused = 0;     // by order()
  std::uint64_t repeated = 0;    // tries beyond the first
  std::uint64_t renumbered = 0;  // given to one pack again with a number of its own
  std::uint64_t raised = 0;      // a pack's floor lay above the counter
  std::uint64_t unexpected = 0;  // acknowledgements that belong to no order under way
};

class Commander {
 public:
  explicit Commander(const CommanderConfig& config);

  // `packs`: who is expected to answer an order to all, at most kNodesMax of them; ignored for one node. A
  // pack that answers without being expected is taken up in the outcome.
  Result<OrderTicket, OrderRefusal> order(TimePoint now, Node to, const Command& command,
                                          std::span<const Node> packs);
  Result<OrderTicket, OrderRefusal> order(TimePoint now, Node to, const Command& command,
                                          const NodeTable& nodes);
  // PackNetwork::is_active_gateway(), whenever it may have changed. False in the beginning.
  void set_active(TimePoint now, bool is_active);

  void handle_acknowledgement(TimePoint now, const Acknowledgement& acknowledgement);
  void handle_timeout(TimePoint now);

  // The next number that may not be used before it is durable; then handle_stored(now, the same number). A
  // host that cannot store ends what waits for it with set_active(now, false).
  std::optional<std::uint64_t> poll_store();
  void handle_stored(TimePoint now, std::uint64_t counter);

  // To be sent in the order in which they come, without others to the same id between them.
  std::optional<CommandFrame> poll_transmit(TimePoint now);
  // Every event must be taken: an order keeps its place until its last one was.
  std::optional<CommanderEvent> poll_event();
  TimePoint poll_timeout() const;

  bool is_active() const { return is_active_; }
  std::size_t orders_under_way() const;
  const CommanderMetrics& metrics() const { return metrics_; }

 private:
  // One numbered form of a command, and how often it went out.
  struct Send {
    Node to = kNodeNone;
    bool has_epoch = false;  // from the next try on
    bool is_due = false;
    std::uint8_t tries = 0;
    std::uint64_t counter = 0;
    TimePoint due_at = kNever;  // the next try, or the end after the last one
    std::uint8_t sequence() const { return static_cast<std::uint8_t>(counter & 0xFFU); }
  };
  struct Target {
    Node node = kNodeNone;
    Outcome outcome = Outcome::kWaiting;
    CommandResult result = CommandResult::kDone;
    std::uint32_t detail = 0;
    std::uint8_t not_authentic = 0;
    bool is_told = false;
    bool is_apart = false;  // `send` of its own instead of the order's
    Send send;
  };
  struct Order {
    OrderTicket ticket = 0;  // 0: free
    Command command;
    bool is_running = false;
    Send send;
    std::size_t target_count = 0;
    std::array<Target, kNodesMax> targets{};

    std::span<Target> list() { return std::span{targets}.first(target_count); }
    std::span<const Target> list() const { return std::span{targets}.first(target_count); }
    bool has(Node node) const;
    bool is_over() const;
  };
  // What of the current try is still to be sent.
  enum class Part : std::uint8_t { kNone, kEpoch, kCommand, kSeal };

  void start_waiting();
  bool must_wait(const Order& order) const;
  void settle(Target& target, Outcome outcome, CommandResult result, std::uint32_t detail);
  void handle_answer(TimePoint now, Order& order, Target& target, const Acknowledgement& answer);
  void give_apart(TimePoint at, Target& target);
  void raise(std::uint64_t used, std::uint32_t floor);
  void pass_time(TimePoint now, Order& order, Send& send);
  bool has_listeners(const Order& order, const Send& send) const;
  bool wants_number() const;
  bool begin_try(TimePoint now, Order& order, Send& send);
  bool begin_any_try(TimePoint now);
  CommandFrame next_part();
  // The order given next after `ticket`; none when there is none.
  Order* order_after(OrderTicket ticket);
  Target* target_of(Order& order, Node node, std::uint8_t sequence);

  CommanderConfig config_;
  bool is_active_ = false;
  std::uint64_t counter_ = 0;  // the next number
  std::uint64_t stored_ = 0;   // numbers below may be used
  std::optional<std::uint64_t> storing_;
  OrderTicket next_ticket_ = 1;
  std::array<Order, kOrdersMax> orders_{};
  Part part_ = Part::kNone;
  std::uint64_t part_counter_ = 0;
  CommandFrame part_frame_;
  CommanderMetrics metrics_;
};

static_assert(Machine<Commander>);

}  // namespace amphora::packnet
