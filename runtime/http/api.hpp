// SPDX-License-Identifier: Apache-2.0
// What the HTTP server asks of the box. The program implements it; the server knows nothing of the node.
//
// All functions are called on the server's loop and return at once: answers come from memory, or later
// through `reply` from any thread. Requests have been parsed, checked for shape, and authorised before they
// arrive here; ranges of values are the box's own knowledge.
#pragma once

#include <string>

#include "runtime/http/message.hpp"
#include "runtime/http/requests.hpp"

namespace amphora::runtime::http {

// Who asks: for the audit event of every change.
struct Actor {
  std::string user;    // empty when no login is needed
  std::string remote;  // address
};

struct AuditEvent {
  Actor actor;
  std::string code;  // "login", "login_failed", "login_limited", "logout", "setup", "bms_settings",
                     // "bms_command", "box_settings", "sections", "pairing", "pack", "forbidden"
  std::string text;
  bool is_failure = false;
};

class ApiBackend {
 public:
  virtual ~ApiBackend() = default;

  // The whole state of the box (GET state).
  virtual std::string state_json() = 0;
  virtual void events(const EventQuery& query, Reply reply) = 0;
  virtual void history(const HistoryQuery& query, Reply reply) = 0;
  virtual void history_csv(const HistoryQuery& query, Reply reply) = 0;
  virtual void history_days(const DaysQuery& query, Reply reply) = 0;
  virtual void bms_settings(Reply reply) = 0;
  virtual void put_bms_settings(const BmsSettingsChange& change, const Actor& actor, Reply reply) = 0;
  virtual void bms_command(BmsCommand command, const Actor& actor, Reply reply) = 0;
  virtual void box_settings(Reply reply) = 0;
  virtual void put_box_settings(const BoxSettingsChange& change, const Actor& actor, Reply reply) = 0;
  virtual void sections(Reply reply) = 0;
  virtual void put_section(const SectionChange& change, const Actor& actor, Reply reply) = 0;
  virtual void pairing(const PairingRequest& request, const Actor& actor, Reply reply) = 0;
  virtual void pack(const PackRequest& request, const Actor& actor, Reply reply) = 0;
  virtual void old_path(OldPath path, Reply reply) = 0;
  // GET /metrics, Prometheus text.
  virtual std::string metrics_text() = 0;
  // GET health: {"status":"ok"} or the like; status 503 when the box is not well.
  virtual Response health() = 0;
  virtual void audit(const AuditEvent& event) = 0;
  // First run: keep the new user. Later calls replace (a changed password).
  virtual void save_user(const UserRecord& user) = 0;
};

}  // namespace amphora::runtime::http
