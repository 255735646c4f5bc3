// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/router.hpp"

#include <sodium.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/http/openapi.hpp"

namespace amphora::runtime::http {

namespace {

Problem make_problem(int status, std::string code, std::string message) {
  Problem problem;
  problem.status = status;
  problem.code = std::move(code);
  problem.message = std::move(message);
  return problem;
}

Response json_response(std::string body) {
  Response response;
  response.body = std::move(body);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

Response redirect(std::string location) {
  Response response;
  response.status = 302;
  response.content_type = "text/plain; charset=utf-8";
  response.headers.emplace_back("Location", std::move(location));
  return response;
}

// Compares in constant time, so that a token cannot be guessed byte by byte.
bool is_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && !a.empty() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool is_json(const Request& request) {
  const std::string_view type = request.header("content-type").value_or("");
  return type == "application/json" || type.starts_with("application/json;");
}

std::string cookie_text(const std::string& token, bool is_secure, bool ends) {
  std::string text = std::string{kSessionCookie} + "=" + token + "; Path=/; HttpOnly; SameSite=Strict";
  text += is_secure ? "; Secure" : "";
  text += ends ? "; Max-Age=0" : "";
  return text;
}

// Answers with the problem, or hands the good value to `use`.
template <class T, class Use>
void with_parsed(Parsed<T> parsed, const Reply& reply, Use use) {
  if (const auto* problem = std::get_if<Problem>(&parsed)) {
    reply(problem_response(*problem));
  } else {
    use(std::get<T>(parsed));
  }
}

}  // namespace

struct Router::Route {
  Method method;
  std::string_view path;
  Access access;
  Handler handler;
};

std::span<const Router::Route> Router::table() {
  static constexpr Route kRoutes[] = {
      {Method::kGet, "/api/v1/state", Access::kLook, &Router::get_state},
      {Method::kGet, "/api/v1/events", Access::kLook, &Router::get_events},
      {Method::kGet, "/api/v1/history", Access::kLook, &Router::get_history},
      {Method::kGet, "/api/v1/history.csv", Access::kLook, &Router::get_history_csv},
      {Method::kGet, "/api/v1/history/days", Access::kLook, &Router::get_history_days},
      {Method::kGet, "/api/v1/bms/settings", Access::kViewer, &Router::get_bms_settings},
      {Method::kPut, "/api/v1/bms/settings", Access::kOwner, &Router::put_bms_settings},
      {Method::kPost, "/api/v1/bms/command", Access::kOwner, &Router::post_bms_command},
      {Method::kGet, "/api/v1/box/settings", Access::kViewer, &Router::get_box_settings},
      {Method::kPut, "/api/v1/box/settings", Access::kOwner, &Router::put_box_settings},
      {Method::kGet, "/api/v1/sections", Access::kViewer, &Router::get_sections},
      {Method::kPut, "/api/v1/sections", Access::kOwner, &Router::put_section},
      {Method::kPost, "/api/v1/pairing", Access::kOwner, &Router::post_pairing},
      {Method::kPost, "/api/v1/relay", Access::kOwner, &Router::post_pack<parse_relay_request>},
      {Method::kPost, "/api/v1/grid_energy/reset", Access::kOwner,
       &Router::post_pack<parse_grid_energy_reset>},
      {Method::kPost, "/api/v1/identify", Access::kOwner, &Router::post_pack<parse_identify_request>},
      {Method::kGet, "/api/get_receiver_info", Access::kLook, &Router::get_old_path<OldPath::kReceiverInfo>},
      {Method::kGet, "/api/get_transmitter_info", Access::kLook,
       &Router::get_old_path<OldPath::kTransmitterInfo>},
      {Method::kGet, "/api/get_mqtt_config", Access::kViewer, &Router::get_old_path<OldPath::kMqttConfig>},
      {Method::kGet, "/api/get_network_config", Access::kViewer,
       &Router::get_old_path<OldPath::kNetworkConfig>},
      {Method::kGet, "/api/transmitter_status", Access::kLook,
       &Router::get_old_path<OldPath::kTransmitterStatus>},
      {Method::kGet, "/api/v1/session", Access::kOpen, &Router::get_session},
      {Method::kPost, "/api/v1/session", Access::kLogin, &Router::post_session},
      {Method::kDelete, "/api/v1/session", Access::kLogin, &Router::delete_session},
      {Method::kPost, "/api/v1/setup", Access::kLogin, &Router::post_setup},
      {Method::kGet, "/api/v1/health", Access::kOpen, &Router::get_health},
      {Method::kGet, "/api/v1/openapi.json", Access::kOpen, &Router::get_openapi},
      {Method::kGet, "/metrics", Access::kLook, &Router::get_metrics},
  };
  return kRoutes;
}

std::vector<Router::RouteName> Router::routes() {
  std::vector<RouteName> names;
  for (const Route& route : table()) {
    names.push_back({route.method, route.path});
  }
  return names;
}

Router::Router(Loop& loop, RouterOptions options, ApiBackend& backend)
    : loop_{loop},
      options_{std::move(options)},
      backend_{backend},
      users_{options_.users},
      open_csrf_{make_token()},
      setup_until_{loop.now() + options_.setup_window},
      self_{std::make_shared<Router*>(this)},
      hasher_{std::make_unique<PasswordHasher>()} {}

Router::~Router() {
  *self_ = nullptr;
}

Router::Caller Router::caller_of(const Request& request) {
  Caller caller;
  caller.actor.remote = request.remote;
  if (const auto token = request.cookie(kSessionCookie)) {
    caller.session = sessions_.find(*token, loop_.now());
  }
  if (caller.session != nullptr) {
    caller.actor.user = caller.session->user;
  }
  return caller;
}

// Browsers name the origin of what changes something and of every WebSocket; other programs do not.
std::optional<Problem> Router::check_same_origin(const Request& request) const {
  const auto origin = request.header("origin");
  if (!origin) {
    return std::nullopt;
  }
  const std::size_t slashes = origin->find("://");
  const std::string_view authority =
      slashes == std::string_view::npos ? std::string_view{} : origin->substr(slashes + 3);
  if (!authority.empty() && authority == request.header("host").value_or("")) {
    return std::nullopt;
  }
  return make_problem(403, "foreign_origin", "Requests from pages of other sites are refused.");
}

std::optional<Problem> Router::check_access(Access access, const Request& request,
                                            const Caller& caller) const {
  const bool changes = access == Access::kOwner || access == Access::kLogin;
  if (changes) {
    if (auto problem = check_same_origin(request)) {
      return problem;
    }
    if (request.method != Method::kDelete && !is_json(request)) {
      return make_problem(415, "json_needed", "Send the body with Content-Type: application/json.");
    }
  }
  const bool needs_session =
      options_.is_login_required && (access == Access::kOwner || access == Access::kViewer ||
                                     (access == Access::kLook && !options_.public_look));
  if (needs_session && caller.session == nullptr) {
    return make_problem(401, "login_needed", "Log in first.");
  }
  if (access != Access::kOwner) {
    return std::nullopt;
  }
  if (options_.is_login_required && caller.session->role != "owner") {
    return make_problem(403, "owner_needed", "Only an owner may change this.");
  }
  const std::string& csrf = options_.is_login_required ? caller.session->csrf : open_csrf_;
  if (!is_equal(request.header(kCsrfHeader).value_or(""), csrf)) {
    return make_problem(403, "csrf",
                        "The header X-Amphora-CSRF is missing or old; GET /api/v1/session tells it.");
  }
  return std::nullopt;
}

void Router::handle(const Request& request, Reply reply) {
  const Method method = request.method == Method::kHead ? Method::kGet : request.method;
  std::string allowed;
  for (const Route& route : table()) {
    if (route.path != request.path) {
      continue;
    }
    if (route.method != method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string{to_text(route.method)};
      continue;
    }
    const Caller caller = caller_of(request);
    if (const auto problem = check_access(route.access, request, caller)) {
      if (route.access == Access::kOwner) {
        audit(caller.actor, "forbidden", "Refused: " + problem->message, true);
      }
      reply(problem_response(*problem));
      return;
    }
    (this->*route.handler)(request, caller, std::move(reply));
    return;
  }
  if (!allowed.empty()) {
    Response response = problem_response(make_problem(405, "wrong_method", "Allowed here: " + allowed + "."));
    response.headers.emplace_back("Allow", allowed);
    reply(std::move(response));
    return;
  }
  handle_elsewhere(request, std::move(reply));
}

void Router::handle_elsewhere(const Request& request, Reply reply) {
  if (request.path.starts_with("/api/") || request.path.starts_with("/ws/")) {
    reply(problem_response(make_problem(404, "not_found", "There is no such resource.")));
    return;
  }
  if (request.method != Method::kGet && request.method != Method::kHead) {
    reply(problem_response(make_problem(405, "wrong_method", "Only GET is allowed here.")));
    return;
  }
  // Paths of older boxes, kept because people have bookmarks.
  if (request.path == "/monitoring") {
    reply(redirect("/#/"));
  } else if (request.path == "/settings") {
    reply(redirect("/#/settings"));
  } else {
    reply(static_files_.serve(request));
  }
}

std::variant<Channel, Response> Router::websocket_channel(const Request& request) {
  if (request.path != "/ws/live" && request.path != "/ws/cells") {
    return problem_response(make_problem(404, "not_found", "There is no such WebSocket."));
  }
  if (const auto problem = check_same_origin(request)) {
    return problem_response(*problem);
  }
  if (const auto problem = check_access(Access::kLook, request, caller_of(request))) {
    return problem_response(*problem);
  }
  return request.path == "/ws/live" ? Channel::kLive : Channel::kCells;
}

void Router::audit(const Actor& actor, const char* code, std::string text, bool is_failure) {
  backend_.audit({actor, code, std::move(text), is_failure});
}

const UserRecord* Router::user(std::string_view name) const {
  const auto found =
      std::find_if(users_.begin(), users_.end(), [name](const UserRecord& one) { return one.name == name; });
  return found == users_.end() ? nullptr : &*found;
}

void Router::get_state(const Request&, const Caller&, Reply reply) {
  reply(json_response(backend_.state_json()));
}
void Router::get_events(const Request& request, const Caller&, Reply reply) {
  with_parsed(parse_event_query(request), reply,
              [&](const EventQuery& query) { backend_.events(query, reply); });
}
void Router::get_history(const Request& request, const Caller&, Reply reply) {
  with_parsed(parse_history_query(request, wall_now().unix_ms), reply,
              [&](const HistoryQuery& query) { backend_.history(query, reply); });
}
void Router::get_history_csv(const Request& request, const Caller&, Reply reply) {
  with_parsed(parse_history_query(request, wall_now().unix_ms), reply,
              [&](const HistoryQuery& query) { backend_.history_csv(query, reply); });
}
void Router::get_history_days(const Request& request, const Caller&, Reply reply) {
  with_parsed(parse_days_query(request), reply,
              [&](const DaysQuery& query) { backend_.history_days(query, reply); });
}
void Router::get_bms_settings(const Request&, const Caller&, Reply reply) {
  backend_.bms_settings(std::move(reply));
}
void Router::put_bms_settings(const Request& request, const Caller& caller, Reply reply) {
  with_parsed(parse_bms_settings_change(request.body), reply, [&](const BmsSettingsChange& change) {
    audit(caller.actor, "bms_settings",
          "Change of " + std::to_string(change.changes.size()) + " BMS settings.");
    backend_.put_bms_settings(change, caller.actor, reply);
  });
}
void Router::post_bms_command(const Request& request, const Caller& caller, Reply reply) {
  with_parsed(parse_bms_command(request.body), reply, [&](BmsCommand command) {
    audit(caller.actor, "bms_command", "Command to the BMS: " + std::string{to_text(command)} + ".");
    backend_.bms_command(command, caller.actor, reply);
  });
}
void Router::get_box_settings(const Request&, const Caller&, Reply reply) {
  backend_.box_settings(std::move(reply));
}
void Router::put_box_settings(const Request& request, const Caller& caller, Reply reply) {
  with_parsed(parse_box_settings_change(request.body), reply, [&](const BoxSettingsChange& change) {
    audit(caller.actor, "box_settings", "Change of the box's settings: " + change.section + ".");
    backend_.put_box_settings(change, caller.actor, reply);
  });
}

void Router::get_sections(const Request&, const Caller&, Reply reply) {
  backend_.sections(std::move(reply));
}
void Router::put_section(const Request& request, const Caller& caller, Reply reply) {
  with_parsed(parse_section_change(request.body), reply, [&](const SectionChange& change) {
    audit(caller.actor, "sections",
          "Change of the shared settings: " + change.change.section + " of " + change.scope + ".");
    backend_.put_section(change, caller.actor, reply);
  });
}
void Router::post_pairing(const Request& request, const Caller& caller, Reply reply) {
  with_parsed(parse_pairing_request(request.body), reply, [&](const PairingRequest& pairing) {
    audit(caller.actor, "pairing", "Pairing: " + std::string{to_text(pairing.action)} + ".");
    backend_.pairing(pairing, caller.actor, reply);
  });
}
template <Parsed<PackRequest> (*parse)(std::string_view)>
void Router::post_pack(const Request& request, const Caller& caller, Reply reply) {
  with_parsed(parse(request.body), reply, [&](const PackRequest& asked) {
    audit(caller.actor, "pack", describe(asked));
    backend_.pack(asked, caller.actor, reply);
  });
}
template <OldPath path>
void Router::get_old_path(const Request&, const Caller&, Reply reply) {
  backend_.old_path(path, std::move(reply));
}

void Router::get_session(const Request&, const Caller& caller, Reply reply) {
  nlohmann::ordered_json json{{"login", options_.is_login_required ? "required" : "none"},
                              {"first_run", is_first_run()}};
  if (caller.session != nullptr) {
    json["user"] = caller.session->user;
    json["role"] = caller.session->role;
    json["csrf"] = caller.session->csrf;
  } else if (!options_.is_login_required) {
    json["role"] = "owner";
    json["csrf"] = open_csrf_;
  }
  reply(json_response(json.dump()));
}

void Router::begin_session(const UserRecord& user, const Request& request, const Reply& reply) {
  const std::string token = sessions_.begin(user, loop_.now());
  const Session* session = sessions_.find(token, loop_.now());
  nlohmann::ordered_json json{{"login", options_.is_login_required ? "required" : "none"},
                              {"first_run", is_first_run()},
                              {"user", session->user},
                              {"role", session->role},
                              {"csrf", session->csrf}};
  Response response = json_response(json.dump());
  response.headers.emplace_back("Set-Cookie", cookie_text(token, request.is_secure, false));
  reply(std::move(response));
}

void Router::post_session(const Request& request, const Caller& caller, Reply reply) {
  with_parsed(parse_credentials(request.body), reply, [&](const Credentials& credentials) {
    const Actor actor{credentials.user, caller.actor.remote};
    Response busy =
        problem_response(make_problem(429, "too_many_attempts", "Too many attempts; try again later."));
    if (const auto wait = limiter_.delay(request.remote, loop_.now())) {
      audit(actor, "login_limited", "Login refused: too many attempts.", true);
      const auto seconds = std::chrono::ceil<std::chrono::seconds>(*wait).count();
      busy.headers.emplace_back("Retry-After", std::to_string(seconds));
      reply(std::move(busy));
      return;
    }
    // Counted before the answer is known, so that tries in parallel gain nothing.
    limiter_.note_failure(request.remote, loop_.now());
    const UserRecord* known = user(credentials.user);
    const auto done = [this, self = self_, request, reply, actor](bool is_right) {
      if (*self == nullptr) {
        return;
      }
      const UserRecord* found = user(actor.user);
      if (!is_right || found == nullptr) {
        audit(actor, "login_failed", "Login failed.", true);
        reply(problem_response(make_problem(401, "wrong_password", "User or password is wrong.")));
        return;
      }
      limiter_.note_success(request.remote);
      audit(actor, "login", "Login.");
      begin_session(*found, request, reply);
    };
    const bool is_taken =
        hasher_->verify(known == nullptr ? "" : known->password_hash, credentials.password,
                        [this, done](bool is_right) { loop_.post([done, is_right] { done(is_right); }); });
    if (!is_taken) {
      reply(std::move(busy));
    }
  });
}

void Router::delete_session(const Request& request, const Caller& caller, Reply reply) {
  if (caller.session != nullptr) {
    if (!is_equal(request.header(kCsrfHeader).value_or(""), caller.session->csrf)) {
      reply(problem_response(make_problem(403, "csrf", "The header X-Amphora-CSRF is missing or old.")));
      return;
    }
    audit(caller.actor, "logout", "Logout.");
    sessions_.end(*request.cookie(kSessionCookie));
  }
  Response response = json_response(R"({"result":"ended"})");
  response.headers.emplace_back("Set-Cookie", cookie_text("", request.is_secure, true));
  reply(std::move(response));
}

bool Router::is_setup_open(const std::string& remote) const {
  return loop_.now() < setup_until_ || remote.starts_with("127.") || remote == "::1";
}

void Router::post_setup(const Request& request, const Caller&, Reply reply) {
  if (!is_first_run() || is_setup_under_way_) {
    reply(problem_response(make_problem(409, "set_up", "This box has an owner already; log in.")));
    return;
  }
  if (!is_setup_open(request.remote)) {
    reply(problem_response(make_problem(
        403, "setup_closed",
        "The time for the first set-up from the network has passed. Restart the service on the box "
        "(systemctl restart "
        "amphora) and set the password within 15 minutes, or open this page on the box itself.")));
    return;
  }
  with_parsed(parse_new_credentials(request.body), reply, [&](const Credentials& credentials) {
    const auto done = [this, self = self_, request, reply, credentials](std::string hash) {
      if (*self != nullptr) {
        finish_setup(credentials, std::move(hash), request, reply);
      }
    };
    is_setup_under_way_ = hasher_->hash(credentials.password, [this, done](std::string hash) {
      loop_.post([done, hash = std::move(hash)] { done(hash); });
    });
    if (!is_setup_under_way_) {
      reply(problem_response(make_problem(429, "busy", "Try again in a moment.")));
    }
  });
}

void Router::finish_setup(const Credentials& credentials, std::string hash, const Request& request,
                          const Reply& reply) {
  is_setup_under_way_ = false;
  if (hash.empty()) {
    reply(problem_response(
        make_problem(503, "no_memory", "There is not enough memory for the password's hash.")));
    return;
  }
  const UserRecord owner{credentials.user, "owner", std::move(hash)};
  users_.push_back(owner);
  backend_.save_user(owner);
  audit({credentials.user, request.remote}, "setup", "First owner set up.");
  begin_session(owner, request, reply);
}

void Router::get_health(const Request&, const Caller&, Reply reply) {
  reply(backend_.health());
}
void Router::get_openapi(const Request&, const Caller&, Reply reply) {
  Response response;
  response.body = openapi_text();
  reply(std::move(response));
}
void Router::get_metrics(const Request&, const Caller&, Reply reply) {
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = backend_.metrics_text();
  response.headers.emplace_back("Cache-Control", "no-store");
  reply(std::move(response));
}

}  // namespace amphora::runtime::http
