// SPDX-License-Identifier: Apache-2.0
// Encodes and decodes one frame of every kind the CAN-bus BMS protocol has, over and over, and beside it
// moves the same frames with a memcpy and a sum, which no codec can beat.
//
//   bench_can_codec frames | run ROUNDS
//
// The first prints a candump line for each frame, the second nanoseconds of CPU per frame:
// {"frames":…,"encode_ns":…,"decode_ns":…,"copy_ns":…}.
// Exit code 1 when encoding and decoding are not each other's inverse on any of them.
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "bench/cpu_clock.hpp"
#include "core/can/bms_protocol.hpp"

namespace amphora::bench {
namespace {

using namespace can;  // NOLINT(google-build-using-namespace): the messages below are all of it
constexpr std::size_t kCount = kFrameCount;
constexpr std::uint16_t kGxModel = 0x1234;

using Messages = std::array<Message, kCount>;
using Frames = std::array<Frame, kCount>;

battery::AlarmSet alarm_set(battery::Alarm active) {
  battery::AlarmSet set;
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    const auto alarm = static_cast<battery::Alarm>(i);
    set.set(alarm, alarm == active);
  }
  return set;
}

// One of each kind. The two of Pylontech are given as bytes: their bits stand for few of our alarms.
Frames sample_frames() {
  using Which = ExtremeName::Which;
  const AlarmBits alarms{alarm_set(battery::Alarm::kHighVoltage), alarm_set(battery::Alarm::kCellImbalance),
                         true};
  const std::array<Message, kCount - 2> messages{
      KeepAlive{},
      GxIdentity{0x78563412, Text8{"VIC"}},
      Limits{Decivolts{579}, Deciamps{1000}, Deciamps{1950}, Decivolts{464}},
      Charge{Percent{60}, Percent{99}, BasisPoints{6020}},
      Measurements{Centivolts{5321}, Deciamps{-123}, Decicelsius{215}},
      Manufacturer{Text8{"AMPHORA"}},
      Info{kGxModel, Info::Version{1, 2}, AmpHours{280}, std::uint16_t{3}},
      Name{Half::kFirst, Text8{"House ba"}},
      Name{Half::kSecond, Text8{"ttery"}},
      Modules{std::uint16_t{4}, std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{2}},
      CellExtremes{Millivolts{3301}, Millivolts{3345}, Decicelsius{180}, Decicelsius{240}},
      ExtremeName{Which::kCellMin, Text8{"1.03"}},
      ExtremeName{Which::kCellMax, Text8{"2.11"}},
      ExtremeName{Which::kTemperatureMin, Text8{"1.T1"}},
      ExtremeName{Which::kTemperatureMax, Text8{"2.T4"}},
      Energy{HectowattHours{12345}, HectowattHours{11999}},
      Installed{AmpHours{560}},
      Serial{Half::kFirst, Text8{"AB123456"}},
      Serial{Half::kSecond, Text8{"789"}},
      Family{Text8{"LFP-16S"}},
      alarms};
  Frames frames;
  std::size_t count = 0;
  for (const Message& message : messages) {
    frames[count++] = *encode(message);
  }
  frames[count++] = Frame{.id = kPylonStatusId, .size = 7, .data = {0x02, 0x00, 0x08, 0x00, 4, 'P', 'N'}};
  frames[count++] = Frame{.id = kPylonRequestsId, .size = 2, .data = {0xC0, 0x00}};
  return frames;
}

bool are_inverse(const Frames& frames, Messages& messages) {
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto message = decode(frames[i]);
    if (!message) {
      return false;
    }
    messages[i] = *message;
    const auto frame = encode(*message);
    if (!frame || !(*frame == frames[i])) {
      std::fprintf(stderr, "frame %03" PRIX32 " is not the same after decoding and encoding\n", frames[i].id);
      return false;
    }
  }
  return true;
}

template <class Work>
double ns_per_frame(std::int64_t rounds, Work work) {
  const std::int64_t start = cpu_ns();
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < kCount; ++i) {
      work(i);
    }
  }
  return static_cast<double>(cpu_ns() - start) / static_cast<double>(rounds * std::int64_t{kCount});
}

void print_frames(const Frames& frames) {
  for (const Frame& frame : frames) {
    std::printf("%03" PRIX32 "#", frame.id);
    for (std::size_t i = 0; i < frame.size; ++i) {
      std::printf("%02X", frame.data[i]);
    }
    std::printf("\n");
  }
}

int run(const Frames& frames, const Messages& messages, std::int64_t rounds) {
  bool is_good = true;
  const double encode_ns = ns_per_frame(rounds, [&](std::size_t i) {
    const auto frame = encode(messages[i]);
    is_good = is_good && frame.ok();
    keep(frame);
  });
  const double decode_ns = ns_per_frame(rounds, [&](std::size_t i) {
    const auto message = decode(frames[i]);
    is_good = is_good && message.ok();
    keep(message);
  });
  std::uint64_t sum = 0;
  const double copy_ns = ns_per_frame(rounds, [&](std::size_t i) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, frames[i].data.data(), sizeof bytes);
    sum += bytes;
    keep(sum);
  });
  std::printf("{\"frames\":%zu,\"encode_ns\":%.2f,\"decode_ns\":%.2f,\"copy_ns\":%.2f}\n", kCount, encode_ns,
              decode_ns, copy_ns);
  return is_good ? 0 : 1;
}

}  // namespace
}  // namespace amphora::bench

int main(int argc, char** argv) {
  using namespace amphora::bench;
  const Frames frames = sample_frames();
  Messages messages;
  if (!are_inverse(frames, messages)) {
    return 1;
  }
  if (argc == 2 && std::string_view{argv[1]} == "frames") {
    print_frames(frames);
    return 0;
  }
  if (argc == 3 && std::string_view{argv[1]} == "run") {
    return run(frames, messages, std::atoll(argv[2]));
  }
  std::fprintf(stderr, "usage: bench_can_codec frames | run ROUNDS\n");
  return 2;
}
