// SPDX-License-Identifier: Apache-2.0
// Any sequence of inputs to the controller: nothing asserts, polling ends, the grid is not closed while the
// import limit is exhausted, no relay passes its wear limit, settings are valid whatever was set.
//
// Input: records of 1 byte operation, 1 byte time step, then what the operation needs; missing bytes read as
// zero.
#include <cstdint>
#include <cstdlib>
#include <variant>

#include "core/base/bytes.hpp"
#include "core/energy/controller.hpp"

namespace {

using namespace amphora;
using namespace amphora::energy;

constexpr std::int64_t kMidnight = 1'774'569'600;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

// Absent, ordinary or anything: the first byte tells.
template <class T>
Reading<T> next_reading(ByteReader& reader, TimePoint now, std::int32_t step) {
  const std::uint8_t kind = reader.u8();
  if (kind == 0) {
    return std::nullopt;
  }
  const std::int32_t value = kind >= 0xF0 ? reader.read<std::int32_t>() : kind * step;
  return Sampled<T>{T(value), kind >= 0xF8 ? now - std::chrono::seconds{reader.u8()} : now};
}

Inputs next_inputs(ByteReader& reader, TimePoint now) {
  Inputs in;
  in.grid.power = next_reading<Watts>(reader, now, 100);
  in.inverter_output.current = next_reading<Milliamps>(reader, now, 200);
  in.load[0].power = next_reading<Watts>(reader, now, 20);
  in.load[1].current = next_reading<Milliamps>(reader, now, 100);
  in.ac_voltage = next_reading<Millivolts>(reader, now, 1000);
  in.pack_voltage = next_reading<Millivolts>(reader, now, 250);
  in.pack_current = next_reading<Milliamps>(reader, now, 500);
  in.soc = next_reading<BasisPoints>(reader, now, 50);
  in.cell_max = next_reading<Millivolts>(reader, now, 16);
  in.temperature_max = next_reading<Decicelsius>(reader, now, 3);
  in.bms_fault = next_reading<bool>(reader, now, 0);
  const std::uint8_t measured = reader.u8();
  if ((measured & 0x80U) != 0) {
    for (std::size_t i = 0; i < 7; ++i) {
      in.measured[i] = static_cast<Position>((measured >> i) & 1U);
    }
  }
  return in;
}

ModeSettings next_settings(ByteReader& reader) {
  ModeSettings settings;
  const std::uint8_t modes = reader.u8();
  for (std::size_t i = 0; i < kModeCount + 1; ++i) {
    settings.enabled.set(static_cast<Mode>(i), ((modes >> i) & 1U) != 0);
  }
  settings.eco_falls_back = (modes & 0x80U) != 0;
  settings.self_low = BasisPoints{reader.u8() * 50};
  settings.self_high = BasisPoints{reader.u8() * 50};
  settings.eco_limit = Watts{reader.u16()};
  settings.eco_order.count = static_cast<std::uint8_t>(reader.u8() % 10);
  for (Relay& relay : settings.eco_order.relay) {
    relay = static_cast<Relay>(reader.u8() % 10);
  }
  settings.windows.count = static_cast<std::uint8_t>(reader.u8() % 10);
  settings.windows.window[0] = {reader.u16(), reader.u16(), reader.u8()};
  settings.import_limit = WattHours{reader.u16()};
  settings.import_reset_minute = reader.u16();
  return settings;
}

struct Rig {
  Controller controller;
  bool is_store_hanging = false;
  std::uint32_t last_ticket = 0;

  explicit Rig(ByteReader& reader) : controller{{}, {}, next_facts(reader)} {}

  static Facts next_facts(ByteReader& reader) {
    Facts facts;
    const std::uint8_t kind = reader.u8();
    if ((kind & 1U) != 0) {
      facts.import_exhausted = ImportExhausted{(kind & 2U) != 0 ? std::optional{20'539} : std::nullopt};
    }
    facts.has_eco_fallen_back = (kind & 4U) != 0;
    if ((kind & 8U) != 0) {
      facts.orders[reader.u8() % kRelayCount] = StoredOrder{Position::kOpen, reader.read<std::int64_t>()};
    }
    return facts;
  }

  void give(ByteReader& reader, std::uint8_t operation, TimePoint now) {
    switch (operation % 8) {
      case 0: {
        const std::int64_t unix_s =
            (operation & 8U) != 0 ? reader.read<std::int64_t>() : kMidnight + std::int64_t{reader.u16()} * 60;
        TimeReading time{unix_s, reader.i16() * 2, std::nullopt};
        if ((operation & 16U) != 0) {
          time.next_change = OffsetChange{unix_s + reader.u16(), reader.i16() * 2};
        }
        return controller.handle_time(now, time);
      }
      case 1: {
        const ModeSettings settings = next_settings(reader);
        const bool is_valid = !check_settings(settings);
        require(is_valid == !controller.set_settings(now, settings));
        return;
      }
      case 2: {
        const Relay relay = relay_at(reader.u8() % kRelayCount);
        const auto position = static_cast<Position>(reader.u8() & 1U);
        (void)controller.order(now, relay, position, std::chrono::seconds{reader.u16()});
        return;
      }
      case 3:
        return controller.release(now, relay_at(reader.u8() % kRelayCount));
      case 4:
        is_store_hanging = (reader.u8() & 1U) != 0;
        (operation & 8U) != 0 ? controller.handle_stored(now, last_ticket)
                              : controller.handle_store_failed(now, last_ticket);
        return;
      case 5:
        return controller.reset_import_energy(now);
      default:
        return controller.handle_inputs(now, next_inputs(reader, now));
    }
  }

  void drain(TimePoint now) {
    controller.handle_timeout(now);
    for (int polls = 0;; ++polls) {
      require(polls < 4096);
      if (const auto request = controller.poll_store(now)) {
        require(request->ticket > last_ticket);
        last_ticket = request->ticket;
        if (!is_store_hanging) {
          controller.handle_stored(now, request->ticket);
        }
        continue;
      }
      const auto command = controller.poll_transmit(now);
      if (!command) {
        break;
      }
      if (const auto* relay = std::get_if<RelayCommand>(&*command)) {
        require(relay->position == controller.relay(relay->relay).commanded);
      }
    }
    while (controller.poll_event()) {
    }
    require(controller.poll_timeout() > now);
    require(!check_settings(controller.settings()));
    const RelayState& grid = controller.relay(Relay::kGrid);
    require(!controller.is_import_exhausted() || grid.commanded == Position::kOpen);
    const auto relays = default_relays();
    for (std::size_t i = 0; i < kRelayCount; ++i) {
      require(controller.relay(relay_at(i)).switches_last_hour <= relays[i].switches_per_hour);
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader{ByteSpan{data, size}};
  Rig rig{reader};
  TimePoint now{std::chrono::seconds{1000}};
  while (reader.remaining() > 0) {
    const std::uint8_t operation = reader.u8();
    const std::uint8_t step = reader.u8();
    now += operation >= 0xE0 ? Duration{std::chrono::minutes{step}} : std::chrono::milliseconds{step * 20};
    rig.give(reader, operation, now);
    rig.drain(now);
  }
  return 0;
}
