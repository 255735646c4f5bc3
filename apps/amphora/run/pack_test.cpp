// SPDX-License-Identifier: Apache-2.0
// What people read of a pack: its state, its events, its figures, its names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/amphora/config/load.hpp"
#include "apps/amphora/run/metrics.hpp"
#include "apps/amphora/run/mqtt_publisher.hpp"
#include "apps/amphora/run/pack_config.hpp"
#include "apps/amphora/run/pack_event_text.hpp"
#include "apps/amphora/run/pack_json.hpp"

namespace amphora::run {
namespace {

using ::testing::HasSubstr;

config::Config pack_config(const std::string& more = {}) {
  const config::LoadResult loaded = config::load_text(
      "role = \"pack\"\nname = \"Pack Cellar\"\n[bms]\nport = \"/dev/ttyUSB0\"\n[battery]\nchemistry = "
      "\"lfp\"\n"
      "series_cells = 16\ncapacity_ah = 100\n[relays]\ngrid = \"virtual\"\npool_pump = \"virtual\"\n" +
      more);
  return loaded.config.value_or(config::Config{});
}

TimePoint at_second(int seconds) {
  return TimePoint{std::chrono::seconds{seconds}};
}

// A control that has seen the inputs once.
energy::Controller make_control(const config::Config& config, const energy::Inputs& inputs,
                                const energy::ModeSettings& settings = {}) {
  energy::Controller control{to_pack_options(config, "machine", "").node.control, settings};
  control.handle_inputs(at_second(100), inputs);
  control.handle_timeout(at_second(100));
  return control;
}

energy::Inputs some_inputs() {
  const TimePoint at = at_second(99);
  energy::Inputs inputs;
  inputs.pack_voltage = Sampled<Millivolts>{Millivolts{52'800}, at};
  inputs.pack_current = Sampled<Milliamps>{Milliamps{10'000}, at};
  inputs.soc = Sampled<BasisPoints>{BasisPoints{6250}, at};
  inputs.grid.power = Sampled<Watts>{Watts{1200}, at};
  inputs.inverter_output.power = Sampled<Watts>{Watts{900}, at};
  return inputs;
}

TEST(PackState, UnknownValuesAreAbsent) {
  const config::Config config = pack_config();
  const runtime::PackReport report{at_second(100), make_control(config, energy::Inputs{})};
  const Json energy = energy_json(report, config, at_second(101));
  EXPECT_EQ(energy["age_ms"], 1000);
  for (const char* name : {"home_w", "grid_w", "battery_w", "solar_w", "soc_percent", "stored_kwh"}) {
    EXPECT_FALSE(energy.contains(name)) << name;
  }
  ASSERT_EQ(energy["loads"].size(), 1U);
  EXPECT_EQ(energy["loads"][0], (Json{{"name", "pool_pump"}, {"title", "Pool pump"}}));
  const Json modes = modes_json(report, at_second(100));
  EXPECT_EQ(modes["time_known"], false);
  EXPECT_FALSE(modes.contains("local_time"));
  const Json packs = packs_json(report, at_second(100));
  EXPECT_FALSE(packs.contains("node"));
  EXPECT_FALSE(packs.contains("bus"));
  EXPECT_FALSE(packs["aggregate"].contains("power_w"));
}

TEST(PackState, TheBalanceAndTheBatteryInTheirUnits) {
  const config::Config config = pack_config();
  runtime::PackReport report{at_second(100), make_control(config, some_inputs())};
  report.snapshot.current = Sampled<Milliamps>{Milliamps{10'000}, at_second(99)};
  const Json energy = energy_json(report, config, at_second(100));
  EXPECT_EQ(energy["grid_w"], 1200);
  EXPECT_EQ(energy["battery_w"], 528);
  EXPECT_EQ(energy["home_w"], 900);
  EXPECT_EQ(energy["solar_w"], 228);
  EXPECT_EQ(energy["soc_percent"], 62.5);
  EXPECT_EQ(energy["soc_source"], "bms");
  EXPECT_EQ(energy["stored_kwh"], 3.2);         // 62.5 Ah at 51.2 V
  EXPECT_EQ(energy["time_to_full_s"], 13'500);  // 37.5 Ah at 10 A
}

TEST(PackState, ARelaySaysWhoHoldsItAndWhoElseAsked) {
  const config::Config config = pack_config();
  energy::ModeSettings settings;
  settings.enabled.set(energy::Mode::kBackup);
  settings.enabled.set(energy::Mode::kSelfConsumption);
  const runtime::PackReport report{at_second(100), make_control(config, some_inputs(), settings)};
  const Json modes = modes_json(report, at_second(160));
  EXPECT_EQ(modes["enabled"], (Json{"self_consumption", "backup"}));
  ASSERT_EQ(modes["relays"].size(), 2U);
  const Json& grid = modes["relays"][0];
  EXPECT_EQ(grid["name"], "grid");
  EXPECT_EQ(grid["holder"], "backup");
  EXPECT_EQ(grid["holder_title"], "Backup");
  EXPECT_EQ(grid["reason_text"], "Backup is on.");
  EXPECT_EQ(grid["commanded"], "closed");
  EXPECT_FALSE(grid.contains("measured"));
  EXPECT_EQ(grid["power_w"], 1200);
  EXPECT_EQ(grid["switched_s"], 60);
  ASSERT_GE(grid["asks"].size(), 2U);
  EXPECT_EQ(grid["asks"][0]["holder"], "backup");
  EXPECT_EQ(grid["asks"][0]["wants"], "close");
  EXPECT_EQ(grid["asks"][1]["holder"], "self_consumption");
  EXPECT_EQ(grid["asks"][1]["wants"], "open");
}

TEST(PackState, AnOrderShowsItsPositionAndWhatIsLeft) {
  const config::Config config = pack_config();
  energy::Controller control = make_control(config, some_inputs());
  ASSERT_FALSE(
      control.order(at_second(100), energy::Relay::kPump, energy::Position::kOpen, std::chrono::minutes{10}));
  const runtime::PackReport report{at_second(100), control};
  const Json pump = modes_json(report, at_second(160))["relays"][1];
  EXPECT_EQ(pump["manual"]["position"], "open");
  EXPECT_EQ(pump["manual"]["left_s"], 540);
  EXPECT_EQ(pump["holder"], "manual");
  EXPECT_EQ(pump["hindrance"], "minimum_on");
  EXPECT_EQ(pump["requested"], "open");
  EXPECT_EQ(pump["commanded"], "closed");
}

TEST(PackState, TimesAreLocalWithTheirOffset) {
  const config::Config config = pack_config();
  energy::Controller control = make_control(config, some_inputs());
  control.handle_time(at_second(100), {1'795'266'180, 3600, std::nullopt});
  const runtime::PackReport report{at_second(100), control};
  const Json modes = modes_json(report, at_second(102));
  EXPECT_EQ(modes["local_time"], "2026-11-21T14:03:02+01:00");
  control.handle_time(at_second(102), {1'795'266'182, -12'600, std::nullopt});
  const runtime::PackReport west{at_second(102), control};
  EXPECT_EQ(modes_json(west, at_second(102))["local_time"], "2026-11-21T09:33:02-03:30");
}

TEST(PackState, OthersShowWhatTheyTell) {
  const config::Config config = pack_config();
  runtime::PackReport report{at_second(100), make_control(config, some_inputs())};
  report.bus.interface = "can0";
  report.bus.hardware = 0xA1B2C3D4E5F6;
  report.bus.node = 12;
  report.bus.claim = packnet::ClaimState::kClaimed;
  report.bus.master = 42;
  packnet::NodeEntry other;
  other.node = 42;
  other.type = packnet::DeviceType::kEnergyPack;
  other.flags = packnet::kPresenceAlarm;
  other.heard_at = at_second(99);
  other.telemetry_at = at_second(99);
  other.telemetry.set(packnet::Field::kVoltage, 5280);
  other.telemetry.set(packnet::Field::kCellMin, 3301);
  other.telemetry.set(packnet::Field::kTemperatureMax, 253);
  other.telemetry.set(packnet::Field::kPowerBattery, -528);
  other.telemetry.set(packnet::Telemetry::relay_position(0), 1);
  other.telemetry.set(packnet::Telemetry::relay_holder(0), 5);
  other.telemetry.set(packnet::Field::kModes, 0b1000);
  report.bus.others.push_back(other);
  const Json packs = packs_json(report, at_second(100));
  EXPECT_EQ(packs["hardware"], "0000a1b2c3d4e5f6");
  EXPECT_EQ(packs["master"], 42);
  ASSERT_EQ(packs["nodes"].size(), 2U);
  EXPECT_EQ(packs["nodes"][0]["is_self"], true);
  const Json& node = packs["nodes"][1];
  EXPECT_EQ(node["is_master"], true);
  EXPECT_EQ(node["alarm"], true);
  EXPECT_EQ(node["heard_ms"], 1000);
  EXPECT_EQ(node["voltage_v"], 52.8);
  EXPECT_EQ(node["cell_min_mv"], 3301);
  EXPECT_FALSE(node.contains("cell_max_mv"));
  EXPECT_EQ(node["temperature_max_c"], 25.3);
  EXPECT_EQ(node["power_w"], -528);
  EXPECT_EQ(node["modes"], (Json{"backup"}));
  EXPECT_EQ(node["relays"],
            (Json::array({Json{{"name", "grid"}, {"position", "closed"}, {"holder", "backup"}}})));
}

TEST(PackState, TheLightsAreDrawnAtFullBrightness) {
  const config::Config config = pack_config();
  runtime::PackReport report{at_second(100), make_control(config, some_inputs())};
  report.indicator.soc = BasisPoints{10'000};
  const Json picture = indicator_json(report, at_second(100));
  ASSERT_EQ(picture["bar"].size(), 10U);
  EXPECT_EQ(picture["bar"][0], "#00ff00");
  EXPECT_EQ(picture["digits"].size(), 3U);
  EXPECT_EQ(picture["green"], true);
  EXPECT_EQ(picture["red"], false);
}

TEST(PackState, FiguresForPrometheus) {
  const config::Config config = pack_config();
  runtime::PackReport report{at_second(100), make_control(config, some_inputs())};
  report.bus.interface = "can0";
  report.bus.node = 12;
  report.bus.gate.replayed = 3;
  report.store_writes = 5;
  Metrics metrics;
  metrics.set_pack(report, at_second(100));
  const std::string text = metrics.render();
  for (const char* line :
       {"amphora_energy_solar_watts 228\n", "amphora_relay_closed{relay=\"grid\"} 1\n",
        "amphora_packnet_node 12\n", "amphora_packnet_commands_total{result=\"replayed\"} 3\n",
        "amphora_pack_store_writes_total 5\n", "amphora_energy_soc_ratio{source=\"bms\"} 0.625\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_EQ(text.find("amphora_relay_closed{relay=\"water_heater\"}"), std::string::npos);
}

packnet::NetworkEvent network_event(packnet::NetworkEvent::Kind kind) {
  packnet::NetworkEvent event;
  event.kind = kind;
  event.node = 12;
  return event;
}

TEST(PackEvents, RoutineOnesAreNotTold) {
  const runtime::PackOptions options = to_pack_options(pack_config(), "machine", "");
  const auto told = [&options](const auto& what) {
    return describe(node::PackNodeEvent{at_second(1), what}, options);
  };
  EXPECT_FALSE(told(network_event(packnet::NetworkEvent::Kind::kTelemetry)));
  EXPECT_FALSE(told(network_event(packnet::NetworkEvent::Kind::kTime)));
  state::ReplicaEvent stored;
  stored.kind = state::ReplicaEvent::Kind::kStored;
  EXPECT_FALSE(told(stored));
  EXPECT_FALSE(told(modbus::PollerEvent{.kind = modbus::PollerEvent::Kind::kUpdated}));
  EXPECT_FALSE(told(tinybms::DriverEvent{tinybms::StatisticsRead{}}));
}

TEST(PackEvents, EachOtherHasASentenceALevelAndItsNumbers) {
  const runtime::PackOptions options = to_pack_options(pack_config(), "machine", "");
  energy::Event safety{.kind = energy::Event::Kind::kSafetyEntered, .cause = energy::SafetyCause::kBmsStale};
  const auto entered = describe(node::PackNodeEvent{at_second(1), safety}, options);
  ASSERT_TRUE(entered);
  EXPECT_EQ(entered->level, runtime::EventLevel::kError);
  EXPECT_EQ(entered->source, "energy");
  EXPECT_EQ(entered->code, "safety_entered");
  EXPECT_EQ(entered->text, "Safety: Nothing heard from the BMS for 10 s. The grid closes, loads open.");
  EXPECT_EQ(entered->data, R"({"cause":"bms_stale"})");
  energy::Event switched{.kind = energy::Event::Kind::kSwitched,
                         .relay = energy::Relay::kPump,
                         .position = energy::Position::kOpen,
                         .holder = energy::Holder::kEco,
                         .reason = energy::Reason::kOverEcoLimit};
  const auto opened = describe(node::PackNodeEvent{at_second(1), switched}, options);
  EXPECT_EQ(opened->text, "Pool pump opens: Eco. Shed, because consumption was over the limit.");
  for (std::size_t i = 0; i < static_cast<std::size_t>(energy::Event::Kind::kCount); ++i) {
    const energy::Event event{.kind = static_cast<energy::Event::Kind>(i)};
    const auto record = describe(node::PackNodeEvent{at_second(1), event}, options);
    EXPECT_EQ(record.has_value(), event.kind != energy::Event::Kind::kSettingsChanged) << i;
    EXPECT_TRUE(!record || !record->text.empty()) << i;
  }
  for (const auto kind :
       {packnet::NetworkEvent::Kind::kNodeClaimed, packnet::NetworkEvent::Kind::kBecameMaster}) {
    EXPECT_EQ(describe(node::PackNodeEvent{at_second(1), network_event(kind)}, options)->source, "packnet");
  }
}

TEST(PackConfig, AHardwareNumberIsMadeOfMachineAndNameUnlessGiven) {
  const config::Config config = pack_config();
  EXPECT_EQ(hardware_number(config, "a"), hardware_number(config, "a"));
  EXPECT_NE(hardware_number(config, "a"), hardware_number(config, "b"));
  EXPECT_EQ(hardware_number(pack_config("[bus]\nhardware = \"0000a1b2c3d4e5f6\"\n"), "a"), 0xA1B2C3D4E5F6U);
  EXPECT_EQ(hardware_text(0xA1B2C3D4E5F6U), "0000a1b2c3d4e5f6");
}

TEST(PackConfig, ASealedBusHasTheKeysOfItsGateway) {
  const config::Config config =
      pack_config("[bus]\ninterface = \"can0\"\nkey_file = \"/k\"\ngateway = \"0000a1b2c3d4e5f6\"\n");
  const runtime::PackOptions options = to_pack_options(config, "machine", std::string(64, '7'));
  crypto::Key bus{};
  bus.fill(0x77);
  EXPECT_TRUE(options.node.network.gate.is_sealed);
  EXPECT_EQ(options.node.network.gate.key, packnet::command_key(bus, 0xA1B2C3D4E5F6U));
  EXPECT_EQ(options.node.share.seal.key, packnet::section_key(bus));
  EXPECT_FALSE(to_pack_options(pack_config(), "machine", "").node.network.gate.is_sealed);
  EXPECT_FALSE(check_pack_options(options));
}

TEST(PackConfig, TheTopicLevelIsTheNameInSmallLetters) {
  EXPECT_EQ(unit_of(pack_config()), "pack_cellar");
  config::Config config = pack_config();
  config.box.name = "  Größe #2 ";
  EXPECT_EQ(unit_of(config), "gr_e_2");
  config.box.name = "###";
  EXPECT_EQ(unit_of(config), "pack");
  config.box.role = config::Role::kBmsGateway;
  EXPECT_EQ(unit_of(config), "");
}

}  // namespace
}  // namespace amphora::run
