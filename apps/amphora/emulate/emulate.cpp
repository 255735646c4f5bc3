// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/emulate.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <string>

#include "apps/amphora/emulate/air.hpp"
#include "apps/amphora/emulate/gx.hpp"
#include "apps/amphora/emulate/house.hpp"
#include "apps/amphora/emulate/modbus_bms.hpp"
#include "apps/amphora/emulate/tinybms.hpp"

namespace amphora {

namespace {

void add_tinybms(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(parent, "tinybms", "A TinyBMS on a pseudo-terminal or serial port.",
                                  "  amphora emulate tinybms --pty /tmp/bms\n"
                                  "  amphora emulate tinybms --pty /tmp/bms --registers dump.txt --sleepy\n"
                                  "  echo 'silent 10' | amphora emulate tinybms --port /dev/ttyUSB1\n"
                                  "Commands on standard input: normal, silent, corrupt, nack, stuck, "
                                  "truncated, joined (each with an optional "
                                  "number of seconds), set rN=VALUE, event ID, current AMPERES|auto, quit. "
                                  "SIGUSR1: silent, SIGUSR2: normal.");
  auto options = std::make_shared<emulate::TinyBmsOptions>();
  auto* link = command->add_option("--pty", options->link, "Make this symbolic link to the pseudo-terminal")
                   ->type_name("LINK");
  command->add_option("--port", options->port, "Use this serial port")->type_name("DEV")->excludes(link);
  command->add_option("--registers", options->registers, "Registers from a file with lines rN=value")
      ->type_name("FILE");
  command->add_flag("--sleepy", options->is_sleepy, "Sleep when left alone; the first request only wakes it");
  command->add_option("--sleep-after", options->sleep_after_s, "Seconds without a request before it sleeps")
      ->check(CLI::Range(1, 86'400))
      ->type_name("SECONDS")
      ->capture_default_str();
  command->add_option("--fault", options->fault, "Start with this fault")
      ->check(CLI::IsMember({"none", "silent", "corrupt", "nack", "stuck", "truncated", "joined"}))
      ->type_name("none|silent|corrupt|nack|stuck|truncated|joined")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of the living pack")->type_name("N")->capture_default_str();
  command->callback([&chosen, options] { chosen = [options] { return emulate::run_tinybms(*options); }; });
}

void add_modbus_bms(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(
      parent, "modbus-bms", "A BMS that answers Modbus RTU, on a pseudo-terminal or serial port.",
      "  amphora emulate modbus-bms --pty /tmp/bms\n"
      "  amphora emulate modbus-bms --pty /tmp/bms --cells 15 --soc 67 --fault over-voltage\n"
      "  echo 'silent 10' | amphora emulate modbus-bms --port /dev/ttyUSB1 --address 5\n"
      "Commands on standard input: normal, the faults (each with an optional number of seconds), "
      "unplug [SECONDS], plug, set rN=VALUE, current AMPERES|auto, quit. SIGUSR1: silent, SIGUSR2: "
      "normal.");
  auto options = std::make_shared<emulate::ModbusBmsOptions>();
  auto* link = command->add_option("--pty", options->link, "Make this symbolic link to the pseudo-terminal")
                   ->type_name("LINK");
  command->add_option("--port", options->port, "Use this serial port")->type_name("DEV")->excludes(link);
  command->add_option("--baud", options->baud, "Of the serial port")->type_name("N")->capture_default_str();
  command->add_option("--registers", options->registers, "Registers from a file with lines rN=value")
      ->type_name("FILE");
  command->add_option("--address", options->address, "Of the BMS on its line")
      ->check(CLI::Range(1, 247))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--cells", options->cell_count, "Cells in series of the living battery")
      ->check(CLI::Range(4, 16))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--soc", options->soc_percent, "State of charge that the living battery starts with")
      ->check(CLI::Range(0, 100))
      ->type_name("PERCENT")
      ->capture_default_str();
  command->add_option("--fault", options->fault, "Start with this fault")
      ->check(CLI::IsMember(emulate::modbus_fault_names()))
      ->type_name(fmt::format("{}", fmt::join(emulate::modbus_fault_names(), "|")))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of the living battery")
      ->type_name("N")
      ->capture_default_str();
  command->callback([&chosen, options] { chosen = [options] { return emulate::run_modbus_bms(*options); }; });
}

void add_gx(CLI::App& parent, Action& chosen) {
  CLI::App* command =
      add_command(parent, "gx", "A GX device on a CAN interface.",
                  "  amphora emulate gx --can can0\n"
                  "  amphora emulate gx --can udp://239.74.163.2:43113 --events\n"
                  "Commands on standard input: vanish, return, quit. SIGUSR1: vanish, SIGUSR2: "
                  "return.");
  auto options = std::make_shared<emulate::GxOptions>();
  command->add_option("--can", options->interface, "can0, udp://ADDRESS:PORT or virtual:NAME")
      ->required()
      ->type_name("IFACE");
  command->add_flag("--events", options->is_events_only, "Print events only, not each received set");
  command->callback([&chosen, options] { chosen = [options] { return emulate::run_gx(*options); }; });
}

void add_air(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(
      parent, "air", "The air between radios, so that two boxes can talk on a machine without Wi-Fi.",
      "  amphora emulate air\n"
      "  amphora emulate air --listen 127.0.0.1:47000 --loss 0.1 --delay-ms 3 --channels 1-13\n"
      "A box uses it as air://127.0.0.1:47000?mac=02:00:00:00:00:01, each with an address of its own. "
      "Commands on "
      "standard input: loss P, delay MS, status, quit.");
  auto options = std::make_shared<emulate::AirOptions>();
  command->add_option("--listen", options->listen, "Address and port; port 0 takes a free one")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  command->add_flag("--allow-remote", options->is_remote_allowed,
                    "Listen on an address that other machines reach");
  command->add_option("--loss", options->loss, "Part of the frames, and of the acks, that get lost")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("P")
      ->capture_default_str();
  command->add_option("--delay-ms", options->delay_ms, "Everything is told this much later")
      ->check(CLI::Range(0, 10'000))
      ->type_name("MS")
      ->capture_default_str();
  command->add_option("--channels", options->channels, "Channels that exist")
      ->type_name("LIST")
      ->capture_default_str();
  command->add_option("--tries", options->tries, "Of a frame without an ack")
      ->check(CLI::Range(1, 32))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of the losses")->type_name("N")->capture_default_str();
  command->callback([&chosen, options] { chosen = [options] { return emulate::run_air(*options); }; });
}

void add_house(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(
      parent, "house", "What the AC sensors of packs would measure, over MQTT.",
      "  amphora emulate house --mqtt 127.0.0.1:1883 --packs 3\n"
      "  amphora emulate house --mqtt 127.0.0.1:1883 --base emulated --site demo --day 1200\n"
      "Publishes watts each second to BASE/pack-1/grid_w, inverter_output_w, pool_pump_w, water_heater_w and "
      "solar_w, and follows relays and battery of amphora/SITE/pack_1/pack. Commands on standard input: time "
      "HH:MM, status, quit.");
  auto options = std::make_shared<emulate::HouseOptions>();
  command->add_option("--mqtt", options->mqtt, "The broker")->required()->type_name("HOST:PORT");
  command->add_option("--packs", options->pack_count, "Houses, each with a pack")
      ->check(CLI::Range(1, emulate::kHouseCountMax))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--base", options->base, "First part of the topics it publishes")
      ->type_name("TOPIC")
      ->capture_default_str();
  command->add_option("--site", options->site, "Site of the packs, as in their configuration")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--day", options->day_seconds, "Seconds that a day in the house takes")
      ->check(CLI::Range(60, 86'400))
      ->type_name("SECONDS")
      ->capture_default_str();
  command->add_flag("--outside", options->is_outside,
                    "Pool pump and water heater are not behind the inverter output");
  command->add_option("--seed", options->seed, "Of weather and people")
      ->type_name("N")
      ->capture_default_str();
  command->callback([&chosen, options] { chosen = [options] { return emulate::run_house(*options); }; });
}

}  // namespace

void add_emulate(CLI::App& parent, Action& chosen) {
  CLI::App* command =
      add_command(parent, "emulate", "Stand in for a device, for commissioning and tests.",
                  "  amphora emulate tinybms --pty /tmp/bms\n  amphora emulate modbus-bms --pty /tmp/bms\n"
                  "  amphora emulate gx --can can0\n  amphora emulate air\n"
                  "  amphora emulate house --mqtt 127.0.0.1:1883 --packs 3");
  command->require_subcommand(1);
  add_tinybms(*command, chosen);
  add_modbus_bms(*command, chosen);
  add_gx(*command, chosen);
  add_air(*command, chosen);
  add_house(*command, chosen);
}

}  // namespace amphora
