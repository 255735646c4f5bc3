// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/field_table_pack.hpp"

#include <array>

#include "apps/amphora/config/field_rows.hpp"
#include "core/energy/settings.hpp"

namespace amphora::config {

namespace {

using namespace rows;
using energy::index_of;
using energy::Relay;

constexpr std::array kBusModes{
    choice("sealed", BusMode::kSealed, "Commands are authenticated"),
    choice("plain", BusMode::kPlain, "Commands count as they are; for commissioning only")};
constexpr std::array kClockUses{
    choice("synchronised", ClockUse::kSynchronised, "While a time server keeps it right"),
    choice("trusted", ClockUse::kTrusted, "Always"),
    choice("never", ClockUse::kNever, "Only the gateway on the bus tells the time")};

// Where one place is measured, or what works one contact: a text that only the file may say, because it names
// devices of the machine.
consteval Field device(std::string_view section, std::string_view key, std::string_view title, TextRule rule,
                       std::string_view help, Access access) {
  return {.section = section,
          .key = key,
          .title = title,
          .unit = "",
          .kind = Kind::kText,
          .rule = rule,
          .roles = kPackRole,
          .is_file_only = true,
          .help = help,
          .access = access};
}

template <Relay Place>
consteval Field input(std::string_view title, std::string_view help) {
  return device("inputs", to_text(Place), title, TextRule::kOptionalInput, help,
                text_at<&Config::inputs, &InputsSection::place, index_of(Place)>());
}

template <Relay Place>
consteval Field relay(std::string_view title, std::string_view help) {
  return device("relays", to_text(Place), title, TextRule::kOptionalRelay, help,
                text_at<&Config::relays, &RelaysSection::place, index_of(Place)>());
}

consteval Field number_row(std::string_view section, std::string_view key, std::string_view title,
                           std::string_view unit, Range range, std::string_view help, Access access) {
  return {.section = section,
          .key = key,
          .title = title,
          .unit = unit,
          .kind = Kind::kNumber,
          .range = range,
          .roles = kPackRole,
          .help = help,
          .access = access};
}

constexpr std::array kRows{
    input<Relay::kGrid>("Grid", "Power from the grid, positive on import; forms: docs/DEVICES.md."),
    input<Relay::kInverterOutput>("Inverter output", "What the inverter gives to the house."),
    input<Relay::kPump>("Pool pump", "What the pool pump takes."),
    input<Relay::kHeater>("Water heater", "What the water heater takes."),
    input<Relay::kLoad3>("Load 3", "What a further load takes."),
    input<Relay::kLoad4>("Load 4", "What a further load takes."),
    input<Relay::kLoad5>("Load 5", "What a further load takes."),
    input<Relay::kLoad6>("Load 6", "What a further load takes."),
    device("inputs", "ac_voltage", "AC voltage", TextRule::kOptionalVoltage,
           "Mains voltage, where it is measured; else ac_nominal_v counts.",
           text<&Config::inputs, &InputsSection::ac_voltage>()),
    number_row("inputs", "ac_nominal_v", "Nominal AC voltage", "V", in_units(1000, 50, 500, 100),
               "What currents are multiplied with while the voltage is not measured.",
               number<&Config::inputs, &InputsSection::ac_nominal>()),
    number_row("inputs", "ac_age_s", "Values are old after", "s", seconds(1, 60),
               "A measurement older than this is unknown.",
               number<&Config::inputs, &InputsSection::age_max>()),
    number_row("inputs", "noise_floor_a", "Noise floor", "A", in_units(1000, 0, 5, 10),
               "A current below this counts as zero: a sensor without load shows a little.",
               number<&Config::inputs, &InputsSection::noise_floor>()),
    device("inputs", "outside", "Loads outside", TextRule::kLoads,
           "Loads that are wired before the inverter output, so that their power adds to the home's; "
           "separated by commas.",
           text<&Config::inputs, &InputsSection::outside>()),
    relay<Relay::kGrid>("Grid", "Disconnects the grid; forms: docs/DEVICES.md."),
    relay<Relay::kInverterOutput>("Inverter output", "Disconnects the inverter's output."),
    relay<Relay::kPump>("Pool pump", "Works the pool pump."),
    relay<Relay::kHeater>("Water heater", "Works the water heater."),
    relay<Relay::kLoad3>("Load 3", "Works a further load."),
    relay<Relay::kLoad4>("Load 4", "Works a further load."),
    relay<Relay::kLoad5>("Load 5", "Works a further load."),
    relay<Relay::kLoad6>("Load 6", "Works a further load."),
    number_row("relays", "on_min_s", "Closed at least", "s", seconds(0, 3600),
               "How long grid and inverter output stay closed at least. Only safety and an exhausted import "
               "limit override it.",
               number<&Config::relays, &RelaysSection::on_min>()),
    number_row("relays", "off_min_s", "Open at least", "s", seconds(0, 3600),
               "How long grid and inverter output stay open at least.",
               number<&Config::relays, &RelaysSection::off_min>()),
    number_row("relays", "load_on_min_s", "Loads closed at least", "s", seconds(0, 3600),
               "How long a load stays on at least.", number<&Config::relays, &RelaysSection::load_on_min>()),
    number_row("relays", "load_off_min_s", "Loads open at least", "s", seconds(0, 3600),
               "How long a load stays off at least.",
               number<&Config::relays, &RelaysSection::load_off_min>()),
    number_row("relays", "switches_per_hour", "Wear limit", "1/h",
               whole(energy::kSwitchesPerHourMin, energy::kSwitchesPerHourMax),
               "No relay switches more often than this.",
               number<&Config::relays, &RelaysSection::switches_per_hour>()),
    number_row("relays", "rated_w", "Power of a load", "W", whole(0, 100'000),
               "What a load that is not measured counts with when eco decides whether it still fits.",
               number<&Config::relays, &RelaysSection::rated>()),
    number_row("protection", "pack_max_v", "Highest pack voltage", "V", in_units(1000, 0, 1500, 100),
               "Over-voltage from here: no charging. 0: the number of cells times cell_max_v.",
               number<&Config::protection, &ProtectionSection::pack_max>()),
    number_row("protection", "pack_min_v", "Lowest pack voltage", "V", in_units(1000, 0, 1500, 100),
               "Under-voltage from here: no discharging. 0: the number of cells times cell_min_v.",
               number<&Config::protection, &ProtectionSection::pack_min>()),
    number_row("protection", "cell_max_v", "Highest cell voltage", "V", volts(2, 4.25),
               "Over-voltage of a single cell, where the BMS tells cells.",
               number<&Config::protection, &ProtectionSection::cell_max>()),
    number_row("protection", "cell_min_v", "Lowest cell voltage", "V", volts(2, 4.25),
               "Under-voltage of a single cell, where the BMS tells cells.",
               number<&Config::protection, &ProtectionSection::cell_min>()),
    number_row("protection", "temperature_max_c", "Highest temperature", "°C", celsius(20, 90),
               "Over-temperature from here: no charging.",
               number<&Config::protection, &ProtectionSection::temperature_max>()),
    device("bus", "interface", "CAN interface", TextRule::kOptionalCan,
           "A CAN interface of the system with 500 kbit/s (can0), a virtual bus between programs "
           "(udp://239.74.163.2:43113) or one inside this program (virtual:NAME); empty: a pack alone.",
           text<&Config::bus, &BusSection::interface>()),
    Field{.section = "bus",
          .key = "mode",
          .title = "Commands",
          .unit = "",
          .kind = Kind::kChoice,
          .choices = kBusModes,
          .roles = kPackRole,
          .is_file_only = true,
          .help = "Whether commands over the bus must be sealed by the gateway.",
          .access = number<&Config::bus, &BusSection::mode>()},
    Field{.section = "bus",
          .key = "key_file",
          .title = "Key of the bus",
          .unit = "",
          .kind = Kind::kSecretFile,
          .rule = TextRule::kOptionalPath,
          .roles = kPackRole,
          .is_file_only = true,
          .help = "File with the key of the bus, 64 hexadecimal digits, the same for all packs and the "
                  "gateway; readable by its owner only (mode 0600).",
          .access = text<&Config::bus, &BusSection::key_file>()},
    device("bus", "gateway", "Gateway", TextRule::kOptionalHardware,
           "Hardware number of the gateway whose sealed commands count.",
           text<&Config::bus, &BusSection::gateway>()),
    Field{.section = "bus",
          .key = "host_clock",
          .title = "Clock of this computer",
          .unit = "",
          .kind = Kind::kChoice,
          .choices = kClockUses,
          .roles = kPackRole,
          .is_file_only = true,
          .help = "Whether this computer's clock counts while no gateway on the bus tells the time.",
          .access = number<&Config::bus, &BusSection::host_clock>()},
    device("bus", "hardware", "Hardware number", TextRule::kOptionalHardware,
           "What this pack is called on the bus; empty: made from the identity of the machine and the name "
           "of the box. Two packs must never have the same.",
           text<&Config::bus, &BusSection::hardware>()),
    device("indicator", "bar", "Bar", TextRule::kOptionalBar, "Ten WS2812B pixels: how full the battery is.",
           text<&Config::indicator, &IndicatorSection::bar>()),
    device("indicator", "digits", "Digits", TextRule::kOptionalDigits,
           "Three digits behind a TM1637: the state of charge.",
           text<&Config::indicator, &IndicatorSection::digits>()),
    device("indicator", "leds", "Lights", TextRule::kOptionalLeds,
           "Green: running; yellow: a warning; red: a fault.",
           text<&Config::indicator, &IndicatorSection::leds>()),
    device("indicator", "buzzer", "Buzzer", TextRule::kOptionalBuzzer, "A buzzer.",
           text<&Config::indicator, &IndicatorSection::buzzer>())};

}  // namespace

std::span<const Field> pack_fields() {
  return kRows;
}

}  // namespace amphora::config
