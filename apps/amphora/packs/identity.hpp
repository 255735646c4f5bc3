// SPDX-License-Identifier: Apache-2.0
// Who this gateway is on the bus: hardware number, key, and the counter of its commands.
//
// The counter must never run backwards, or packs refuse what comes, and it must survive everything that can
// happen to this machine. It is a number in a file (written beside, synchronised, renamed). Without a file,
// at the first use or after the disk was replaced, it starts at the wall clock in milliseconds, which is
// above all that was used before as long as fewer than a thousand commands a second were given and the clock
// is right; where it is not, packs that know a higher counter say so and the counter is raised. The clock
// alone is not enough, because it can be set back.
//
// The file is locked while it is open, so that two commands at one time take turns.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/time.hpp"
#include "core/crypto/crypto.hpp"
#include "core/packnet/frames.hpp"

namespace amphora::packs_command {

// 64-bit FNV-1a over the machine's id and the purpose: the same at each start, and not that of a pack which
// runs on the same machine. Never 0.
packnet::HardwareNumber hardware_of_machine(std::string_view machine_id);
std::string hardware_text(packnet::HardwareNumber hardware);

// The key of the bus from a file that only its owner may read: 64 hexadecimal digits on the first line.
// Throws std::runtime_error with a sentence.
crypto::Key read_bus_key(const std::string& path);

// $XDG_STATE_HOME/amphora, or /var/lib/amphora where that is not set.
std::filesystem::path default_state_folder();

class CounterFile {
 public:
  // Makes the folder where it is missing, and waits for another process that has the file. Throws
  // std::runtime_error with a sentence when the file cannot be used or holds no counter.
  CounterFile(const std::filesystem::path& folder, packnet::HardwareNumber hardware, WallTime now);
  ~CounterFile();
  CounterFile(const CounterFile&) = delete;
  CounterFile& operator=(const CounterFile&) = delete;

  // Every number from here on is unused.
  std::uint64_t counter() const { return counter_; }
  // True when `counter` is durable.
  [[nodiscard]] bool store(std::uint64_t counter);

 private:
  std::filesystem::path path_;
  int lock_ = -1;
  std::uint64_t counter_ = 0;
};

}  // namespace amphora::packs_command
