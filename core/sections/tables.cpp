// SPDX-License-Identifier: Apache-2.0
#include "core/sections/tables.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace amphora::sections {

namespace {

using enum FieldKind;

constexpr FieldSpec fact(std::string_view name, std::string_view title, std::int64_t size_max,
                         std::string_view help) {
  return {.name = name, .title = title, .kind = kText, .max = size_max, .help = help};
}

constexpr FieldSpec kMetadataFields[]{
    fact("mac", "MAC address", 17, "Address of the radio: the name of the box on the air."),
    fact("device_name", "Name", 48, "What people call this box."),
    fact("role", "Role", 24, "What the box does."),
    fact("firmware_version", "Version", 24, "Version of the program."),
    fact("build_time", "Built", 20, "When the program was built, UTC."),
    fact("commit", "Commit", 12, "Revision of the source it was built from."),
    fact("board", "Board", 32, "What the program runs on.")};

constexpr FieldSpec kNetworkFields[]{
    FieldSpec{.name = "address", .title = "Address", .kind = kIp4, .help = "0.0.0.0: not connected."},
    FieldSpec{.name = "gateway", .title = "Gateway", .kind = kIp4, .help = "Router to other networks."},
    FieldSpec{.name = "mask", .title = "Network mask", .kind = kIp4, .help = "Size of the local network."},
    FieldSpec{.name = "dns", .title = "Name server", .kind = kIp4, .help = "The first one in use."},
    FieldSpec{.name = "dhcp",
              .title = "DHCP",
              .kind = kBool,
              .default_number = 1,
              .help = "Whether the address was assigned by the network."}};

constexpr FieldSpec kMqttFields[]{
    FieldSpec{
        .name = "enabled", .title = "Enabled", .kind = kBool, .help = "Whether the box talks to a broker."},
    FieldSpec{.name = "host",
              .title = "Broker",
              .kind = kText,
              .min = 1,
              .max = 64,
              .default_text = "127.0.0.1",
              .help = "Host name or address of the broker."},
    FieldSpec{.name = "port",
              .title = "Port",
              .kind = kU16,
              .min = 1,
              .max = 65535,
              .default_number = 1883,
              .help = "1883 is usual, 8883 with TLS."},
    FieldSpec{.name = "username",
              .title = "User name",
              .kind = kText,
              .max = 32,
              .help = "Empty for a broker that asks for none."},
    FieldSpec{.name = "password",
              .title = "Password",
              .kind = kSecret,
              .max = 48,
              .help = "Never shown again and only sent sealed."},
    FieldSpec{.name = "client_id",
              .title = "Client name",
              .kind = kText,
              .max = 24,
              .help = "How the broker tells clients apart; empty for a name made from the MAC address."}};

constexpr Choice kChemistries[]{Choice{"lfp", 0, "LFP (lithium iron phosphate)"},
                                Choice{"nmc", 1, "NMC (nickel manganese cobalt)"}};

constexpr FieldSpec amps(std::string_view name, std::string_view title, std::int64_t default_ma,
                         std::string_view help) {
  return {.name = name,
          .title = title,
          .kind = kU32,
          .unit = "A",
          .scale = 1000,
          .min = 0,
          .max = 1'000'000,
          .default_number = default_ma,
          .help = help};
}

constexpr FieldSpec cell_volts(std::string_view name, std::string_view title, std::int64_t default_mv,
                               std::string_view above, std::string_view help) {
  return {.name = name,
          .title = title,
          .kind = kU16,
          .unit = "V",
          .scale = 1000,
          .min = 2000,
          .max = 4250,
          .default_number = default_mv,
          .above = above,
          .help = help};
}

constexpr FieldSpec kBatteryFields[]{
    FieldSpec{.name = "chemistry",
              .title = "Chemistry",
              .kind = kChoice,
              .choices = kChemistries,
              .help = "Decides which cell voltages can be right at all."},
    FieldSpec{.name = "series_cells",
              .title = "Cells in series",
              .kind = kU16,
              .min = 1,
              .max = 192,
              .default_number = 16,
              .help = "A BMS that reports another number of cells makes every limit zero."},
    FieldSpec{.name = "capacity_ah",
              .title = "Capacity",
              .kind = kU32,
              .unit = "Ah",
              .scale = 1000,
              .min = 1000,
              .max = 10'000'000,
              .default_number = 100'000,
              .help = "Installed capacity."},
    amps("charge_current_max_a", "Largest charge current", 50'000,
         "What cells, BMS, fuse and cable all bear for hours."),
    amps("discharge_current_max_a", "Largest discharge current", 100'000,
         "What cells, BMS, fuse and cable all bear for hours."),
    cell_volts("cell_min_v", "Lowest cell voltage", 2800, "",
               "No discharging while any cell is at or below this. Stay above the cut-off of the BMS."),
    cell_volts("cell_empty_v", "Empty cell", 3000, "cell_min_v",
               "Discharging ends here: times the number of cells it is the discharge voltage limit."),
    cell_volts("cell_full_v", "Full cell", 3450, "cell_empty_v",
               "Charging ends here: times the number of cells it is the charge voltage limit."),
    cell_volts("cell_max_v", "Highest cell voltage", 3600, "cell_full_v",
               "No charging while any cell is at or above this. Stay below the cut-off of the BMS."),
    FieldSpec{.name = "soc_reserve_percent",
              .title = "Reserve",
              .kind = kU16,
              .unit = "%",
              .scale = 100,
              .min = 0,
              .max = 9000,
              .default_number = 500,
              .help = "State of charge at which the discharge limit is zero; it falls over the 10 % above."}};

constexpr FieldSpec kPowerProfileFields[]{
    FieldSpec{.name = "charge_limited",
              .title = "Limit charging",
              .kind = kBool,
              .help = "Whether the cap below applies, in addition to the limits of the battery."},
    amps("charge_current_limit_a", "Charge current at most", 50'000, "0 forbids charging."),
    FieldSpec{.name = "discharge_limited",
              .title = "Limit discharging",
              .kind = kBool,
              .help = "Whether the cap below applies, in addition to the limits of the battery."},
    amps("discharge_current_limit_a", "Discharge current at most", 100'000, "0 forbids discharging.")};

constexpr FieldSpec kSystemFields[]{
    FieldSpec{.name = "name",
              .title = "Name",
              .kind = kText,
              .min = 1,
              .max = 64,
              .default_text = "Battery",
              .help = "What people call this box."},
    FieldSpec{.name = "site",
              .title = "Site",
              .kind = kText,
              .min = 1,
              .max = 32,
              .default_text = "home",
              .help = "Short name of the place: part of topics and identifiers."}};

constexpr Choice kThemes[]{Choice{"auto", 0, "As the system"}, Choice{"light", 1, "Light"},
                           Choice{"dark", 2, "Dark"}};

constexpr FieldSpec kDisplayFields[]{
    FieldSpec{.name = "theme", .title = "Theme", .kind = kChoice, .choices = kThemes, .help = "Colours."},
    FieldSpec{.name = "time_zone",
              .title = "Time zone",
              .kind = kText,
              .max = 40,
              .default_text = "UTC",
              .help = "As in Europe/Berlin."},
    FieldSpec{.name = "fahrenheit",
              .title = "Fahrenheit",
              .kind = kBool,
              .help = "Temperatures in °F instead of °C."}};

// ---- the packs of a bus

constexpr FieldSpec on(std::string_view name, std::string_view title, std::string_view help) {
  return {.name = name, .title = title, .kind = kBool, .help = help};
}

constexpr FieldSpec percent(std::string_view name, std::string_view title, std::int64_t max,
                            std::int64_t default_number, std::string_view above, std::string_view help) {
  return {.name = name,
          .title = title,
          .kind = kU16,
          .unit = "%",
          .scale = 100,
          .min = 0,
          .max = max,
          .default_number = default_number,
          .above = above,
          .help = help};
}

constexpr FieldSpec kModesFields[]{
    on("self_consumption", "Self-consumption",
       "The grid closes at the low state of charge and opens at the high one."),
    on("eco", "Eco", "While the home takes more than the limit, loads are switched off one after the other."),
    on("time_of_use", "Time of use", "The inverter's output is closed inside the windows, open outside."),
    on("backup", "Backup", "The grid stays closed."),
    on("import_limit", "Limit of import",
       "The grid opens when the day's energy from it reaches the limit, until the reset time."),
    percent("soc_low_percent", "Low state of charge", 10'000, 1000, "",
            "Self-consumption closes the grid here."),
    percent("soc_high_percent", "High state of charge", 10'000, 5000, "soc_low_percent",
            "Self-consumption opens the grid here."),
    FieldSpec{.name = "eco_limit_w",
              .title = "Limit of eco",
              .kind = kU32,
              .unit = "W",
              .min = 100,
              .max = 100'000,
              .default_number = 5000,
              .help = "Power of the home above which eco switches loads off."},
    on("eco_falls_back", "Eco gives way",
       "Over the limit for ten minutes although all loads are off: self-consumption instead."),
    FieldSpec{.name = "import_limit_kwh",
              .title = "Energy from the grid",
              .kind = kU16,
              .unit = "kWh",
              .scale = 1000,
              .min = 2000,
              .max = 30'000,
              .default_number = 10'000,
              .help = "What may be taken from the grid between two reset times."},
    FieldSpec{.name = "import_reset_minute",
              .title = "Reset of the energy counter",
              .kind = kU16,
              .unit = "min",
              .min = 0,
              .max = 1439,
              .default_number = 300,
              .help = "Minutes after midnight, local time; 300 is 05:00."},
    percent("soc_minimum_percent", "Lowest state of charge", 9000, 500, "",
            "The battery is not discharged below, whatever modes and people want."),
    percent("soc_minimum_release_percent", "Release of the lowest state of charge", 10'000, 800,
            "soc_minimum_percent", "Discharging is allowed again from here on.")};

constexpr FieldSpec window(std::string_view name, std::string_view title) {
  return {.name = name,
          .title = title,
          .kind = kWindow,
          .help = "As in 22:00-06:00 1-5: from, to, days from 1 Monday to 7 Sunday. Empty: unused."};
}

constexpr FieldSpec kScheduleFields[]{window("window_1", "Window 1"), window("window_2", "Window 2"),
                                      window("window_3", "Window 3"), window("window_4", "Window 4"),
                                      window("window_5", "Window 5"), window("window_6", "Window 6"),
                                      window("window_7", "Window 7"), window("window_8", "Window 8")};
static_assert(std::size(kScheduleFields) == schedule_field::kWindowCount);

constexpr FieldSpec shed(std::string_view name, std::string_view title, std::int64_t default_number) {
  return {.name = name,
          .title = title,
          .kind = kU8,
          .min = 0,
          .max = static_cast<std::int64_t>(loads_field::kCount),
          .default_number = default_number,
          .help = "Its place in the order in which eco switches off: 1 first, 0 never."};
}

constexpr FieldSpec kLoadsFields[]{shed("shed_inverter_output", "Inverter output", 3),
                                   shed("shed_pool_pump", "Pool pump", 2),
                                   shed("shed_water_heater", "Water heater", 1),
                                   shed("shed_load_3", "Load 3", 0),
                                   shed("shed_load_4", "Load 4", 0),
                                   shed("shed_load_5", "Load 5", 0),
                                   shed("shed_load_6", "Load 6", 0)};
static_assert(std::size(kLoadsFields) == loads_field::kCount);

// Those of the link, then those of the packs.
constexpr std::size_t kLinkCount = 7;
constexpr SectionTable kTables[]{
    SectionTable{kMetadata, false, "metadata", "Identity", "What this box is.", kMetadataFields},
    SectionTable{kNetwork, false, "network", "Network", "How this box is connected.", kNetworkFields},
    SectionTable{kMqtt, true, "mqtt", "MQTT", "The broker that gets telemetry.", kMqttFields},
    SectionTable{kBattery, true, "battery", "Battery",
                 "What the cells may do. Take the bounds from the data sheet of the cells.", kBatteryFields},
    SectionTable{kPowerProfile, true, "power_profile", "Power profile",
                 "What you allow at present, within what the battery allows.", kPowerProfileFields},
    SectionTable{kSystem, true, "system", "Box", "What this box is called.", kSystemFields},
    SectionTable{kDisplay, true, "display", "Display", "How values are shown.", kDisplayFields},
    SectionTable{kModes, true, "modes", "Modes", "What the packs of this bus work for.", kModesFields},
    SectionTable{kSchedule, true, "schedule", "Schedule", "When the inverter's output is on by time of use.",
                 kScheduleFields},
    SectionTable{kLoads, true, "loads", "Loads", "What eco switches off first.", kLoadsFields}};

constexpr auto kSpecs = [] {
  std::array<state::SectionSpec, std::size(kTables)> specs{};
  std::ranges::transform(kTables, specs.begin(), [](const SectionTable& table) { return table.spec(); });
  return specs;
}();

static_assert(std::ranges::all_of(kTables, is_valid));
static_assert(std::ranges::is_sorted(kTables, std::ranges::less_equal{}, &SectionTable::id));
static_assert(kTables[kLinkCount - 1].id == kDisplay && kTables[kLinkCount].id == kModes);

}  // namespace

std::span<const SectionTable> tables() {
  return std::span{kTables}.first(kLinkCount);
}

std::span<const state::SectionSpec> specs() {
  return std::span{kSpecs}.first(kLinkCount);
}

std::span<const SectionTable> pack_tables() {
  return std::span{kTables}.subspan(kLinkCount);
}

std::span<const state::SectionSpec> pack_specs() {
  return std::span{kSpecs}.subspan(kLinkCount);
}

const SectionTable* find_table(state::SectionId id) {
  const auto found = std::ranges::find(kTables, id, &SectionTable::id);
  return found == std::end(kTables) ? nullptr : &*found;
}

const SectionTable* find_table(std::string_view name) {
  const auto found = std::ranges::find(kTables, name, &SectionTable::name);
  return found == std::end(kTables) ? nullptr : &*found;
}

}  // namespace amphora::sections
