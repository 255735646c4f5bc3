// SPDX-License-Identifier: Apache-2.0
// Two pseudo-terminals with a cable between them that the test can damage: each side opens its end as a
// serial port.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>

namespace amphora::test {

enum class Damage : std::uint8_t { kNone, kFlipsABit, kSwallows, kSplits, kAddsNoise };

class SerialBridge {
 public:
  SerialBridge() {
    for (std::size_t side = 0; side < 2; ++side) {
      masters_[side] = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
      EXPECT_EQ(::grantpt(masters_[side]), 0);
      EXPECT_EQ(::unlockpt(masters_[side]), 0);
      char name[64];
      EXPECT_EQ(::ptsname_r(masters_[side], name, sizeof name), 0);
      paths_[side] = name;
      termios settings{};
      (void)tcgetattr(masters_[side], &settings);
      cfmakeraw(&settings);
      (void)tcsetattr(masters_[side], TCSANOW, &settings);
      // Held open, so that a side that closes its end does not hang up the cable.
      keepers_[side] = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    pump_ = std::thread{[this] { pump(); }};
  }
  ~SerialBridge() {
    is_over_ = true;
    pump_.join();
    for (std::size_t side = 0; side < 2; ++side) {
      ::close(masters_[side]);
      ::close(keepers_[side]);
    }
  }
  SerialBridge(const SerialBridge&) = delete;
  SerialBridge& operator=(const SerialBridge&) = delete;

  const std::string& path(std::size_t side) const { return paths_[side]; }
  // Of what side 1 sends to side 0.
  void set_damage(Damage damage) { damage_ = damage; }

 private:
  void pump() {
    while (!is_over_) {
      std::array<pollfd, 2> ends{{{masters_[0], POLLIN, 0}, {masters_[1], POLLIN, 0}}};
      if (::poll(ends.data(), ends.size(), 20) <= 0) {
        continue;
      }
      for (std::size_t side = 0; side < 2; ++side) {
        if ((ends[side].revents & POLLIN) != 0) {
          carry(side);
        }
      }
    }
  }

  void carry(std::size_t from) {
    std::array<char, 512> buffer;
    const ssize_t size = ::read(masters_[from], buffer.data(), buffer.size());
    if (size <= 0) {
      return;
    }
    std::string bytes{buffer.data(), static_cast<std::size_t>(size)};
    const int to = masters_[1 - from];
    const Damage damage = from == 1 ? damage_.load() : Damage::kNone;
    if (damage == Damage::kSwallows) {
      return;
    }
    if (damage == Damage::kFlipsABit) {
      bytes.back() = static_cast<char>(bytes.back() ^ 0x04);
    } else if (damage == Damage::kAddsNoise) {
      bytes.insert(0, "\x01\x7F\x03\x01\xFF");
    } else if (damage == Damage::kSplits) {
      for (const char byte : bytes) {
        EXPECT_EQ(::write(to, &byte, 1), 1);
        std::this_thread::sleep_for(std::chrono::microseconds{500});
      }
      return;
    }
    EXPECT_EQ(::write(to, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  std::array<int, 2> masters_{};
  std::array<int, 2> keepers_{};
  std::array<std::string, 2> paths_;
  std::atomic<Damage> damage_{Damage::kNone};
  std::atomic<bool> is_over_{false};
  std::thread pump_;
};

}  // namespace amphora::test
