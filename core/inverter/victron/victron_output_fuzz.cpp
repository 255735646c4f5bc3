// SPDX-License-Identifier: Apache-2.0
// Any order of snapshots, frames, bus states and time into the output: the invariants of its header hold.
//
// Input: records of 1 byte operation, 1 byte time step (in units that differ by operation), then what the
// operation needs; missing bytes read as zero.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <variant>

#include "core/inverter/sample_battery_test.hpp"
#include "core/inverter/victron/output.hpp"

namespace {

using namespace amphora;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

battery::Snapshot next_snapshot(ByteReader& reader, TimePoint now) {
  battery::Snapshot snapshot = inverter::sample_snapshot(now);
  const std::uint8_t kind = reader.u8();
  const auto low = static_cast<std::int32_t>(reader.u16());
  const std::int32_t high = low + reader.u8();
  if ((kind & 0x01U) != 0) {
    inverter::set_cells(snapshot, now, Millivolts{low}, Millivolts{high});
  }
  if ((kind & 0x02U) != 0) {
    snapshot.soc->value = BasisPoints{static_cast<std::int16_t>(reader.u16())};
  }
  if ((kind & 0x04U) != 0) {
    inverter::set_temperatures(snapshot, now, Decicelsius{reader.i16()}, Decicelsius{reader.i16()});
  }
  if ((kind & 0x08U) != 0) {
    snapshot.current->value = Milliamps{static_cast<std::int32_t>(reader.u32())};
  }
  if ((kind & 0x10U) != 0) {
    snapshot.voltage->value = Millivolts{static_cast<std::int32_t>(reader.u32())};
  }
  if ((kind & 0x20U) != 0) {
    snapshot.limits = Sampled<battery::PublishedLimits>{{Millivolts{static_cast<std::int32_t>(reader.u32())},
                                                         Milliamps{static_cast<std::int32_t>(reader.u32())},
                                                         {},
                                                         Millivolts{static_cast<std::int32_t>(reader.u32())}},
                                                        now};
  }
  if ((kind & 0x40U) != 0) {
    snapshot.cells->value.count = reader.u16();
  }
  if ((kind & 0x80U) != 0) {
    snapshot.voltage.reset();
  }
  return snapshot;
}

void give(victron::Output& output, ByteReader& reader, std::uint8_t operation, TimePoint now) {
  switch (operation % 6) {
    case 0:
      output.handle_snapshot(now, next_snapshot(reader, now));
      return;
    case 1:
      output.handle_frame(now, can::encode(can::KeepAlive{}).value());
      return;
    case 2:
      output.handle_bus_state(now, static_cast<can::BusState>(reader.u8() % 4));
      return;
    case 3: {
      can::Frame frame;
      frame.id = reader.u16();
      frame.size = static_cast<std::uint8_t>(reader.u8() % (can::kDataSizeMax + 1));
      output.handle_frame(now, frame);
      return;
    }
    case 4:
      output.set_user_limits(now, {Millivolts{static_cast<std::int32_t>(reader.u32())},
                                   Milliamps{static_cast<std::int32_t>(reader.u32())},
                                   Milliamps{static_cast<std::int32_t>(reader.u32())}});
      return;
    default:
      output.handle_timeout(now);
      return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const battery::Profile profile = inverter::sample_profile();
  victron::Output output{victron::OutputConfig{}, profile};
  ByteReader reader{ByteSpan{data, size}};
  TimePoint now{std::chrono::seconds{1}};
  std::optional<TimePoint> newest;
  while (reader.remaining() > 0) {
    const std::uint8_t operation = reader.u8();
    const std::uint8_t step = reader.u8();
    now += std::chrono::milliseconds{operation >= 0xC0 ? step * 500 : step * 5};
    give(output, reader, operation, now);
    if (operation % 6 == 0) {
      newest = now;
    }
    for (int polls = 0;; ++polls) {
      require(polls < 64);
      const auto frame = output.poll_transmit(now);
      if (!frame) {
        break;
      }
      require(newest.has_value());
      const auto decoded = can::decode(*frame);
      require(decoded.ok());
      if (const auto* limits = std::get_if<can::Limits>(&decoded.value())) {
        require(*limits->charge_voltage >= Decivolts{528} && *limits->charge_voltage <= Decivolts{552});
        require(*limits->charge_current >= Deciamps{0} && *limits->charge_current <= Deciamps{500});
        require(*limits->discharge_current >= Deciamps{0} && *limits->discharge_current <= Deciamps{1000});
        if (now - *newest > std::chrono::seconds{5}) {
          require(*limits->charge_current == Deciamps{0} && *limits->discharge_current == Deciamps{0});
        }
      }
    }
    require(output.poll_timeout() > now);
    while (output.poll_event()) {
    }
  }
  return 0;
}
