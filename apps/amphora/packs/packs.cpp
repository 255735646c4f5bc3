// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/packs/packs.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/decode/can_origin.hpp"
#include "apps/amphora/decode/packnet_json.hpp"
#include "apps/amphora/json_line.hpp"
#include "apps/amphora/packs/command_text.hpp"
#include "apps/amphora/packs/gateway.hpp"
#include "apps/amphora/packs/identity.hpp"
#include "apps/amphora/packs/node_view.hpp"
#include "apps/amphora/run/pack_config.hpp"

namespace amphora {

namespace {

using packs_command::Gateway;
using Json = nlohmann::ordered_json;

struct PacksOptions {
  std::string can;
  int list_s = 12;
  int listen_s = 3;
  int monitor_s = 0;
  bool is_json = false;
  std::string to = "all";
  std::string key_file;
  std::string hardware;
  std::string state;
  bool is_plain = false;
  std::vector<std::string> words;
};

void print_line(const Json& json) {
  fmt::print("{}\n", json.dump());
  (void)std::fflush(stdout);
}

int bus_failure(const Gateway& gateway) {
  fmt::print(stderr, "amphora: {}\n", gateway.bus_fault());
  return kExitFailed;
}

int list(const PacksOptions& options) {
  Gateway gateway{{.can = options.can}, {}};
  gateway.run(std::chrono::seconds{options.list_s});
  if (!gateway.bus_fault().empty()) {
    return bus_failure(gateway);
  }
  if (options.is_json) {
    print_line(packs_command::nodes_json(gateway.network(), gateway.now()));
  } else {
    fmt::print("{}", packs_command::nodes_table(gateway.network(), gateway.now()));
  }
  return kExitGood;
}

// A frame as `amphora decode packnet` prints it, and when it came.
void print_frame(TimePoint begin, const can::Frame& frame) {
  std::string text;
  std::array<char, 12> id;
  JsonLine json{text};
  json.number("t_ms", to_milliseconds(runtime::steady_now() - begin));
  json.text("id", decode::id_text(frame, id));
  if (const auto message = packnet::decode(frame); message.ok()) {
    decode::append_packnet_message(json, *message);
  } else {
    json.text("error", to_text(message.error()));
  }
  json.end();
  fmt::print("{}", text);
  (void)std::fflush(stdout);
}

int monitor(const PacksOptions& options) {
  const TimePoint begin = runtime::steady_now();
  Gateway gateway{{.can = options.can},
                  {.on_frame = [begin](const can::Frame& frame) { print_frame(begin, frame); },
                   .on_event =
                       [begin](const packnet::NetworkEvent& event) {
                         if (packs_command::is_news(event)) {
                           print_line({{"t_ms", to_milliseconds(event.at - begin)},
                                       {"event", to_text(event.kind)},
                                       {"node", event.node}});
                         }
                       }}};
  gateway.run(options.monitor_s > 0 ? Duration{std::chrono::seconds{options.monitor_s}} : Duration::max());
  return gateway.bus_fault().empty() ? kExitGood : bus_failure(gateway);
}

// One command from the words to the last acknowledgement.
class CommandRun {
 public:
  CommandRun(const PacksOptions& options, const packnet::Command& command, packnet::Node to)
      : options_{options},
        command_{command},
        to_{to},
        hardware_{hardware_of(options)},
        counter_{options.state.empty() ? packs_command::default_state_folder()
                                       : std::filesystem::path{options.state},
                 hardware_, runtime::wall_now()},
        gateway_{gateway_options(),
                 {.on_outcome = [this](const packnet::CommanderEvent& event) { show(event); },
                  .store = [this](std::uint64_t counter) { return store(counter); }}} {}

  int run() {
    gateway_.run(std::chrono::seconds{options_.listen_s});
    if (!gateway_.bus_fault().empty()) {
      return bus_failure(gateway_);
    }
    if (gateway_.was_told_to_end()) {
      return kExitFailed;
    }
    std::vector<packnet::Node> packs;
    for (packnet::Node node = 1; node <= packnet::kNodeMax; ++node) {
      if (gateway_.heard().test(node) && packs.size() < packnet::kNodesMax) {
        packs.push_back(node);
      }
    }
    const auto ticket = gateway_.commander().order(gateway_.now(), to_, command_, packs);
    if (!ticket.ok()) {
      fmt::print(stderr, "amphora: {}\n", refusal_text(ticket.error()));
      return kExitFailed;
    }
    // The sender itself ends every order; this is a bound for a machine that stands still.
    gateway_.run(std::chrono::seconds{60});
    if (!is_stored_) {
      fmt::print(stderr, "amphora: the counter cannot be stored; nothing was sent\n");
    }
    if (is_not_authentic_) {
      fmt::print(
          stderr,
          "amphora: this gateway's hardware number is {}; the packs' configuration names the one whose "
          "commands count\n",
          packs_command::hardware_text(hardware_));
    }
    return is_over_ && is_good_ ? kExitGood : kExitFailed;
  }

 private:
  static packnet::HardwareNumber hardware_of(const PacksOptions& options) {
    if (options.hardware.empty()) {
      return packs_command::hardware_of_machine(run::read_machine_id());
    }
    return *config::parse_hardware(options.hardware);
  }

  Gateway::Options gateway_options() const {
    Gateway::Options options{.can = options_.can, .hardware = hardware_, .is_listening_only = false};
    options.commander.is_sealed = !options_.is_plain;
    options.commander.counter = counter_.counter();
    if (!options_.is_plain) {
      crypto::Key bus = packs_command::read_bus_key(options_.key_file);
      options.commander.key = packnet::command_key(bus, hardware_);
      sodium_memzero(bus.data(), bus.size());
    }
    return options;
  }

  bool store(std::uint64_t counter) {
    is_stored_ = counter_.store(counter);
    return is_stored_;
  }

  static std::string refusal_text(const packnet::OrderRefusal& refusal) {
    using enum packnet::OrderRefusal::Reason;
    switch (refusal.reason) {
      case kNotActive:
        return "another gateway with a lower hardware number is active on this bus; nothing was sent";
      case kNobody:
        return "no pack was heard; nothing was sent";
      default:
        return fmt::format("{}; nothing was sent", to_text(refusal.reason));
    }
  }

  void show(const packnet::CommanderEvent& event) {
    if (event.kind == packnet::CommanderEvent::Kind::kOver) {
      is_over_ = true;
      is_good_ = event.counts.refused == 0 && event.counts.silent == 0;
      gateway_.finish();
      return;
    }
    is_not_authentic_ = is_not_authentic_ || event.result == packnet::CommandResult::kNotAuthentic;
    const bool has_answer =
        event.outcome == packnet::Outcome::kDone || event.outcome == packnet::Outcome::kRefused;
    const std::string text =
        has_answer ? packs_command::answer_text(command_, event.result, event.detail) : "no answer";
    if (!options_.is_json) {
      fmt::print("node {:>3}  {}\n", event.node, text);
      (void)std::fflush(stdout);
      return;
    }
    Json line{{"node", event.node}, {"outcome", to_text(event.outcome)}};
    if (has_answer) {
      line["result"] = to_text(event.result);
      line["detail"] = event.detail;
    }
    line["text"] = text;
    print_line(line);
  }

  const PacksOptions& options_;
  packnet::Command command_;
  packnet::Node to_;
  packnet::HardwareNumber hardware_;
  packs_command::CounterFile counter_;
  bool is_over_ = false;
  bool is_good_ = false;
  bool is_stored_ = true;
  bool is_not_authentic_ = false;
  Gateway gateway_;
};

std::optional<packnet::Node> parse_target(std::string_view text) {
  if (text == "all") {
    return packnet::kNodeAll;
  }
  unsigned node = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, node);
  const bool is_good = error == std::errc{} && stop == end && node >= 1 && node <= packnet::kNodeMax;
  return is_good ? std::optional{static_cast<packnet::Node>(node)} : std::nullopt;
}

int usage(const std::string& text) {
  fmt::print(stderr, "amphora: {}\n", text);
  return kExitUsage;
}

int command(const PacksOptions& options) {
  const auto parsed = packs_command::parse_command(options.words);
  if (const auto* fault = std::get_if<std::string>(&parsed)) {
    return usage(*fault);
  }
  const auto to = parse_target(options.to);
  if (!to) {
    return usage(fmt::format("--to {}: allowed are all and the numbers of nodes, 1 to {}", options.to,
                             packnet::kNodeMax));
  }
  if (!options.hardware.empty() && !config::parse_hardware(options.hardware)) {
    return usage(fmt::format("--hardware {}: 16 hexadecimal digits are needed", options.hardware));
  }
  if (options.is_plain == !options.key_file.empty()) {
    return usage("give either --key-file FILE, or --plain where the packs are in plain mode");
  }
  CommandRun run{options, std::get<packnet::Command>(parsed), *to};
  return run.run();
}

void add_command_options(CLI::App& command, const std::shared_ptr<PacksOptions>& options) {
  command.add_option("command", options->words, "The command with its arguments")
      ->required()
      ->type_name("WORDS");
  command.add_option("--to", options->to, "A node, or all [all]")->type_name("NODE");
  command.add_option("--key-file", options->key_file, "The key of the bus, readable by its owner only")
      ->type_name("FILE");
  command.add_flag("--plain", options->is_plain, "Without seal, for packs in plain mode");
  command
      .add_option("--hardware", options->hardware,
                  "Hardware number of this gateway; without it one made from /etc/machine-id")
      ->type_name("HEX");
  command
      .add_option("--state", options->state,
                  "Folder of the command counter [$XDG_STATE_HOME/amphora or /var/lib/amphora]")
      ->type_name("DIR");
  command.add_option("--seconds", options->listen_s, "Listen this long first, to learn who is there")
      ->check(CLI::Range(1, 3600))
      ->type_name("SECONDS")
      ->capture_default_str();
  command.add_flag("--json", options->is_json, "A JSON object for each pack");
}

}  // namespace

void add_packs(CLI::App& parent, Action& chosen) {
  CLI::App* group = add_command(parent, "packs", "See the packs on a CAN bus and give them commands.",
                                "  amphora packs --can can0 list\n"
                                "  amphora packs --can can0 command set_mode backup on --key-file bus.key\n"
                                "  amphora packs --can can0 monitor");
  group->require_subcommand(1);
  auto options = std::make_shared<PacksOptions>();
  group->add_option("--can", options->can, "The bus: an interface, or udp://GROUP:PORT")
      ->required()
      ->type_name("BUS");
  const auto add = [&](const char* name, const char* description, const std::string& examples,
                       int (*run)(const PacksOptions&)) {
    CLI::App* made = add_command(*group, name, description, examples);
    made->fallthrough();
    made->callback([&chosen, options, run] {
      chosen = [options, run] {
        const auto spec = runtime::parse_can_spec(options->can);
        return spec.ok() ? run(*options)
                         : usage(fmt::format("--can {}: {}", options->can, to_text(spec.error())));
      };
    });
    return made;
  };
  CLI::App* list_command = add("list", "Listen, then print who is there and what they tell.",
                               "  amphora packs --can can0 list\n"
                               "  amphora packs --can can0 list --json",
                               list);
  list_command
      ->add_option("--seconds", options->list_s,
                   "Listen this long; each node says what it is every ten seconds")
      ->check(CLI::Range(1, 3600))
      ->type_name("SECONDS")
      ->capture_default_str();
  list_command->add_flag("--json", options->is_json, "One JSON object");
  add_command_options(
      *add("command", "Give a command to one pack or to all and print what became of it.",
           "  amphora packs --can can0 command set_mode backup on --key-file bus.key\n"
           "  amphora packs --can can0 command set_relay pool_pump on 30 --to 12 --plain\n\nCommands:\n" +
               packs_command::commands_text(),
           command),
      options);
  add("monitor", "Print frames and events as JSON lines until it is stopped.",
      "  amphora packs --can can0 monitor", monitor)
      ->add_option("--seconds", options->monitor_s, "End by itself after this time")
      ->check(CLI::Range(1, 86'400))
      ->type_name("SECONDS");
}

}  // namespace amphora
