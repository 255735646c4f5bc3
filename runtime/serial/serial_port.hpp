// SPDX-License-Identifier: Apache-2.0
// A serial line: 8 data bits, no parity unless asked for, one stop bit, raw, owned by this program alone.
//
// The port opens itself and stays open: when it is missing or is unplugged it is tried again with a growing
// pause, so the owner only sees "open" and "closed". A pseudo-terminal works like a real line. Inputs come by
// callbacks on the loop's thread, outputs by write(), which never blocks.
//
// Limits: kSerialTxCapacity bytes wait for a slow line; a write that does not fit is refused whole and
// counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/time.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/loop/sys_error.hpp"

namespace amphora::runtime {

inline constexpr std::size_t kSerialTxCapacity = 4096;

// Some energy meters leave the factory with parity.
enum class SerialParity : std::uint8_t { kNone, kEven, kOdd };

struct SerialOptions {
  std::string path;  // "/dev/ttyUSB0", "/dev/serial/by-id/…", the slave of a pseudo-terminal
  std::uint32_t baud = 115200;
  SerialParity parity = SerialParity::kNone;
  Duration reopen_after_min = std::chrono::milliseconds{500};
  Duration reopen_after_max = std::chrono::seconds{10};
};

struct SerialCounters {
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_dropped = 0;  // refused because the port was closed or its queue full
  std::uint64_t opens = 0;
  std::uint64_t open_failures = 0;
  std::uint64_t losses = 0;  // was open, then failed
};

struct SerialHandlers {
  std::function<void(ByteSpan)> on_bytes;
  // Once after each opening, and once after each failure that ends an open or the first attempt to open.
  std::function<void(bool is_open)> on_state;
};

bool is_baud_known(std::uint32_t baud);

class SerialPort {
 public:
  SerialPort(Loop& loop, SerialOptions options, SerialHandlers handlers);
  ~SerialPort();
  SerialPort(const SerialPort&) = delete;
  SerialPort& operator=(const SerialPort&) = delete;

  // False and counted when closed or when it does not fit; then nothing is sent.
  bool write(ByteSpan bytes);
  // What the line has not taken yet is forgotten (before a new request after a time-out).
  void discard_output();

  bool is_open() const;
  // Why it is closed. Empty while open.
  std::optional<SysError> last_error() const;
  const SerialCounters& counters() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace amphora::runtime
