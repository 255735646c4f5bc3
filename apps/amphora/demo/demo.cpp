// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/demo/demo.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>

#include "apps/amphora/demo/house.hpp"
#include "apps/amphora/demo/ports.hpp"
#include "runtime/loop/loop.hpp"

namespace amphora {

namespace {

using demo::ChildProcess;

constexpr std::size_t kTailLines = 15;
constexpr Duration kWatchInterval = std::chrono::milliseconds{100};
constexpr Duration kStartLimit = std::chrono::seconds{10};
constexpr int kEndLimitMs = 5000;

bool has_link(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISCHR(status.st_mode);
}

// Starts the programs, watches over them until told to end, and ends them.
class Supervisor {
 public:
  Supervisor(const demo::House& house, const demo::DemoOptions& options)
      : house_{house},
        options_{options},
        timer_{loop_},
        signals_{loop_, {SIGINT, SIGTERM, SIGHUP}, [this](int signal) { handle_signal(signal); }} {}

  int run() {
    print_house();
    for (const demo::Program& program : house_.programs) {
      if (!start(program)) {
        return end(kExitFailed);
      }
    }
    began_ = loop_.now();
    watch();
    loop_.run();
    return end(exit_code_);
  }

 private:
  bool start(const demo::Program& program) {
    children_.push_back(std::make_unique<ChildProcess>(program));
    return !program.is_waited_for || wait_until([&program] { return is_ready(program); }, program.name);
  }

  static bool is_ready(const demo::Program& program) {
    return (program.listens_on == 0 || demo::is_listening(program.listens_on)) &&
           (program.makes_link.empty() || has_link(program.makes_link));
  }

  template <class Condition>
  bool wait_until(Condition is_met, std::string_view name) {
    const TimePoint until = loop_.now() + kStartLimit;
    while (!is_met()) {
      loop_.run_ready();
      if (is_ending_ || !are_all_well()) {
        return false;
      }
      if (loop_.now() > until) {
        fmt::print(stderr, "amphora: demo: {} did not start within {} s\n{}", name,
                   std::chrono::duration_cast<std::chrono::seconds>(kStartLimit).count(),
                   children_.back()->log_tail(kTailLines));
        return false;
      }
      (void)poll(nullptr, 0, 5);
    }
    return true;
  }

  // False when the demo cannot go on. Each death is reported once.
  bool are_all_well() {
    bool is_well = true;
    for (const auto& child : children_) {
      if (child->poll_end()) {
        const demo::Program& program = child->program();
        fmt::print(stderr, "amphora: demo: {} has ended ({}); the end of its log, {}:\n{}", program.name,
                   child->end_text(), program.log_file, child->log_tail(kTailLines));
        const bool is_only = house_.programs.size() == 1;
        is_well = is_well && !program.is_essential && !is_only;
      }
    }
    return is_well;
  }

  void watch() {
    if (!are_all_well()) {
      exit_code_ = kExitFailed;
      loop_.stop();
      return;
    }
    if (!is_ready_ && are_boxes_listening()) {
      is_ready_ = true;
      fmt::print("ready\n");
      (void)std::fflush(stdout);
    }
    const TimePoint now = loop_.now();
    if (options_.seconds && now >= began_ + std::chrono::seconds{*options_.seconds}) {
      loop_.stop();
      return;
    }
    timer_.arm(now + kWatchInterval, [this] { watch(); });
  }

  // The boxes that were started; without any there is nothing to be ready.
  bool are_boxes_listening() const {
    const auto has_page = [](const auto& child) {
      return child->program().listens_on != 0 && !child->program().is_waited_for;
    };
    const auto is_silent = [has_page](const auto& child) {
      return has_page(child) && !demo::is_listening(child->program().listens_on);
    };
    return std::ranges::any_of(children_, has_page) && std::ranges::none_of(children_, is_silent);
  }

  void handle_signal(int) {
    is_ending_ = true;
    loop_.stop();
  }

  // The boxes first, so that they can say goodbye to broker and inverter.
  int end(int code) {
    for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
      (*child)->send_signal(SIGTERM);
      if (!(*child)->wait_for_end(kEndLimitMs)) {
        fmt::print(stderr, "amphora: demo: {} did not end by itself\n", (*child)->program().name);
        (*child)->send_signal(SIGKILL);
        (void)(*child)->wait_for_end(kEndLimitMs);
        code = kExitFailed;
      }
    }
    return is_ending_ ? kExitGood : code;
  }

  void print_house() const {
    fmt::print(
        "Amphora demo, without hardware: a TinyBMS, a gateway, a GX device, a receiver in the house, {} "
        "energy "
        "packs, a broker.\n",
        house_.packs.size());
    for (const std::string& remark : house_.remarks) {
      fmt::print("  note      {}\n", remark);
    }
    fmt::print(
        "  web page  http://127.0.0.1:{}/\n"
        "  receiver  http://127.0.0.1:{}/ (by radio)\n"
        "  MQTT      mosquitto_sub -p {} -t 'amphora/#' -v\n"
        "  CAN bus   {}\n"
        "  BMS       {} (a pseudo-terminal)\n"
        "  logs      {}/*.log\n",
        house_.web_port, house_.receiver_port, house_.mqtt_port, house_.can, house_.bms_link(),
        house_.folder);
    for (const demo::DemoPack& pack : house_.packs) {
      fmt::print("  pack {}    http://127.0.0.1:{}/\n", pack.name.back(), pack.web_port);
    }
    fmt::print("  pack bus  {}, sealed by {}\n", house_.pack_can, house_.bus_key_file());
    if (options_.seconds) {
      fmt::print("Ends after {} s.\n", *options_.seconds);
    } else {
      fmt::print("Ctrl-C ends it.\n");
    }
    (void)std::fflush(stdout);
  }

  demo::House house_;
  demo::DemoOptions options_;
  runtime::Loop loop_;
  std::vector<std::unique_ptr<ChildProcess>> children_;
  runtime::Timer timer_;
  runtime::SignalWatch signals_;
  TimePoint began_{};
  bool is_ready_ = false;
  bool is_ending_ = false;
  int exit_code_ = kExitGood;
};

int run_demo(const demo::DemoOptions& options) {
  Supervisor supervisor{demo::plan_house(options), options};
  return supervisor.run();
}

}  // namespace

void add_demo(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(parent, "demo", "The whole house without hardware, in real time.",
                                  "  amphora demo\n"
                                  "  amphora demo --seconds 20\n"
                                  "  amphora demo --only bms --data /tmp/house");
  auto options = std::make_shared<demo::DemoOptions>();
  command->add_option("--seconds", options->seconds, "End by itself after this time")
      ->check(CLI::Range(1, 31'536'000))
      ->type_name("N");
  command->add_option("--web-port", options->web_port, "Port of the web page [8080, or a free one]")
      ->check(CLI::Range(1, 65'535))
      ->type_name("P");
  command->add_option("--mqtt-port", options->mqtt_port, "Port of the broker [1883, or a free one]")
      ->check(CLI::Range(1, 65'535))
      ->type_name("P");
  command->add_option("--data", options->data, "Folder for configuration, logs and databases")
      ->type_name("DIR");
  command->add_option("--only", options->only, "Start one program only, with the same settings")
      ->check(CLI::IsMember(demo::program_names()))
      ->type_name("NAME");
  command->callback([&chosen, options] { chosen = [options] { return run_demo(*options); }; });
}

}  // namespace amphora
