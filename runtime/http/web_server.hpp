// SPDX-License-Identifier: Apache-2.0
// The box's web server: REST API, WebSockets and the web app, on the loop (thread) it is given.
//
// Limits: headers 8 KiB, body 64 KiB, connection_max connections (more are closed at once and counted), 10 s
// to send a request, 30 s keep-alive, 10 s for an answer to leave. Without a certificate it speaks plain
// HTTP, meant for loopback or behind a proxy.
//
// Access: with login required, looking at the state needs a session only when public_look is off; settings
// need a session; every change needs an owner's session and the CSRF header. Without login (loopback only,
// enforced at open) everybody is the owner, but the CSRF header is still needed, so that no foreign page can
// change anything.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "runtime/http/api.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/loop/sys_error.hpp"
#include "runtime/websocket/hub.hpp"

namespace amphora::runtime::http {

struct WebServerOptions {
  std::string listen = "127.0.0.1:8080";  // "[::1]:8080", port 0: any free one
  std::string root;                       // folder of the built web app; empty: API only
  bool is_login_required = true;
  bool public_look = true;
  std::vector<UserRecord> users;  // none with login required: first run
  std::string certificate_file;   // PEM; both or none
  std::string key_file;
  std::size_t connection_max = 256;
  std::size_t websocket_max = 1024;
  Duration request_timeout = std::chrono::seconds{10};
  Duration idle_timeout = std::chrono::seconds{30};
  Duration ping_period = std::chrono::seconds{10};
};

struct WebServerCounters {
  std::uint64_t connections = 0;
  std::uint64_t connections_refused = 0;  // over the limit
  std::uint64_t requests = 0;
  std::uint64_t bad_requests = 0;  // not HTTP, too large, too slow
  std::uint64_t errors_4xx = 0;
  std::uint64_t errors_5xx = 0;
};

class WebServer {
 public:
  // Binds and listens; serves as soon as the loop runs. `backend` and `loop` must outlive the server. Made,
  // used and destroyed on the loop's thread (or while the loop does not run).
  static Result<std::unique_ptr<WebServer>, SysError> open(Loop& loop, WebServerOptions options,
                                                           ApiBackend& backend);
  ~WebServer();
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  std::uint16_t port() const;
  Hub& hub();
  // True until the first user exists (login required and none known).
  bool is_first_run() const;
  // Why the web app is not served, for the log; empty when it is.
  const std::string& static_error() const;
  const WebServerCounters& counters() const;

 private:
  struct State;
  explicit WebServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace amphora::runtime::http
