// SPDX-License-Identifier: Apache-2.0
// Against real pseudo-terminals: the kernel's line discipline is part of what is tested.
#include "runtime/serial/serial_port.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

// Runs the loop until `condition`, with a generous bound that only serves to end a hanging test.
template <class Condition>
bool run_until(Loop& loop, Condition condition) {
  const TimePoint end = loop.now() + 20s;
  while (!condition() && loop.now() < end) {
    loop.run_until(loop.now() + 2ms);
  }
  return condition();
}

class Pty {
 public:
  Pty() { reopen(); }
  ~Pty() { close(); }
  void reopen() {
    fd_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    EXPECT_EQ(::grantpt(fd_), 0);
    EXPECT_EQ(::unlockpt(fd_), 0);
    char name[128];
    EXPECT_EQ(::ptsname_r(fd_, name, sizeof name), 0);
    std::filesystem::remove(link_);
    std::filesystem::create_symlink(name, link_);
  }
  void close() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
    fd_ = -1;
    std::filesystem::remove(link_);
  }
  const std::string& path() const { return link_; }
  int fd() const { return fd_; }
  std::string read_all() const {
    char buffer[4096];
    const ssize_t size = ::read(fd_, buffer, sizeof buffer);
    return size > 0 ? std::string{buffer, static_cast<std::size_t>(size)} : std::string{};
  }

 private:
  std::string link_ = "/tmp/amphora_pty_" + std::to_string(::getpid());
  int fd_ = -1;
};

ByteSpan bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(SerialPortTest, carries_every_byte_value_unchanged_both_ways) {
  Loop loop;
  Pty pty;
  std::string received;
  SerialPort port{
      loop,
      {.path = pty.path()},
      {.on_bytes = [&](ByteSpan bytes) { received.append(bytes.begin(), bytes.end()); }, .on_state = {}}};
  ASSERT_TRUE(run_until(loop, [&] { return port.is_open(); })) << port.last_error()->text();
  std::string all;
  for (int i = 0; i < 256; ++i) {
    all.push_back(static_cast<char>(i));
  }
  ASSERT_EQ(::write(pty.fd(), all.data(), all.size()), 256);
  EXPECT_TRUE(run_until(loop, [&] { return received.size() >= all.size(); }));
  EXPECT_EQ(received, all);
  EXPECT_TRUE(port.write(bytes_of(all)));
  std::string sent;
  EXPECT_TRUE(run_until(loop, [&] {
    sent += pty.read_all();
    return sent.size() >= all.size();
  }));
  EXPECT_EQ(sent, all);
  EXPECT_EQ(port.counters().bytes_sent, 256U);
  EXPECT_EQ(port.counters().bytes_received, 256U);
}

TEST(SerialPortTest, refuses_and_counts_what_a_stalled_line_cannot_take) {
  Loop loop;
  Pty pty;
  SerialPort port{loop, {.path = pty.path()}, {}};
  ASSERT_TRUE(run_until(loop, [&] { return port.is_open(); }));
  const std::string big(kSerialTxCapacity, 'x');
  EXPECT_TRUE(port.write(bytes_of(big)));
  EXPECT_FALSE(port.write(bytes_of("y")));
  EXPECT_EQ(port.counters().bytes_dropped, 1U);
  port.discard_output();
  EXPECT_TRUE(port.write(bytes_of("y")));
}

TEST(SerialPortTest, comes_back_after_it_was_unplugged) {
  Loop loop;
  Pty pty;
  std::vector<bool> states;
  std::string received;
  SerialPort port{loop,
                  {.path = pty.path(), .reopen_after_min = 5ms, .reopen_after_max = 20ms},
                  {.on_bytes = [&](ByteSpan bytes) { received.append(bytes.begin(), bytes.end()); },
                   .on_state = [&](bool is_open) { states.push_back(is_open); }}};
  ASSERT_TRUE(run_until(loop, [&] { return port.is_open(); }));
  pty.close();
  ASSERT_TRUE(run_until(loop, [&] { return !port.is_open(); }));
  ASSERT_TRUE(port.last_error().has_value());
  EXPECT_FALSE(port.write(bytes_of("lost")));
  pty.reopen();
  ASSERT_TRUE(run_until(loop, [&] { return port.is_open(); }));
  EXPECT_EQ(port.last_error(), std::nullopt);
  ASSERT_EQ(::write(pty.fd(), "back", 4), 4);
  EXPECT_TRUE(run_until(loop, [&] { return received == "back"; }));
  EXPECT_TRUE(states.front());
  EXPECT_TRUE(states.back());
  EXPECT_EQ(port.counters().losses, 1U);
}

TEST(SerialPortTest, says_what_is_wrong_and_what_to_do) {
  Loop loop;
  SerialPort missing{loop, {.path = "/dev/amphora_is_not_there"}, {}};
  SerialPort file{loop, {.path = "/dev/null"}, {}};
  SerialPort odd{loop, {.path = "/dev/null", .baud = 12345}, {}};
  ASSERT_TRUE(run_until(loop, [&] { return missing.last_error() && file.last_error() && odd.last_error(); }));
  EXPECT_EQ(missing.last_error()->code, ENOENT);
  EXPECT_NE(missing.last_error()->text().find("plugged in"), std::string::npos);
  EXPECT_EQ(file.last_error()->code, ENOTTY);
  EXPECT_NE(odd.last_error()->text().find("115200"), std::string::npos);
}

TEST(SerialPortTest, one_program_has_the_line) {
  Loop loop;
  Pty pty;
  SerialPort first{loop, {.path = pty.path()}, {}};
  ASSERT_TRUE(run_until(loop, [&] { return first.is_open(); }));
  SerialPort second{loop, {.path = pty.path()}, {}};
  ASSERT_TRUE(run_until(loop, [&] { return second.last_error().has_value(); }));
  EXPECT_FALSE(second.is_open());
  EXPECT_NE(second.last_error()->text().find("another program"), std::string::npos);
}

}  // namespace
}  // namespace amphora::runtime
