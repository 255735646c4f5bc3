// SPDX-License-Identifier: Apache-2.0
// Where AC power is measured, and the text that says with what.
//
//   adc:/sys/bus/iio/devices/iio:device0/in_voltage0_raw?amps_per_count=0.0366
//   i2c:/dev/i2c-1?address=0x48&channel=0&gain=1&amps_per_volt=100
//   meter:/dev/ttyUSB1?type=sdm120&address=2&baud=9600
//   mqtt:house/meter/state?unit=w&field=power
//   (empty: nothing is measured there)
//
// adc    a raw file of Linux IIO. amps_per_count or volts_per_count scales the number in the file;
//        amps_per_volt or volts_per_volt scales the voltage at the converter's pin, for which the driver's
//        in_…_scale file is read as well.
// i2c    a converter of the ADS1115 family on a bus of i2c-dev: address 0x48 to 0x4B, channel 0 to 3 against
//        ground, gain 2/3, 1, 2, 4, 8 or 16 (full scale 6.144 V to 0.256 V), amps_per_volt or volts_per_volt.
// Both   rms=on (default): the pin carries the wave of a current transformer, so it is sampled for kRmsWindow
//        and the root of the mean square around the mean is taken; the bias of the pin falls out.
//        rms=off: the board rectifies or filters, so one reading is the value. zero=… is subtracted before
//        scaling (counts with …_per_count, volts with …_per_volt) and what lies below it counts as zero.
// meter  an energy meter on Modbus RTU: type sdm120 or sdm630, address 1 to 247, baud (default 9600), parity
//        none, even or odd (default none). Tells power with its sign, current and voltage.
//        invert=on turns the sign of the power, for a meter that is fed from the other side.
// mqtt   a topic of the broker the program is connected to; unit w, kw, a, ma or v (default w); field names a
//        member of a JSON object, with dots for inner ones; without it the payload is the number.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/energy/balance.hpp"
#include "runtime/device/spec_text.hpp"
#include "runtime/serial/serial_port.hpp"

namespace amphora::runtime {

// The places of energy::Inputs. The first ones are those of the relays, in their order.
enum class Place : std::uint8_t {
  kGrid,
  kInverterOutput,
  kPump,
  kHeater,
  kLoad3,
  kLoad4,
  kLoad5,
  kLoad6,
  kAcVoltage,
  kCount
};
inline constexpr std::size_t kPlaceCount = static_cast<std::size_t>(Place::kCount);
static_assert(kPlaceCount == energy::kRelayCount + 1);
constexpr std::size_t index_of(Place place) {
  return static_cast<std::size_t>(place);
}
constexpr Place place_of(energy::Relay relay) {
  return static_cast<Place>(energy::index_of(relay));
}
// The stable name used in logs and documentation: a relay's, or ac_voltage.
constexpr std::string_view to_text(Place place) {
  return place == Place::kAcVoltage ? std::string_view{"ac_voltage"}
                                    : energy::to_text(energy::relay_at(index_of(place)));
}

// Scales are in units of 1e-9 amps or volts per count or volt.
inline constexpr int kScaleDecimals = 9;
// Ten periods of 50 Hz, twelve of 60 Hz: whole periods of both.
inline constexpr Duration kRmsWindow = std::chrono::milliseconds{200};

enum class Measured : std::uint8_t { kCurrent, kVoltage };
enum class ScaleOf : std::uint8_t { kCount, kVolt };

// What the number of a converter means.
struct Scale {
  Measured measured = Measured::kCurrent;
  ScaleOf of = ScaleOf::kCount;
  std::int64_t nano = 0;  // 1e-9 A or V for one count or volt
  std::int64_t zero = 0;  // 1e-9 counts or volts, only with is_rms off
  bool is_rms = true;
  friend bool operator==(const Scale&, const Scale&) = default;
};
struct AdcSpec {
  std::string path;
  Scale scale;
  friend bool operator==(const AdcSpec&, const AdcSpec&) = default;
};
struct I2cSpec {
  std::string path;
  std::uint8_t address = 0x48;
  std::uint8_t channel = 0;
  std::uint8_t gain_code = 1;  // bits of the chip: 0 is 2/3, then 1, 2, 4, 8, 16
  Scale scale;
  friend bool operator==(const I2cSpec&, const I2cSpec&) = default;
};
enum class MeterType : std::uint8_t { kSdm120, kSdm630 };
struct MeterSpec {
  std::string path;
  MeterType type = MeterType::kSdm120;
  std::uint8_t address = 1;
  std::uint32_t baud = 9600;
  SerialParity parity = SerialParity::kNone;
  bool is_inverted = false;
  friend bool operator==(const MeterSpec&, const MeterSpec&) = default;
};
enum class MqttUnit : std::uint8_t { kWatts, kKilowatts, kAmps, kMilliamps, kVolts };
struct MqttSpec {
  std::string topic;
  MqttUnit unit = MqttUnit::kWatts;
  std::string field;
  friend bool operator==(const MqttSpec&, const MqttSpec&) = default;
};

using InputSpec = std::variant<std::monostate, AdcSpec, I2cSpec, MeterSpec, MqttSpec>;

// The place matters: only a voltage can be measured at ac_voltage, and no voltage alone anywhere else.
std::variant<InputSpec, SpecError> parse_input_spec(std::string_view text, Place place);
// A text that parses to the same spec; empty for none.
std::string to_text(const InputSpec& spec);

// Specs of all places, and why they do not go together (two speeds on one line); empty: they do.
using InputSpecs = std::array<InputSpec, kPlaceCount>;
std::string check_input_specs(const InputSpecs& specs);

}  // namespace amphora::runtime
