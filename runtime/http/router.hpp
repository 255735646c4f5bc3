// SPDX-License-Identifier: Apache-2.0
// From a request to its answer: routes, access, sessions, CSRF, and the web app for everything else.
//
// Free of sockets; on the server's loop. Rules for every request that changes something: an owner's session
// (when login is required), the header X-Amphora-CSRF with the session's token, Content-Type application/json
// when there is a body, and, when the browser names an Origin, that it is this box. Every change, every login
// and every refusal is an audit event.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/http/api.hpp"
#include "runtime/http/auth.hpp"
#include "runtime/http/static_files.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/websocket/hub.hpp"

namespace amphora::runtime::http {

inline constexpr std::string_view kSessionCookie = "amphora_session";
inline constexpr std::string_view kCsrfHeader = "x-amphora-csrf";

enum class Access : std::uint8_t {
  kOpen,    // everybody: health, session, the API's description
  kLook,    // the live state and history; everybody where looking is public, else any session
  kViewer,  // any session
  kOwner,   // an owner's session and the CSRF header
  kLogin,   // no session yet, but same origin and JSON
};

struct RouterOptions {
  bool is_login_required = true;
  bool public_look = true;
  std::vector<UserRecord> users;
  // The first owner may be set up from the network only this long after the start, from this machine at any
  // time: a box that was never set up must not wait for the first stranger.
  Duration setup_window = std::chrono::minutes{15};
};

class Router {
 public:
  Router(Loop& loop, RouterOptions options, ApiBackend& backend);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  StaticFiles& static_files() { return static_files_; }
  // Answers now or later through `reply`, exactly once.
  void handle(const Request& request, Reply reply);
  // May this client open a WebSocket here? Otherwise the answer to give.
  std::variant<Channel, Response> websocket_channel(const Request& request);

  bool is_first_run() const { return options_.is_login_required && users_.empty(); }

  struct RouteName {
    Method method;
    std::string_view path;
  };
  static std::vector<RouteName> routes();

 private:
  struct Route;
  struct Caller {
    Actor actor;
    const Session* session = nullptr;
  };
  using Handler = void (Router::*)(const Request&, const Caller&, Reply);
  static std::span<const Route> table();

  Caller caller_of(const Request& request);
  bool is_setup_open(const std::string& remote) const;
  std::optional<Problem> check_access(Access access, const Request& request, const Caller& caller) const;
  std::optional<Problem> check_same_origin(const Request& request) const;
  void handle_elsewhere(const Request& request, Reply reply);
  const UserRecord* user(std::string_view name) const;
  void audit(const Actor& actor, const char* code, std::string text, bool is_failure = false);
  void begin_session(const UserRecord& user, const Request& request, const Reply& reply);
  void finish_setup(const Credentials& credentials, std::string hash, const Request& request,
                    const Reply& reply);

  void get_state(const Request&, const Caller&, Reply);
  void get_events(const Request&, const Caller&, Reply);
  void get_history(const Request&, const Caller&, Reply);
  void get_history_csv(const Request&, const Caller&, Reply);
  void get_history_days(const Request&, const Caller&, Reply);
  void get_bms_settings(const Request&, const Caller&, Reply);
  void put_bms_settings(const Request&, const Caller&, Reply);
  void post_bms_command(const Request&, const Caller&, Reply);
  void get_box_settings(const Request&, const Caller&, Reply);
  void put_box_settings(const Request&, const Caller&, Reply);
  void get_sections(const Request&, const Caller&, Reply);
  void put_section(const Request&, const Caller&, Reply);
  void post_pairing(const Request&, const Caller&, Reply);
  template <Parsed<PackRequest> (*parse)(std::string_view)>
  void post_pack(const Request&, const Caller&, Reply);
  template <OldPath path>
  void get_old_path(const Request&, const Caller&, Reply);
  void get_session(const Request&, const Caller&, Reply);
  void post_session(const Request&, const Caller&, Reply);
  void delete_session(const Request&, const Caller&, Reply);
  void post_setup(const Request&, const Caller&, Reply);
  void get_health(const Request&, const Caller&, Reply);
  void get_openapi(const Request&, const Caller&, Reply);
  void get_metrics(const Request&, const Caller&, Reply);

  Loop& loop_;
  const RouterOptions options_;
  ApiBackend& backend_;
  StaticFiles static_files_;
  std::vector<UserRecord> users_;
  SessionTable sessions_;
  LoginLimiter limiter_;
  const std::string open_csrf_;  // where no login is needed
  const TimePoint setup_until_;
  bool is_setup_under_way_ = false;
  std::shared_ptr<Router*> self_;           // emptied at the end: late hashes find nobody
  std::unique_ptr<PasswordHasher> hasher_;  // last: its thread ends first
};

}  // namespace amphora::runtime::http
