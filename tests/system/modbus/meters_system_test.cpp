// SPDX-License-Identifier: Apache-2.0
// The sensor thread's energy meters, against slaves of libmodbus.
#include <gtest/gtest.h>
#include <modbus/modbus.h>

#include <atomic>
#include <bit>
#include <filesystem>
#include <functional>
#include <map>
#include <thread>

#include "runtime/inputs/sensor_thread.hpp"
#include "runtime/loop/loop.hpp"
#include "tests/system/modbus/serial_bridge.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;
using test::Damage;
using test::SerialBridge;

using Floats = std::map<int, float>;

// Meters of one line, played by one thread: after each answer the next address answers, in the order in which
// the sensor thread asks.
class Meters {
 public:
  Meters(const std::string& path, std::vector<int> addresses, int register_count = 0x50)
      : context_{modbus_new_rtu(path.c_str(), 9600, 'N', 8, 1)}, addresses_{std::move(addresses)} {
    EXPECT_EQ(modbus_set_slave(context_, addresses_.front()), 0);
    EXPECT_EQ(modbus_set_indication_timeout(context_, 0, 20'000), 0);
    for (std::size_t i = 0; i < addresses_.size(); ++i) {
      mappings_.push_back(modbus_mapping_new(0, 0, 0, register_count));
    }
    EXPECT_EQ(modbus_connect(context_), 0) << modbus_strerror(errno);
  }
  ~Meters() {
    is_over_ = true;
    thread_.join();
    modbus_close(context_);
    for (modbus_mapping_t* mapping : mappings_) {
      modbus_mapping_free(mapping);
    }
    modbus_free(context_);
  }
  Meters(const Meters&) = delete;
  Meters& operator=(const Meters&) = delete;

  void set(std::size_t meter, const Floats& values) {
    for (const auto& [word, value] : values) {
      // Not by libmodbus's own function: its versions differ in the order of the words.
      const auto bits = std::bit_cast<std::uint32_t>(value);
      mappings_[meter]->tab_input_registers[word] = static_cast<std::uint16_t>(bits >> 16U);
      mappings_[meter]->tab_input_registers[word + 1] = static_cast<std::uint16_t>(bits & 0xFFFFU);
    }
  }
  void start() {
    thread_ = std::thread{[this] { serve(); }};
  }

 private:
  void serve() {
    std::uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
    std::size_t turn = 0;
    while (!is_over_) {
      const int size = modbus_receive(context_, query);
      if (size > 0) {
        (void)modbus_reply(context_, query, size, mappings_[turn]);
        turn = (turn + 1) % addresses_.size();
        (void)modbus_set_slave(context_, addresses_[turn]);
      }
    }
  }

  modbus_t* context_;
  std::vector<int> addresses_;
  std::vector<modbus_mapping_t*> mappings_;
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

SensorOptions options_of(const std::vector<std::pair<Place, std::string>>& texts) {
  SensorOptions options;
  options.poll_interval = 50ms;
  for (const auto& [place, text] : texts) {
    options.specs[index_of(place)] = std::get<InputSpec>(parse_input_spec(text, place));
  }
  return options;
}

// With a generous bound that only serves to end a hanging test.
template <class T>
std::optional<T> wait_for(BoundedQueue<T>& queue, const std::function<bool(const T&)>& is_wanted) {
  const TimePoint end = steady_now() + 60s;
  while (steady_now() < end) {
    while (auto value = queue.pop()) {
      if (is_wanted(*value)) {
        return value;
      }
    }
    std::this_thread::sleep_for(2ms);
  }
  return std::nullopt;
}
std::optional<SensorReading> reading_of(SensorThread& sensors, Place place) {
  return wait_for<SensorReading>(sensors.readings(),
                                 [&](const SensorReading& r) { return r.place == place; });
}

const std::function<bool(const SensorNotice&)> kFails = [](const SensorNotice& notice) {
  return notice.error.has_value();
};
const std::function<bool(const SensorNotice&)> kWorks = [](const SensorNotice& notice) {
  return !notice.error;
};

TEST(MetersOnLibmodbus, tell_power_current_and_voltage) {
  SerialBridge bridge;
  Meters meters{bridge.path(1), {2}};
  meters.set(0, {{0x0000, 231.4F}, {0x0006, 4.321F}, {0x000C, -998.6F}});
  meters.start();
  SensorThread sensors{options_of({{Place::kGrid, "meter:" + bridge.path(0) + "?type=sdm120&address=2"}})};
  sensors.start();
  const auto reading = reading_of(sensors, Place::kGrid);
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->voltage, Millivolts{231'400});
  EXPECT_EQ(reading->current, Milliamps{4'321});
  EXPECT_EQ(reading->power, Watts{-999});
}

TEST(MetersOnLibmodbus, share_a_line_with_others_of_another_type) {
  SerialBridge bridge;
  Meters meters{bridge.path(1), {7, 9}};
  meters.set(0, {{0x0000, 230.0F},
                 {0x0002, 231.0F},
                 {0x0004, 232.0F},
                 {0x0006, 1.0F},
                 {0x0008, 2.0F},
                 {0x000A, 3.0F},
                 {0x0034, 1386.0F}});
  meters.set(1, {{0x0000, 229.0F}, {0x0006, 3.5F}, {0x000C, 800.0F}});
  meters.start();
  SensorThread sensors{
      options_of({{Place::kGrid, "meter:" + bridge.path(0) + "?type=sdm630&address=7&invert=on"},
                  {Place::kPump, "meter:" + bridge.path(0) + "?type=sdm120&address=9"}})};
  sensors.start();
  for (int round = 0; round < 3; ++round) {
    const auto grid = reading_of(sensors, Place::kGrid);
    ASSERT_TRUE(grid);
    EXPECT_EQ(grid->power, Watts{-1386});
    EXPECT_EQ(grid->current, Milliamps{6'000});
    EXPECT_EQ(grid->voltage, Millivolts{231'000});
    const auto pump = reading_of(sensors, Place::kPump);
    ASSERT_TRUE(pump);
    EXPECT_EQ(pump->power, Watts{800});
  }
}

TEST(MetersOnLibmodbus, are_understood_through_noise_and_in_pieces) {
  for (const Damage damage : {Damage::kAddsNoise, Damage::kSplits}) {
    SerialBridge bridge;
    bridge.set_damage(damage);
    Meters meters{bridge.path(1), {1}};
    meters.set(0, {{0x000C, 42.0F}});
    meters.start();
    SensorThread sensors{options_of({{Place::kGrid, "meter:" + bridge.path(0) + "?type=sdm120"}})};
    sensors.start();
    const auto reading = reading_of(sensors, Place::kGrid);
    ASSERT_TRUE(reading);
    EXPECT_EQ(reading->power, Watts{42});
  }
}

TEST(MetersOnLibmodbus, that_fall_silent_or_garble_are_told_once_and_come_back) {
  for (const Damage damage : {Damage::kSwallows, Damage::kFlipsABit}) {
    SerialBridge bridge;
    Meters meters{bridge.path(1), {1}};
    meters.set(0, {{0x000C, 42.0F}});
    meters.start();
    SensorThread sensors{options_of({{Place::kGrid, "meter:" + bridge.path(0) + "?type=sdm120"}})};
    sensors.start();
    ASSERT_TRUE(reading_of(sensors, Place::kGrid));
    bridge.set_damage(damage);
    const auto fails = wait_for<SensorNotice>(sensors.notices(), kFails);
    ASSERT_TRUE(fails);
    EXPECT_EQ(fails->error->code, ETIMEDOUT);
    EXPECT_NE(fails->error->text().find("meter 1 on " + bridge.path(0)), std::string::npos);
    bridge.set_damage(Damage::kNone);
    EXPECT_TRUE(wait_for<SensorNotice>(sensors.notices(), [](const SensorNotice&) { return true; }));
    while (sensors.readings().pop()) {
    }
    ASSERT_TRUE(reading_of(sensors, Place::kGrid));
    EXPECT_FALSE(sensors.statuses().front().error);
  }
}

TEST(MetersOnLibmodbus, that_refuse_are_named_with_the_exception) {
  SerialBridge bridge;
  Meters meters{bridge.path(1), {1}, 6};  // no such registers: exception 2
  meters.start();
  SensorThread sensors{options_of({{Place::kGrid, "meter:" + bridge.path(0) + "?type=sdm630"}})};
  sensors.start();
  const auto fails = wait_for<SensorNotice>(sensors.notices(), kFails);
  ASSERT_TRUE(fails);
  EXPECT_EQ(fails->error->operation, "meter 1 on " + bridge.path(0) + " refuses with exception 2");
}

TEST(MetersOnLibmodbus, are_found_when_their_line_is_plugged_in) {
  const std::string link = "/tmp/amphora_meter_" + std::to_string(::getpid());
  std::filesystem::remove(link);
  SensorThread sensors{options_of({{Place::kGrid, "meter:" + link + "?type=sdm120"}})};
  sensors.start();
  const auto fails = wait_for<SensorNotice>(sensors.notices(), kFails);
  ASSERT_TRUE(fails);
  EXPECT_EQ(fails->error->code, ENOENT);
  SerialBridge bridge;
  Meters meters{bridge.path(1), {1}};
  meters.set(0, {{0x000C, 7.0F}});
  meters.start();
  std::filesystem::create_symlink(bridge.path(0), link);
  EXPECT_TRUE(wait_for<SensorNotice>(sensors.notices(), kWorks)) << sensors.statuses().front().error->text();
  const auto reading = reading_of(sensors, Place::kGrid);
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->power, Watts{7});
  std::filesystem::remove(link);
}

}  // namespace
}  // namespace amphora::runtime
