// SPDX-License-Identifier: Apache-2.0
// The frames that all bridges carry, each different from its neighbours, and what must arrive for them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/can/bms_protocol.hpp"

namespace amphora::bench {

inline constexpr const char* kTopic = "bench/frame";
// At most this many frames are under way. A bridge may number its topics with the place in this window,
// "bench/frame/5".
inline constexpr std::int32_t kWindow = 64;
// A frame that is sent until the first one arrives; known by its lowest voltage.
inline constexpr double kWarmUpLow = 40.0;
inline can::Frame warm_up_frame() {
  return *can::encode(can::Limits{Decivolts{500}, Deciamps{0}, Deciamps{0}, Decivolts{400}});
}

struct Value {
  std::string_view key;  // as `amphora decode victron` names it
  double value;
};
struct Expected {
  can::Frame frame;
  std::array<Value, 4> values;  // an empty key ends it
};

inline Expected expected(std::int32_t i) {
  const auto tenths = [](std::int32_t count) { return static_cast<double>(count) / 10; };
  const auto hundredths = [](std::int32_t count) { return static_cast<double>(count) / 100; };
  const auto thousandths = [](std::int32_t count) { return static_cast<double>(count) / 1000; };
  const std::int32_t a = i % 97;
  const std::int32_t b = i % 1009;
  switch (i % 4) {
    case 0:
      return {
          *can::encode(can::Limits{Decivolts{500 + a}, Deciamps{b}, Deciamps{2 * b}, Decivolts{464}}),
          {{{"cvl_v", tenths(500 + a)}, {"ccl_a", tenths(b)}, {"dcl_a", tenths(2 * b)}, {"dvl_v", 46.4}}}};
    case 1:
      return {
          *can::encode(can::Charge{Percent{a}, Percent{99}, BasisPoints{b}}),
          {{{"soc_percent", tenths(10 * a)}, {"soh_percent", 99}, {"soc_hires_percent", hundredths(b)}, {}}}};
    case 2:
      return {*can::encode(can::Measurements{Centivolts{5000 + a}, Deciamps{b - 500}, Decicelsius{a}}),
              {{{"voltage_v", hundredths(5000 + a)},
                {"current_a", tenths(b - 500)},
                {"temperature_c", tenths(a)},
                {}}}};
    default:
      return {*can::encode(can::CellExtremes{Millivolts{2500 + a}, Millivolts{3000 + b},
                                             Decicelsius{10 * (a % 20)}, Decicelsius{10 * a}}),
              {{{"cell_min_v", thousandths(2500 + a)},
                {"cell_max_v", thousandths(3000 + b)},
                {"temperature_min_c", tenths(10 * (a % 20))},
                {"temperature_max_c", tenths(10 * a)}}}};
  }
}

}  // namespace amphora::bench
