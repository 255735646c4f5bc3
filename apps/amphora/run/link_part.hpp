// SPDX-License-Identifier: Apache-2.0
// The part of a box that has a radio: the link thread, what it reports, and what people ask of it.
//
// It lives on the I/O thread. At a transmitter it hands the battery over (readings at their interval, cells
// at theirs) and tells the box which shared settings are in force; at a receiver it holds what was received
// last of each transmitter. What must be durable does not come through here: the link thread and the store
// deal with it between themselves.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/run/journal.hpp"
#include "apps/amphora/run/peer_battery.hpp"
#include "apps/amphora/run/sections_json.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "apps/amphora/run/waiting_changes.hpp"
#include "runtime/control/control_thread.hpp"
#include "runtime/http/api.hpp"
#include "runtime/link/link_thread.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

class LinkPart {
 public:
  struct Handlers {
    // A shared section of this box has changed: its values if it is in force, else nothing.
    std::function<void(const sections::SectionTable& table, std::optional<sections::Values> values)>
        on_section;
    // Something that pages should show at once.
    std::function<void()> on_change;
    // The newest cells of the peer that is shown, as the body of /ws/cells.
    std::function<void(std::string message)> on_cells;
    // Why these values cannot be in force in this box; empty: they can.
    std::function<std::vector<std::string>(const sections::SectionTable& table,
                                           const sections::Values& values)>
        check;
  };

  // `store` may be null; `stored` is what an earlier run left. `config` as the file and the settings page say
  // it, without shared settings.
  LinkPart(runtime::Loop& loop, Journal& journal, runtime::Store* store, const runtime::StoredState& stored,
           const config::Config& config, Handlers handlers);
  ~LinkPart();
  LinkPart(const LinkPart&) = delete;
  LinkPart& operator=(const LinkPart&) = delete;

  // The sections that this box shares, in the order of their ids.
  std::vector<const sections::SectionTable*> shared_tables() const;
  // The stored records of these that are in force: to be known before the battery is served.
  std::vector<std::pair<const sections::SectionTable*, sections::Values>> stored_sections() const;

  void start();
  // Ends the link thread and records what it said last. The store may still answer to the link thread's queue
  // until this is destroyed.
  void stop();
  void handle_tick(TimePoint now);
  // The configuration without shared settings was changed.
  void handle_base_config(const config::Config& config);

  // A report of this box's own battery.
  void handle_battery(const runtime::ReportPtr& report);
  void set_mqtt_connected(bool is_connected);

  bool has_report() const { return report_ != nullptr; }
  // Grows with every change that a page should show.
  std::uint64_t revision() const { return revision_; }
  // Whether a radio works and a peer is heard.
  bool is_well() const;
  // The groups that a link adds.
  void add_state(Json& groups, const config::Config& config, TimePoint now) const;
  const runtime::LinkReport* report() const { return report_.get(); }

  void sections(const runtime::http::Reply& reply) const;
  void put_section(const runtime::http::SectionChange& change, const runtime::http::Actor& actor,
                   runtime::http::Reply reply);
  void pairing(const runtime::http::PairingRequest& request, const runtime::http::Actor& actor,
               runtime::http::Reply reply);
  void old_path(runtime::http::OldPath path, const config::Config& config,
                const runtime::http::Reply& reply) const;

 private:
  struct PendingPairing {
    runtime::http::Reply reply;
    runtime::http::PairingRequest::Action action = runtime::http::PairingRequest::Action::kShowCode;
  };
  struct Seen {
    std::uint32_t version = 0;
    state::Stamp stamp;
    bool is_waiting_for_time = false;
    friend bool operator==(const Seen&, const Seen&) = default;
  };

  bool is_receiver() const { return !config_.has_battery_part(); }
  runtime::LinkOptions make_options(const runtime::StoredState& stored);
  void take_reports();
  void take_messages();
  void handle(const node::TransmitterEvent& event);
  void handle(const node::ReceiverEvent& event);
  void handle(const runtime::ChangeAnswer& answer);
  void handle(const runtime::PairingAnswer& answer) { pairing_answers_.push_back(answer); }
  void reply_to_pairing(const runtime::PairingAnswer& answer);
  void reply_to_pairings();
  void handle(const runtime::ReadingArrived& arrived);
  void handle(const runtime::CellsArrived& arrived);
  void follow_sections();
  void note_section(NodeId owner, const runtime::LinkSection& section);
  void tell_facts();
  void tell_seeds();
  void tell_status();
  std::string peer_name(NodeId node) const;
  std::string peer_title(NodeId node) const;
  // The peer whose battery the pages show: the first that was heard.
  const PeerBattery* shown_battery() const;
  Json own_values(NodeId owner, state::SectionId section) const;

  runtime::Loop& loop_;
  Journal& journal_;
  runtime::Store* store_;
  config::Config config_;
  Handlers handlers_;
  std::vector<state::SectionSpec> own_specs_;
  std::vector<state::SectionSpec> peer_specs_;
  std::vector<runtime::StoredSection> stored_own_;
  std::vector<std::string> complaints_;
  runtime::LinkThread thread_;
  std::optional<runtime::FdWatch> report_watch_;
  std::optional<runtime::FdWatch> message_watch_;
  runtime::LinkReportPtr report_;
  std::uint64_t revision_ = 0;
  std::uint64_t sections_revision_ = 0;
  std::uint64_t token_ = 0;
  WaitingChanges changes_;
  std::map<std::uint64_t, PendingPairing> pairings_;     // by token
  std::vector<runtime::PairingAnswer> pairing_answers_;  // told when the state shows them
  std::map<std::pair<NodeId, state::SectionId>, Seen> seen_;
  std::vector<std::pair<NodeId, state::SectionId>> changed_;  // the newest last, each once
  std::map<NodeId, PeerBattery> batteries_;
  NodeId told_self_;
  std::uint8_t status_ = 0;
  bool is_mqtt_connected_ = false;
  TimePoint facts_due_{};
  TimePoint reading_due_{};
  TimePoint cells_due_{};
  std::uint64_t cells_count_ = 0;
};

}  // namespace amphora::run
