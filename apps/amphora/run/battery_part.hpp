// SPDX-License-Identifier: Apache-2.0
// The part of a box that has a battery: the control thread, what it reports, and the orders that people give
// to the BMS.
//
// It lives on the I/O thread. It hears of the battery by immutable reports and of what happened by messages,
// both through bounded queues; nothing done here can delay the control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/run/journal.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "runtime/control/control_thread.hpp"
#include "runtime/http/api.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

class BatteryPart {
 public:
  // Called with each newest report, after report() has it.
  using OnReport = std::function<void(const runtime::ReportPtr&)>;

  // `store` may be null; `stored` is what an earlier run left. `options` must have been checked.
  BatteryPart(runtime::Loop& loop, Journal& journal, runtime::Store* store,
              const runtime::StoredState& stored, runtime::ControlOptions options, OnReport on_report);
  ~BatteryPart();
  BatteryPart(const BatteryPart&) = delete;
  BatteryPart& operator=(const BatteryPart&) = delete;

  void start();
  // Ends the control thread, records what it said last and stores what must not be lost. The store may still
  // answer to the control thread's queues until this is destroyed.
  void stop();
  void handle_tick(TimePoint now);

  // Profile and rhythms of a checked configuration, without a gap on the wires.
  void reconfigure(const node::BmsGatewayConfig& config);
  void set_user_limits(const inverter::UserLimits& limits);

  // Null before the first.
  const runtime::ReportPtr& report() const { return report_; }
  TimePoint report_at() const { return report_at_; }
  // The groups of the state that a battery adds.
  void add_state(Json& groups, const config::Config& config, TimePoint now) const;

  void bms_settings(const runtime::http::Reply& reply);
  void put_bms_settings(const runtime::http::BmsSettingsChange& change, const runtime::http::Actor& actor,
                        runtime::http::Reply reply);
  void bms_command(runtime::http::BmsCommand command, const runtime::http::Actor& actor,
                   runtime::http::Reply reply);

 private:
  // A settings write that the control thread is working on; answered when its last register is known.
  struct PendingWrite {
    runtime::http::Reply reply;
    std::vector<tinybms::RegisterWritten> outcomes;
    TimePoint give_up_at{};
  };
  struct PendingCommand {
    tinybms::ControlOption option = tinybms::ControlOption::kClearEvents;
    runtime::http::Reply reply;
    TimePoint give_up_at{};
  };

  void take_reports();
  void take_messages();
  void handle(const node::Event& event);
  void handle(const runtime::WriteAnswer& answer);
  void handle(const runtime::ControlAnswer& answer);
  void handle(const runtime::StoreEnergy& request);
  bool is_routine(const node::Event& event);
  void follow_write(const node::Event& event);
  void follow_command(const node::Event& event);
  void give_up_waiting(TimePoint now);
  void sample_history(TimePoint now);

  runtime::Loop& loop_;
  Journal& journal_;
  runtime::Store* store_;
  node::BmsGatewayConfig node_config_;
  const bool has_inverter_;
  OnReport on_report_;
  runtime::ControlThread control_;
  std::optional<runtime::FdWatch> report_watch_;
  std::optional<runtime::FdWatch> message_watch_;
  runtime::ReportPtr report_;
  TimePoint report_at_{};
  TimePoint sample_due_{};
  std::uint64_t token_ = 0;
  std::map<std::uint64_t, runtime::http::Reply> asked_writes_;  // by token, until accepted
  std::map<std::uint32_t, PendingWrite> writes_;                // by write number
  std::map<std::uint64_t, PendingCommand> commands_;            // by token
  bool are_settings_awaited_ = true;
};

}  // namespace amphora::run
