// SPDX-License-Identifier: Apache-2.0
// The producer's call of a queue of readings, for a tool that counts the instructions of one function.
//
//   bench_queue_write CASE
// CASE is empty (every call finds room), full (every call drops the oldest), skip (unchanged readings are
// compared and the last byte differs) or copy (the peer: 96 bytes are copied to where they would wait,
// nothing else). Calls write_once kCalls times and prints the number and the account.
#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "core/telemetry/sender.hpp"

using namespace amphora;
using namespace amphora::telemetry;

namespace {
constexpr int kCalls = 250;
std::array<std::array<std::uint8_t, kReadingSizeMax>, kCalls> waiting;
}  // namespace

// Not inlined and with C names, so that a tool finds them.
extern "C" [[gnu::noinline]] void write_once(SenderBase& sender, TimePoint now, ByteSpan payload) {
  (void)sender.add(now, payload);
}
extern "C" [[gnu::noinline]] void copy_once(std::uint8_t* to, ByteSpan payload) {
  std::memcpy(to, payload.data(), payload.size());
}

int main(int argc, char** argv) {
  const std::string_view which = argc > 1 ? argv[1] : "";
  SenderConfig config;
  config.skip_unchanged_for = which == "skip" ? Duration{std::chrono::hours{1}} : Duration::zero();
  static Sender<> sender{config};
  std::array<std::uint8_t, kReadingSizeMax> payload{};
  TimePoint now{std::chrono::seconds{1}};
  if (which == "full") {
    for (std::size_t i = 0; i < sender.capacity(); ++i) {
      (void)sender.add(now, payload);
    }
  }
  for (int i = 0; i < kCalls; ++i) {
    now += std::chrono::seconds{1};
    payload.back() = static_cast<std::uint8_t>(i);
    if (which == "copy") {
      copy_once(waiting[static_cast<std::size_t>(i)].data(), payload);
    } else {
      write_once(sender, now, payload);
    }
  }
  const SenderMetrics& m = sender.metrics();
  const bool is_exact = m.added == m.acked + m.dropped + m.expired + sender.waiting_count();
  std::printf("%d %llu %s\n", kCalls, static_cast<unsigned long long>(m.added), is_exact ? "exact" : "WRONG");
  return is_exact ? 0 : 1;
}
