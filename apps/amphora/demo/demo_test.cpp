// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "apps/amphora/config/load.hpp"
#include "apps/amphora/demo/child_process.hpp"
#include "apps/amphora/demo/house.hpp"
#include "apps/amphora/demo/ports.hpp"

namespace amphora::demo {
namespace {

constexpr int kPatienceMs = 60'000;

class Demo : public ::testing::Test {
 protected:
  Demo() { std::filesystem::create_directories(folder_); }
  ~Demo() override { std::filesystem::remove_all(folder_); }
  std::string folder_ =
      std::filesystem::temp_directory_path() / ("amphora_demo_test_" + std::to_string(getpid()));
};

TEST_F(Demo, ItsConfigurationIsGood) {
  House house;
  house.folder = folder_ + "/with \"quotes\"";
  house.web_port = 8080;
  house.mqtt_port = 1883;
  house.receiver_port = 8081;
  house.air_port = 47000;
  house.can = "udp://239.74.163.2:43113";
  house.web_root = "/usr/share/amphora/web";
  const config::LoadResult loaded = config::load_text(gateway_configuration(house));
  ASSERT_TRUE(loaded.config) << (loaded.errors.empty() ? ""
                                                       : config::to_text(loaded.errors[0], "gateway.toml"));
  EXPECT_TRUE(loaded.warnings.empty());
  EXPECT_EQ(loaded.config->bms.port, house.bms_link());
  EXPECT_EQ(loaded.config->web.login, config::Login::kNone);
  EXPECT_TRUE(loaded.config->has_link_part());
  const config::LoadResult receiver = config::load_text(receiver_configuration(house));
  ASSERT_TRUE(receiver.config) << (receiver.errors.empty()
                                       ? ""
                                       : config::to_text(receiver.errors[0], "receiver.toml"));
  EXPECT_EQ(receiver.config->box.role, config::Role::kReceiver);
}

TEST_F(Demo, TheConfigurationsOfItsPacksAreGood) {
  DemoOptions options;
  options.data = folder_;
  options.web_port = find_tcp_port();
  options.mqtt_port = find_tcp_port();
  const House house = plan_house(options);
  ASSERT_EQ(house.packs.size(), static_cast<std::size_t>(kPackCount));
  for (const DemoPack& pack : house.packs) {
    const config::LoadResult loaded = config::load_file(folder_ + "/" + pack.name + ".toml");
    ASSERT_TRUE(loaded.config) << (loaded.errors.empty() ? "" : config::to_text(loaded.errors[0], pack.name));
    EXPECT_TRUE(loaded.warnings.empty()) << config::to_text(loaded.warnings[0], pack.name);
    EXPECT_EQ(loaded.config->box.role, config::Role::kPack);
    EXPECT_EQ(loaded.config->bms.port, pack.bms_link);
  }
}

TEST_F(Demo, TakenPortsAreGoneAround) {
  const int taken = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(listen(taken, 1), 0);  // binds to a free port of every address
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::uint16_t port = 0;
  std::memcpy(&port, reinterpret_cast<const char*>(&address) + 2, sizeof port);
  port = static_cast<std::uint16_t>((port >> 8U) | (port << 8U));
  EXPECT_FALSE(is_tcp_port_free(port));
  EXPECT_TRUE(is_listening(port));
  DemoOptions options;
  options.data = folder_;
  options.web_port = port;
  EXPECT_THROW((void)plan_house(options), std::runtime_error);
  close(taken);
  EXPECT_FALSE(is_listening(port));
}

TEST_F(Demo, OneFolderHoldsOneDemo) {
  DemoOptions options;
  options.data = folder_;
  options.web_port = find_tcp_port();
  options.mqtt_port = find_tcp_port();
  const House house = plan_house(options);
  std::vector<std::string> names;
  for (const Program& program : house.programs) {
    names.push_back(program.name);
  }
  EXPECT_EQ(names, program_names());
  EXPECT_THROW((void)plan_house(options), std::runtime_error);
  options.only = "bms";
  const House part = plan_house(options);
  ASSERT_EQ(part.programs.size(), 1U);
  EXPECT_EQ(part.programs[0].name, "bms");
  EXPECT_EQ(part.bms_link(), house.bms_link());
}

TEST_F(Demo, AChildIsEndedAndItsEndIsTold) {
  ChildProcess quick{{.name = "quick",
                      .arguments = {"sh", "-c", "echo one; echo two; echo three; exit 3"},
                      .log_file = folder_ + "/quick.log"}};
  ASSERT_TRUE(quick.wait_for_end(kPatienceMs));
  EXPECT_EQ(quick.end_text(), "exit code 3");
  EXPECT_EQ(quick.log_tail(2), "    two\n    three\n");
  ChildProcess slow{{.name = "slow", .arguments = {"sleep", "1000"}, .log_file = folder_ + "/slow.log"}};
  EXPECT_FALSE(slow.poll_end());
  slow.send_signal(SIGTERM);
  ASSERT_TRUE(slow.wait_for_end(kPatienceMs));
  EXPECT_EQ(slow.end_text().substr(0, 9), "signal 15");
  ChildProcess missing{
      {.name = "missing", .arguments = {"/nonexistent/program"}, .log_file = folder_ + "/missing.log"}};
  ASSERT_TRUE(missing.wait_for_end(kPatienceMs));
  EXPECT_EQ(missing.end_text(), "exit code 127");
  EXPECT_NE(missing.log_tail(1).find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace amphora::demo
