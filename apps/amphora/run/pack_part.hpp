// SPDX-License-Identifier: Apache-2.0
// The part of a box that is a pack: the pack thread, what it reports, and what people ask of it.
//
// It lives on the I/O thread. What must be durable does not come through here: the pack thread and the store
// deal with it between themselves, apart from what a clean stop leaves.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/run/journal.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "apps/amphora/run/waiting_changes.hpp"
#include "runtime/http/api.hpp"
#include "runtime/pack/pack_thread.hpp"

namespace amphora::run {

class PackPart {
 public:
  // Called with each newest report, after report() has it.
  using OnReport = std::function<void(const runtime::PackReportPtr&)>;

  // `store` may be null. `options` must have been checked and hold what an earlier run left.
  PackPart(runtime::Loop& loop, Journal& journal, runtime::Store* store, runtime::PackOptions options,
           OnReport on_report);
  ~PackPart();
  PackPart(const PackPart&) = delete;
  PackPart& operator=(const PackPart&) = delete;

  void start();
  // Ends the pack thread, records what it said last and stores what must not be lost. The store may still
  // answer to the thread's queue until this is destroyed.
  void stop();
  void handle_tick(TimePoint now);

  // The gateway has ordered a restart, and the answer to it has had its time.
  bool is_restart_due(TimePoint now) const { return now >= restart_at_; }

  // Topics that inputs of kind mqtt need.
  std::vector<std::string> topics() const;
  void handle_mqtt(std::string_view topic, std::string_view payload);

  // Null before the first.
  const runtime::PackReportPtr& report() const { return report_; }
  TimePoint report_at() const { return report_at_; }
  const runtime::PackThread& thread() const { return thread_; }
  // Whether the battery is heard, no cause of safety is there, and the bus works if there is one.
  bool is_well(const config::Config& config, TimePoint now) const;
  void add_state(Json& groups, const config::Config& config, TimePoint now);

  void sections(const runtime::http::Reply& reply) const;
  void put_section(const runtime::http::SectionChange& change, const runtime::http::Actor& actor,
                   runtime::http::Reply reply);
  void handle_request(const runtime::http::PackRequest& request, const runtime::http::Actor& actor,
                      runtime::http::Reply reply);

 private:
  // Whose the shared sections are: nobody's in particular.
  static constexpr NodeId kAllPacks{};

  struct PendingOrder {
    runtime::http::Reply reply;
    energy::Relay relay = energy::Relay::kGrid;
  };
  struct MqttInput {
    runtime::MqttSpec spec;
    runtime::Place place = runtime::Place::kGrid;
    std::string error;  // of the last message; told when it changes
  };

  void take_reports();
  void take_messages();
  void take_notices();
  void handle(const node::PackNodeEvent& event);
  void handle(const runtime::PackChangeAnswer& answer);
  void handle(const runtime::PackAnswer& answer);
  void handle(const runtime::RelayNotice& notice);
  bool is_repeated(const node::PackNodeEvent& event);
  void sample_history(TimePoint now);
  Json sections_group();

  runtime::Loop& loop_;
  Journal& journal_;
  runtime::Store* store_;
  const runtime::PackOptions options_;
  OnReport on_report_;
  std::vector<MqttInput> mqtt_inputs_;
  runtime::PackThread thread_;
  std::optional<runtime::FdWatch> report_watch_;
  std::optional<runtime::FdWatch> message_watch_;
  runtime::PackReportPtr report_;
  TimePoint report_at_{};
  TimePoint sample_due_{};
  TimePoint restart_at_ = kNever;
  std::optional<std::uint8_t> told_refusal_;  // of the BMS, until it answers
  std::uint64_t token_ = 0;
  WaitingChanges changes_;
  std::map<std::uint64_t, PendingOrder> orders_;                     // by token
  std::vector<std::pair<state::SectionId, std::uint32_t>> changed_;  // the newest last, each once
  std::uint64_t sections_revision_ = 0;
};

}  // namespace amphora::run
