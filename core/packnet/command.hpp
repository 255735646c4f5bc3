// SPDX-License-Identifier: Apache-2.0
// Commands from the gateway to one pack or to all, and the gate at the pack that lets them in.
//
// One table says which opcodes exist, where their arguments lie and what range each may have; the gateway
// encodes with it, the pack refuses with it: unknown opcode, bad length, out of range, each with its reason
// and nothing changed.
//
// A command is one frame. Where commands are authenticated (GateConfig::is_sealed, the normal case once a
// pack belongs to a home) a second frame with the same id and sequence follows at once, the seal: the lower
// 16 bits of a 48-bit counter and the first 32 bits of a keyed BLAKE2b over gateway number, addressee,
// counter and command. The pack completes the counter to the next one above the last that it accepted. A pack
// that is more than 16 bits behind (a new one, or one that was away for long) is helped by a frame before the
// command, the epoch: the upper 32 bits. It needs no protection, because the seal covers the whole counter.
// A counter is accepted once, and only above every earlier one. kSealTriesMax wrong
// seals close the gate for kGateClosed, so that guessing 32 bits takes a lifetime. In plain mode, by explicit
// configuration, commands count as they are, and seals are ignored.
//
// The pack keeps a floor for the counter over restarts, kFloorStep ahead of what it has seen, so that flash
// is written once in kFloorStep commands. A command that raises it is released when the host says that the
// floor is stored. After a restart the gateway's next command may therefore lie below the floor: it is
// refused with kReplayed and the floor, and the gateway goes on from there.
//
// A repetition (same sequence, opcode and arguments within kRepeatTime, when the acknowledgement was lost) is
// acknowledged again and not carried out again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/base/timers.hpp"
#include "core/crypto/crypto.hpp"
#include "core/packnet/frames.hpp"

namespace amphora::packnet {

enum class Opcode : std::uint8_t {
  kSetMode = 0x01,    // mode 0 to 7, on 0 or 1
  kSetValue = 0x02,   // ValueId, value
  kSetWindow = 0x03,  // index 0 to 7, week days (bit 0 Monday; 0 removes it), begin and end as quarter hours
  kSetRelay = 0x04,   // relay 0 to 6, RelayOrder, minutes until it ends (0: until changed)
  kResetGridEnergy = 0x05,
  kRequestSection = 0x06,  // section
  kIdentify = 0x07,        // seconds, 0 stops
  kRestart = 0x08,         // kRestartWord
  kUpdateControl = 0x09,   // UpdateAction, update number
  kEpoch = 0xFE,           // not a command: the upper 32 bits of the counter of the seal that follows
  kSeal = 0xFF             // not a command: authenticates the one before
};
enum class RelayOrder : std::uint8_t { kOff = 0, kOn = 1, kAuto = 2 };
enum class UpdateAction : std::uint8_t { kAbort = 0, kBegin = 1, kActivate = 2, kStatus = 3 };
inline constexpr std::int32_t kRestartWord = 0x4E52;

enum class ValueId : std::uint8_t {
  kEcoLimit = 1,     // W
  kImportLimit = 2,  // Wh
  kSocLow = 3,       // 0.01 %
  kSocHigh = 4,      // 0.01 %
  kMinimumSoc = 5,   // 0.01 %
  kMainsVoltage = 6  // 0.1 V
};

struct ArgumentInfo {
  std::string_view name;
  std::uint8_t size = 0;  // bytes; 0: there is none
  std::int32_t min = 0;
  std::int32_t max = 0;
};
inline constexpr std::size_t kArgumentsMax = 4;
struct OpcodeInfo {
  Opcode opcode = Opcode::kSetMode;
  std::string_view name;
  std::array<ArgumentInfo, kArgumentsMax> arguments{};

  constexpr std::size_t size() const {
    std::size_t size = 0;
    for (const ArgumentInfo& argument : arguments) {
      size += argument.size;
    }
    return size;
  }
};
inline constexpr std::int32_t kAny32Min = -2'147'483'647 - 1;
inline constexpr std::int32_t kAny32Max = 2'147'483'647;

inline constexpr auto kOpcodes = std::array{
    OpcodeInfo{Opcode::kSetMode, "set_mode", {{{"mode", 1, 0, 7}, {"on", 1, 0, 1}}}},
    // The range of `value` is that of the value it is for, in kValues.
    OpcodeInfo{Opcode::kSetValue, "set_value", {{{"id", 1, 1, 6}, {"value", 4, kAny32Min, kAny32Max}}}},
    OpcodeInfo{Opcode::kSetWindow,
               "set_window",
               {{{"index", 1, 0, 7}, {"days", 1, 0, 127}, {"begin", 1, 0, 95}, {"end", 1, 0, 96}}}},
    OpcodeInfo{Opcode::kSetRelay,
               "set_relay",
               {{{"relay", 1, 0, 6}, {"order", 1, 0, 2}, {"minutes", 2, 0, 65'535}}}},
    OpcodeInfo{Opcode::kResetGridEnergy, "reset_grid_energy", {}},
    OpcodeInfo{Opcode::kRequestSection, "request_section", {{{"section", 1, 0, 15}}}},
    OpcodeInfo{Opcode::kIdentify, "identify", {{{"seconds", 1, 0, 255}}}},
    OpcodeInfo{Opcode::kRestart, "restart", {{{"word", 2, kRestartWord, kRestartWord}}}},
    OpcodeInfo{Opcode::kUpdateControl,
               "update_control",
               {{{"action", 1, 0, 3}, {"number", 4, kAny32Min, kAny32Max}}}},
};
const OpcodeInfo* find_opcode(std::uint8_t opcode);

struct ValueInfo {
  ValueId id = ValueId::kEcoLimit;
  std::string_view name;
  std::int32_t min = 0;
  std::int32_t max = 0;
  std::string_view unit;
};
inline constexpr auto kValues = std::array{
    ValueInfo{ValueId::kEcoLimit, "eco_limit", 100, 100'000, "W"},
    ValueInfo{ValueId::kImportLimit, "import_limit", 2'000, 30'000, "Wh"},
    ValueInfo{ValueId::kSocLow, "soc_low", 0, 10'000, "0.01 %"},
    ValueInfo{ValueId::kSocHigh, "soc_high", 0, 10'000, "0.01 %"},
    ValueInfo{ValueId::kMinimumSoc, "minimum_soc", 0, 10'000, "0.01 %"},
    ValueInfo{ValueId::kMainsVoltage, "mains_voltage", 1'000, 2'600, "0.1 V"},
};

// Arguments in the order of the table; those that the opcode does not have are 0.
struct Command {
  Opcode opcode = Opcode::kIdentify;
  std::array<std::int32_t, kArgumentsMax> arguments{};
  friend constexpr bool operator==(const Command&, const Command&) = default;
};

struct CommandError {
  CommandResult result = CommandResult::kUnknownOpcode;
  std::uint8_t argument = 0;  // kOutOfRange: its position in the table
};
// Exactly what the pack would refuse; empty when the command is sound.
std::optional<CommandError> check(const Command& command);
// Needs a sound command, and `to` a node or kNodeAll.
CommandFrame encode_command(Node to, std::uint8_t sequence, const Command& command);
// The command, or why it is refused.
struct DecodedCommand {
  std::optional<Command> command;
  CommandError error;
};
DecodedCommand decode_command(const CommandFrame& frame);

// ---- authentication

inline constexpr std::uint64_t kCounterMax = (std::uint64_t{1} << 48U) - 1;
inline constexpr std::size_t kMacSize = 4;

// The key of one gateway on this bus; `bus_key` is what pairing or the installer gave to all of the bus.
crypto::Key command_key(const crypto::Key& bus_key, HardwareNumber gateway);
// The frame to be sent directly after `command`. A counter must never be used twice.
CommandFrame make_seal(const crypto::Key& key, std::uint64_t counter, const CommandFrame& command);

// May be sent before `command`: the upper part of the counter that its seal has.
CommandFrame make_epoch(std::uint64_t counter, const CommandFrame& command);

// ---- the gate at the pack

inline constexpr std::uint32_t kFloorStep = 64;
inline constexpr std::uint8_t kSealTriesMax = 8;
inline constexpr Duration kSealWait = std::chrono::milliseconds{100};
inline constexpr Duration kGateClosed = std::chrono::seconds{10};
inline constexpr Duration kRepeatTime = std::chrono::seconds{5};
inline constexpr std::size_t kCommandQueue = 4;

struct GateConfig {
  bool is_sealed = true;
  crypto::Key key{};        // command_key(); unused in plain mode
  std::uint64_t floor = 0;  // as stored
};

struct ReceivedCommand {
  std::uint32_t ticket = 0;  // for finish()
  Command command;
  bool was_to_all = false;
  friend constexpr bool operator==(const ReceivedCommand&, const ReceivedCommand&) = default;
};

// Somebody is guessing, or has the wrong key. Worth an entry in the log.
struct GateEvent {
  enum class Kind : std::uint8_t { kClosed, kOpened };
  TimePoint at{};
  Kind kind = Kind::kClosed;
  friend constexpr bool operator==(const GateEvent&, const GateEvent&) = default;
};

struct GateMetrics {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::uint64_t repeated = 0;
  std::uint64_t not_authentic = 0;
  std::uint64_t replayed = 0;
  std::uint64_t dropped = 0;  // while closed, or the queue was full
};

class CommandGate {
 public:
  explicit CommandGate(const GateConfig& config);

  // A command frame to this node or to all; the owner has checked the addressee.
  void handle_frame(TimePoint now, const CommandFrame& frame);
  void handle_timeout(TimePoint now);

  // A new floor to be made durable; then handle_stored(now, the same number).
  std::optional<std::uint64_t> poll_store();
  void handle_stored(TimePoint now, std::uint64_t floor);

  // A command to be carried out; every one must be finished.
  std::optional<ReceivedCommand> poll_command();
  void finish(TimePoint now, std::uint32_t ticket, CommandResult result, std::uint32_t detail = 0);

  // The node in it is filled in by the owner.
  std::optional<Acknowledgement> poll_transmit(TimePoint now);
  std::optional<GateEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const { return timers_.next(); }

  const GateMetrics& metrics() const { return metrics_; }
  std::uint64_t floor() const { return floor_; }

 private:
  enum class Timer : std::uint8_t { kSeal, kOpen, kCount };
  enum class Stage : std::uint8_t { kFree, kStoring, kReady, kRunning, kFinished };
  struct Entry {
    Stage stage = Stage::kFree;
    std::uint32_t ticket = 0;
    CommandFrame frame;
    Command command;
    std::uint64_t floor_needed = 0;
    Acknowledgement answer;
    TimePoint finished_at{};
  };

  void accept(const CommandFrame& frame, std::uint64_t floor_needed);
  bool answer_again(TimePoint now, const CommandFrame& frame);
  void handle_seal(TimePoint now, const CommandFrame& seal);
  std::uint64_t complete(std::uint16_t low, const CommandFrame& command) const;
  void refuse(const CommandFrame& frame, CommandResult result, std::uint32_t detail);
  void count_bad_seal(TimePoint now);

  GateConfig config_;
  std::uint64_t floor_ = 0;         // lowest counter that is accepted
  std::uint64_t stored_floor_ = 0;  // durable
  std::optional<std::uint64_t> to_store_;
  std::optional<CommandFrame> unsealed_;
  std::optional<CommandFrame> epoch_;
  std::uint8_t bad_seals_ = 0;
  bool is_closed_ = false;
  TimePoint bad_seals_since_{};
  std::uint32_t next_ticket_ = 1;
  std::array<Entry, kCommandQueue> entries_{};
  Ring<Acknowledgement, 8> answers_;
  Ring<GateEvent, 4> events_;
  TimerTable<Timer> timers_;
  GateMetrics metrics_;
};

static_assert(Machine<CommandGate>);

}  // namespace amphora::packnet
