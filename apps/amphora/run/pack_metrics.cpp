// SPDX-License-Identifier: Apache-2.0
// The figures of a pack.
#include <array>
#include <string>
#include <string_view>

#include "apps/amphora/run/metrics.hpp"

namespace amphora::run {
namespace {

using Kind = runtime::MetricsRegistry::Kind;
using runtime::MetricLabels;
using runtime::PackReport;

struct Declaration {
  std::string_view name;
  Kind kind;
  std::string_view help;
};

constexpr std::array kDeclarations{
    Declaration{"amphora_energy_home_watts", Kind::kGauge, "What the home takes."},
    Declaration{"amphora_energy_grid_watts", Kind::kGauge, "From the grid; negative: into it."},
    Declaration{"amphora_energy_battery_watts", Kind::kGauge, "Into the battery; negative: out of it."},
    Declaration{"amphora_energy_solar_watts", Kind::kGauge, "What the sun gives, by the balance."},
    Declaration{"amphora_energy_load_watts", Kind::kGauge, "What one load takes."},
    Declaration{"amphora_energy_soc_ratio", Kind::kGauge, "State of charge, 0 to 1, by its source."},
    Declaration{"amphora_energy_import_watt_hours", Kind::kGauge, "From the grid since the last reset."},
    Declaration{"amphora_energy_import_exhausted", Kind::kGauge,
                "1 while the import limit keeps the grid open."},
    Declaration{"amphora_energy_mode_running", Kind::kGauge, "1 while the mode runs."},
    Declaration{"amphora_energy_safety", Kind::kGauge, "1 while this cause of safety is there."},
    Declaration{"amphora_energy_warning", Kind::kGauge, "1 while this warning is there."},
    Declaration{"amphora_energy_time_known", Kind::kGauge, "1 when somebody has told the time."},
    Declaration{"amphora_relay_closed", Kind::kGauge, "1 closed, 0 open: as read back, else as commanded."},
    Declaration{"amphora_relay_mismatch", Kind::kGauge, "1 while the contact does not follow."},
    Declaration{"amphora_relay_switches_last_hour", Kind::kGauge, "Switches within the last hour."},
    Declaration{"amphora_relay_switches_total", Kind::kCounter, "Positions changed, all relays."},
    Declaration{"amphora_relay_failures_total", Kind::kCounter, "Times a relay began to fail."},
    Declaration{"amphora_relay_guard_losses_total", Kind::kCounter,
                "Times the process that holds the lines was lost."},
    Declaration{"amphora_packnet_claimed", Kind::kGauge, "1 while this pack has a number on the bus."},
    Declaration{"amphora_packnet_node", Kind::kGauge, "That number; 0: none."},
    Declaration{"amphora_packnet_master", Kind::kGauge, "1 while this pack leads."},
    Declaration{"amphora_packnet_term", Kind::kGauge, "Number of the election."},
    Declaration{"amphora_packnet_nodes", Kind::kGauge, "Others that are heard."},
    Declaration{"amphora_packnet_bus_up", Kind::kGauge, "1 while the bus can be used."},
    Declaration{"amphora_packnet_bus_load_ratio", Kind::kGauge, "Share of the bus that pack traffic takes."},
    Declaration{"amphora_packnet_bus_off_total", Kind::kCounter, "Times the controller left the bus."},
    Declaration{"amphora_packnet_frames_sent_total", Kind::kCounter, "Frames sent."},
    Declaration{"amphora_packnet_frames_received_total", Kind::kCounter, "Frames received."},
    Declaration{"amphora_packnet_frames_dropped_total", Kind::kCounter, "Frames the bus had no room for."},
    Declaration{"amphora_packnet_frames_malformed_total", Kind::kCounter,
                "Frames of packs that nobody can read."},
    Declaration{"amphora_packnet_commands_total", Kind::kCounter,
                "Commands of the gateway, by what became of them."},
    Declaration{"amphora_packnet_settings_synchronised", Kind::kGauge,
                "1 while all packs hold the same settings."},
    Declaration{"amphora_packnet_share_announcements_total", Kind::kCounter,
                "Announcements of settings sent."},
    Declaration{"amphora_packnet_share_records_total", Kind::kCounter, "Records of settings, by direction."},
    Declaration{"amphora_packnet_share_rejected_total", Kind::kCounter,
                "Records that were not taken, by reason."},
    Declaration{"amphora_pack_store_writes_total", Kind::kCounter, "Records written to the store."},
    Declaration{"amphora_pack_store_failures_total", Kind::kCounter,
                "Writes that failed; they are tried again."}};

double number(bool flag) {
  return flag ? 1 : 0;
}

class Setter {
 public:
  explicit Setter(runtime::MetricsRegistry& registry) : registry_{registry} {}

  void gauge(std::string_view name, double value, const MetricLabels& labels = {}) const {
    registry_.set(name, value, labels);
  }
  void total(std::string_view name, std::uint64_t value, const MetricLabels& labels = {}) const {
    registry_.set_total(name, static_cast<double>(value), labels);
  }
  void watts(std::string_view name, const std::optional<Watts>& power,
             const MetricLabels& labels = {}) const {
    registry_.set(name, power ? std::optional{static_cast<double>(power->count())} : std::nullopt, labels);
  }

 private:
  runtime::MetricsRegistry& registry_;
};

void set_energy(const Setter& setter, const energy::Controller& control) {
  const energy::Balance& balance = control.balance();
  setter.watts("amphora_energy_home_watts", balance.home);
  setter.watts("amphora_energy_grid_watts", balance.grid);
  setter.watts("amphora_energy_battery_watts", balance.battery);
  setter.watts("amphora_energy_solar_watts", balance.solar);
  if (balance.soc) {
    setter.gauge("amphora_energy_soc_ratio", balance.soc->value.count() / 10'000.0,
                 {{"source", std::string{to_text(balance.soc->source)}}});
  }
  setter.gauge("amphora_energy_import_watt_hours", static_cast<double>(control.import_counted().count()));
  setter.gauge("amphora_energy_import_exhausted", number(control.is_import_exhausted()));
  setter.gauge("amphora_energy_time_known", number(control.clock().is_known()));
  for (std::size_t i = 0; i < energy::kModeCount; ++i) {
    const auto mode = static_cast<energy::Mode>(i);
    setter.gauge("amphora_energy_mode_running", number(control.running().has(mode)),
                 {{"mode", std::string{to_text(mode)}}});
  }
  for (const energy::SafetyCauseRow& row : energy::kSafetyCauses) {
    setter.gauge("amphora_energy_safety", number(control.safety_causes().has(row.cause)),
                 {{"cause", std::string{to_text(row.cause)}}});
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(energy::Warning::kCount); ++i) {
    const auto warning = static_cast<energy::Warning>(i);
    setter.gauge("amphora_energy_warning", number(control.warnings().has(warning)),
                 {{"warning", std::string{to_text(warning)}}});
  }
}

void set_relays(const Setter& setter, const PackReport& report) {
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    const energy::Relay relay = energy::relay_at(i);
    const energy::RelayState& state = report.control.relay(relay);
    const MetricLabels labels{{"relay", std::string{to_text(relay)}}};
    if (energy::is_load(relay)) {
      setter.watts("amphora_energy_load_watts", report.control.balance().load[energy::load_index(relay)],
                   labels);
    }
    const auto position = state.measured ? state.measured : state.commanded;
    if (state.is_fitted && position) {
      setter.gauge("amphora_relay_closed", number(*position == energy::Position::kClosed), labels);
      setter.gauge("amphora_relay_mismatch", number(state.is_mismatched), labels);
      setter.gauge("amphora_relay_switches_last_hour", state.switches_last_hour, labels);
    }
  }
  setter.total("amphora_relay_switches_total", report.relays.switches);
  setter.total("amphora_relay_failures_total", report.relays.failures);
  setter.total("amphora_relay_guard_losses_total", report.relays.guard_losses);
}

void set_bus(const Setter& setter, const runtime::PackBusReport& bus) {
  const bool is_up = bus.state == can::BusState::kActive || bus.state == can::BusState::kErrorPassive;
  setter.gauge("amphora_packnet_bus_up", number(is_up));
  setter.gauge("amphora_packnet_claimed", number(bus.node != packnet::kNodeNone));
  setter.gauge("amphora_packnet_node", bus.node);
  setter.gauge("amphora_packnet_master", number(bus.is_master));
  setter.gauge("amphora_packnet_term", bus.term);
  setter.gauge("amphora_packnet_nodes", static_cast<double>(bus.others.size()));
  setter.gauge("amphora_packnet_bus_load_ratio", bus.load.count() / 1000.0);
  setter.total("amphora_packnet_bus_off_total", bus.counters.bus_off);
  setter.total("amphora_packnet_frames_sent_total", bus.counters.frames_sent);
  setter.total("amphora_packnet_frames_received_total", bus.counters.frames_received);
  setter.total("amphora_packnet_frames_dropped_total", bus.counters.dropped);
  setter.total("amphora_packnet_frames_malformed_total", bus.counters.malformed + bus.network.malformed);
  const auto commands = [&setter](const char* result, std::uint64_t count) {
    setter.total("amphora_packnet_commands_total", count, {{"result", result}});
  };
  commands("accepted", bus.gate.accepted);
  commands("refused", bus.gate.refused);
  commands("not_authentic", bus.gate.not_authentic);
  commands("replayed", bus.gate.replayed);
  commands("dropped", bus.gate.dropped);
  setter.gauge("amphora_packnet_settings_synchronised", number(bus.is_synchronised));
  setter.total("amphora_packnet_share_announcements_total", bus.share.announcements_sent);
  setter.total("amphora_packnet_share_records_total", bus.share.records_sent, {{"direction", "sent"}});
  setter.total("amphora_packnet_share_records_total", bus.share.records_received,
               {{"direction", "received"}});
  const auto rejected = [&setter](const char* reason, std::uint64_t count) {
    setter.total("amphora_packnet_share_rejected_total", count, {{"reason", reason}});
  };
  rejected("not_authentic", bus.share.not_authentic);
  rejected("other_security", bus.share.other_security);
  rejected("refused", bus.share.refused);
  rejected("incomplete", bus.share.incomplete);
}

}  // namespace

void Metrics::declare_pack() {
  for (const Declaration& one : kDeclarations) {
    registry_.declare(std::string{one.name}, one.kind, std::string{one.help});
  }
}

void Metrics::set_pack(const PackReport& report, TimePoint now) {
  set_battery(report.snapshot, now);
  const bool is_connected =
      report.bms_state == packnet::BmsState::kConnected || report.bms_state == packnet::BmsState::kFault;
  set_reader(report.bms, is_connected);
  set_loop(report.loop_delay_max, report.events_dropped);
  const Setter setter{registry_};
  set_energy(setter, report.control);
  set_relays(setter, report);
  if (!report.bus.interface.empty()) {
    set_bus(setter, report.bus);
  }
  setter.total("amphora_pack_store_writes_total", report.store_writes);
  setter.total("amphora_pack_store_failures_total", report.store_failures);
}

}  // namespace amphora::run
