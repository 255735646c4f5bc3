// SPDX-License-Identifier: Apache-2.0
// Frames from hostile input into the reader of CAN batteries: what it takes over is within its bounds.
//
// Input: frames of 1 byte position in the frame table (0xFF: an unknown id), 1 byte size with the time step
// in its upper bits, 8 bytes data.
#include <cstdint>
#include <cstdlib>

#include "core/bms/canbms/driver.hpp"

namespace {

using namespace amphora;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void check(const battery::Snapshot& snapshot, const canbms::DriverConfig& config) {
  if (snapshot.soc) {
    require(snapshot.soc->value >= BasisPoints{0} && snapshot.soc->value <= BasisPoints{10'000});
  }
  if (snapshot.voltage) {
    require(snapshot.voltage->value > Millivolts{0} && snapshot.voltage->value <= config.voltage_max);
  }
  if (snapshot.cell_min) {
    require(snapshot.cell_min->value >= config.cell_min && snapshot.cell_min->value <= config.cell_max);
  }
  if (snapshot.temperature_min) {
    require(snapshot.temperature_min->value >= config.temperature_min &&
            snapshot.temperature_min->value <= config.temperature_max);
  }
  if (snapshot.limits) {
    const battery::PublishedLimits& limits = snapshot.limits->value;
    require(!limits.charge_current || *limits.charge_current >= Milliamps{0});
    require(!limits.discharge_current || *limits.discharge_current >= Milliamps{0});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const canbms::DriverConfig config;
  canbms::Driver driver{config};
  ByteReader reader{ByteSpan{data, size}};
  TimePoint now{std::chrono::seconds{1}};
  while (reader.remaining() > 0) {
    can::Frame frame;
    const std::uint8_t position = reader.u8();
    frame.id = position == 0xFF ? 0x123U : can::kFrameTable[position % can::kFrameCount].id;
    const std::uint8_t size_and_time = reader.u8();
    frame.size = static_cast<std::uint8_t>(size_and_time % (can::kDataSizeMax + 1));
    now += std::chrono::milliseconds{(size_and_time / (can::kDataSizeMax + 1)) * 100};
    for (std::uint8_t& byte : frame.data) {
      byte = reader.u8();
    }
    driver.handle_frame(now, frame);
    driver.handle_timeout(now);
    check(driver.snapshot(), config);
    while (driver.poll_transmit(now)) {
    }
    while (driver.poll_event()) {
    }
    require(driver.poll_timeout() > now);
  }
  return 0;
}
