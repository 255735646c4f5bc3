// SPDX-License-Identifier: Apache-2.0
// The command against packs that are real machines of the network on a bus of this machine.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "apps/amphora/program.hpp"
#include "core/packnet/network.hpp"
#include "runtime/can/can_port.hpp"
#include "runtime/loop/loop.hpp"

namespace amphora {
namespace {

using packnet::PackNetwork;
using runtime::CanPort;

constexpr packnet::HardwareNumber kGateway = 0xA1B2'C3D4'E5F6;
constexpr std::string_view kGatewayText = "0000a1b2c3d4e5f6";

crypto::Key bus_key() {
  crypto::Key key{};
  key.fill(0x42);
  return key;
}

// One pack: its machine, its port, and what it was ordered to do.
class Pack {
 public:
  Pack(runtime::Loop& loop, const std::string& can, packnet::HardwareNumber hardware, bool is_sealed)
      : loop_{loop}, network_{config_of(hardware, is_sealed)}, pump_{loop, [this](TimePoint now) {
                                                                       return step(now);
                                                                     }} {
    packnet::Telemetry telemetry;
    telemetry.set(packnet::Field::kVoltage, 5217);
    telemetry.set(packnet::Field::kSoc, 5050);
    telemetry.set(packnet::Field::kModes, 1U << 3U);
    telemetry.set(packnet::Telemetry::relay_position(0), 1);
    telemetry.set(packnet::Telemetry::relay_holder(0), 5);
    network_.set_telemetry(telemetry);
    port_ = *runtime::open_can(loop, can, {},
                               {.on_frame =
                                    [this](const can::Frame& frame) {
                                      network_.handle_frame(loop_.now(), frame);
                                      pump_.request();
                                    },
                                .on_state =
                                    [this](can::BusState state) {
                                      network_.handle_bus_state(loop_.now(), state);
                                      pump_.request();
                                    }});
    network_.handle_bus_state(loop.now(), port_->state());
    pump_.request();
  }
  int done() const { return done_; }

 private:
  static packnet::NetworkConfig config_of(packnet::HardwareNumber hardware, bool is_sealed) {
    packnet::NetworkConfig config;
    config.hardware = hardware;
    config.seed = hardware;
    config.gate.is_sealed = is_sealed;
    config.gate.key = packnet::command_key(bus_key(), kGateway);
    return config;
  }
  TimePoint step(TimePoint now) {
    network_.handle_timeout(now);
    if (const auto floor = network_.gate().poll_store()) {
      network_.gate().handle_stored(now, *floor);
    }
    while (const auto command = network_.gate().poll_command()) {
      ++done_;
      const bool is_relay = command->command.opcode == packnet::Opcode::kSetRelay;
      network_.gate().finish(now, command->ticket,
                             is_relay ? packnet::CommandResult::kNotAllowed : packnet::CommandResult::kDone);
    }
    while (const auto frame = network_.poll_transmit(now)) {
      (void)port_->send(frame->frame);
    }
    while (network_.poll_event()) {
    }
    return network_.poll_timeout();
  }

  runtime::Loop& loop_;
  PackNetwork network_;
  std::atomic<int> done_ = 0;
  runtime::Pump pump_;
  std::shared_ptr<CanPort> port_;
};

// Three packs on a bus of their own in a thread of their own, and a folder.
class PacksCommand : public ::testing::Test {
 protected:
  PacksCommand() {
    std::string name = ::testing::TempDir() + "amphora-packs-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    const int port = 20'000 + static_cast<int>(::getpid() % 20'000);
    can_ = "udp://239.74.163.9:" + std::to_string(port);
    std::ofstream{folder_ / "key"} << [] {
      std::string text;
      for (int i = 0; i < 32; ++i) {
        text += "42";
      }
      return text;
    }();
    (void)::chmod((folder_ / "key").c_str(), 0600);
  }
  ~PacksCommand() override {
    loop_.stop();
    if (thread_.joinable()) {
      thread_.join();
    }
    std::filesystem::remove_all(folder_);
  }
  void start(bool is_sealed) {
    for (const packnet::HardwareNumber hardware : {0x1005U, 0x1007U, 0x1009U}) {
      packs_.push_back(std::make_unique<Pack>(loop_, can_, hardware, is_sealed));
    }
    thread_ = std::thread{[this] { loop_.run(); }};
  }
  int run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"amphora", "packs", "--can", can_});
    std::vector<const char*> pointers;
    for (const std::string& argument : arguments) {
      pointers.push_back(argument.c_str());
    }
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = run_program(static_cast<int>(pointers.size()), pointers.data());
    out_ = ::testing::internal::GetCapturedStdout();
    error_ = ::testing::internal::GetCapturedStderr();
    return code;
  }
  std::vector<std::string> command(std::vector<std::string> words) {
    words.insert(words.begin(), "command");
    words.insert(words.end(), {"--hardware", std::string{kGatewayText}, "--state", folder_.string(), "--json",
                               "--seconds", "2"});
    return words;
  }
  std::vector<nlohmann::json> lines() const {
    std::vector<nlohmann::json> parsed;
    std::istringstream stream{out_};
    for (std::string line; std::getline(stream, line);) {
      parsed.push_back(nlohmann::json::parse(line));
    }
    return parsed;
  }
  void expect_done(int count) const {
    for (const auto& pack : packs_) {
      EXPECT_EQ(pack->done(), count);
    }
  }

  std::filesystem::path folder_;
  std::string can_;
  runtime::Loop loop_;
  std::vector<std::unique_ptr<Pack>> packs_;
  std::thread thread_;
  std::string out_;
  std::string error_;
};

TEST_F(PacksCommand, ListShowsWhatNodesTell) {
  start(true);
  ASSERT_EQ(run({"list", "--seconds", "3", "--json"}), kExitGood) << error_;
  const nlohmann::json all = nlohmann::json::parse(out_);
  ASSERT_EQ(all.at("nodes").size(), 3U);
  EXPECT_EQ(all.at("master"), 9);
  const nlohmann::json& node = all.at("nodes").at(0);
  EXPECT_EQ(node.at("node"), 5);
  EXPECT_EQ(node.at("type"), "energy-pack");
  EXPECT_EQ(node.at("voltage_v"), 52.17);
  EXPECT_EQ(node.at("soc_percent"), 50.5);
  EXPECT_EQ(node.at("modes"), nlohmann::json::array({"backup"}));
  EXPECT_EQ(node.at("relays").at(0).at("holder"), "backup");
  EXPECT_FALSE(node.contains("current_a")) << "never told";
  ASSERT_EQ(run({"list", "--seconds", "2"}), kExitGood) << error_;
  EXPECT_NE(out_.find("52.17"), std::string::npos) << out_;
  EXPECT_NE(out_.find("backup; -; grid=closed/backup"), std::string::npos) << out_;
}

TEST_F(PacksCommand, MonitorShowsFramesAndWhoComes) {
  start(true);
  ASSERT_EQ(run({"monitor", "--seconds", "2"}), kExitGood) << error_;
  const auto has = [&](const char* key, const char* value) {
    return std::ranges::any_of(lines(),
                               [&](const nlohmann::json& line) { return line.value(key, "") == value; });
  };
  EXPECT_TRUE(has("name", "master_beacon")) << out_;
  EXPECT_TRUE(has("name", "telemetry")) << out_;
  EXPECT_TRUE(has("event", "appeared")) << out_;
  EXPECT_TRUE(has("event", "follows")) << out_;
}

TEST_F(PacksCommand, ACommandIsAcknowledgedByAllAndTheCounterGoesOn) {
  start(true);
  const std::string key = folder_ / "key";
  ASSERT_EQ(run(command({"set_mode", "backup", "on", "--key-file", key})), kExitGood) << error_ << out_;
  ASSERT_EQ(lines().size(), 3U) << out_;
  EXPECT_EQ(lines()[0].at("outcome"), "done");
  expect_done(1);
  ASSERT_EQ(run(command({"set_value", "soc_low", "12.5", "--key-file", key})), kExitGood) << error_ << out_;
  expect_done(2);
  ASSERT_EQ(run(command({"identify", "--to", "7", "--key-file", key})), kExitGood) << error_ << out_;
  ASSERT_EQ(lines().size(), 1U) << out_;
  EXPECT_EQ(lines()[0].at("node"), 7);
  EXPECT_EQ(packs_[1]->done(), 3);
  EXPECT_EQ(packs_[0]->done(), 2);
}

TEST_F(PacksCommand, RefusalsAndSilenceAreFailures) {
  start(true);
  const std::string key = folder_ / "key";
  EXPECT_EQ(run(command({"set_relay", "grid", "off", "--key-file", key})), kExitFailed);
  ASSERT_EQ(lines().size(), 3U) << out_;
  EXPECT_EQ(lines()[0].at("result"), "not_allowed");
  expect_done(1);
  EXPECT_EQ(run(command({"identify", "--to", "33", "--key-file", key})), kExitFailed);
  EXPECT_EQ(lines().at(0).at("outcome"), "silent");
  std::ofstream{folder_ / "key"} << std::string(64, '7');
  EXPECT_EQ(run(command({"identify", "--key-file", key})), kExitFailed);
  EXPECT_EQ(lines().at(0).at("result"), "not_authentic");
  EXPECT_NE(error_.find(kGatewayText), std::string::npos) << error_;
  expect_done(1);
}

TEST_F(PacksCommand, PlainCommandsAreForPlainPacks) {
  start(false);
  ASSERT_EQ(run(command({"restart", "--plain", "--to", "5"})), kExitGood) << error_ << out_;
  EXPECT_EQ(packs_[0]->done(), 1);
  EXPECT_EQ(packs_[1]->done(), 0);
}

TEST_F(PacksCommand, WrongUsageIsSaidBeforeAnythingIsSent) {
  EXPECT_EQ(run(command({"dance"})), kExitUsage);
  EXPECT_NE(error_.find("dance is no command"), std::string::npos) << error_;
  EXPECT_EQ(run(command({"identify"})), kExitUsage) << "neither key nor --plain";
  EXPECT_EQ(run(command({"identify", "--plain", "--key-file", "x"})), kExitUsage);
  EXPECT_EQ(run(command({"identify", "--plain", "--to", "127"})), kExitUsage);
  EXPECT_EQ(run({"command", "identify", "--plain", "--hardware", "12"}), kExitUsage);
  EXPECT_EQ(run({"command", "identify", "--plain", "--state", "/proc/none"}), kExitFailed);
  EXPECT_EQ(run(command({"identify", "--key-file", folder_ / "none"})), kExitFailed);
  can_ = "tcp://nowhere";
  EXPECT_EQ(run({"list"}), kExitUsage);
  EXPECT_NE(error_.find("tcp://nowhere"), std::string::npos) << error_;
}

TEST_F(PacksCommand, NobodyThereIsSaid) {
  EXPECT_EQ(run(command({"identify", "--plain"})), kExitFailed);
  EXPECT_NE(error_.find("no pack was heard"), std::string::npos) << error_;
}

}  // namespace
}  // namespace amphora
