// SPDX-License-Identifier: Apache-2.0
// Hostile frames and random times into one node of the pack network: what is decoded survives encoding, and
// the machine keeps its contract.
//
// Input: frames of 1 byte time step (10 ms units; 255: the bus goes off and on), 4 bytes id (bit 31: 29
// bits), 1 byte size, 8 bytes data.
#include <cstdint>
#include <cstdlib>

#include "core/packnet/network.hpp"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora;
  packnet::NetworkConfig config;
  config.hardware = 0x1005;
  config.gate.is_sealed = size % 2 == 0;
  packnet::PackNetwork network{config};
  TimePoint now{std::chrono::seconds{1}};
  network.handle_bus_state(now, can::BusState::kActive);
  ByteReader reader{ByteSpan{data, size}};
  while (reader.remaining() > 0) {
    const std::uint8_t step = reader.u8();
    if (step == 255) {
      network.handle_bus_state(now, can::BusState::kBusOff);
      network.handle_bus_state(now, can::BusState::kActive);
    }
    now += std::chrono::milliseconds{10} * step;
    can::Frame frame;
    const std::uint32_t id = reader.u32();
    frame.is_extended = (id & 0x8000'0000U) != 0;
    frame.id = id & (frame.is_extended ? can::kExtendedIdMax : can::kStandardIdMax);
    frame.size = static_cast<std::uint8_t>(reader.u8() % (can::kDataSizeMax + 1));
    for (std::uint8_t& byte : frame.data) {
      byte = reader.u8();
    }
    const auto decoded = packnet::decode(frame);
    if (decoded.ok()) {
      const auto again = packnet::decode(packnet::encode(*decoded));
      require(again.ok() && *again == *decoded);
    }
    network.handle_timeout(now);
    network.handle_frame(now, frame);
    int polls = 0;
    for (int round = 0; round < 8 && (round == 0 || network.poll_timeout() <= now); ++round) {
      network.handle_timeout(now);
      while (network.poll_transmit(now)) {
        require(++polls < 1000);
      }
      while (network.poll_event()) {
      }
      while (network.poll_opaque()) {
      }
      if (const auto floor = network.gate().poll_store()) {
        network.gate().handle_stored(now, *floor);
      }
      while (const auto command = network.gate().poll_command()) {
        network.gate().finish(now, command->ticket, packnet::CommandResult::kDone);
      }
    }
    require(network.poll_timeout() > now);
  }
  return 0;
}
