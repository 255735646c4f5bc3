// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/web_server.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <charconv>

#include "runtime/http/serve.hpp"

namespace amphora::runtime::http {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr Duration kAcceptPause = std::chrono::milliseconds{100};  // when no descriptor is left

// "127.0.0.1:8080", "[::1]:8080". Names are not looked up: what is listened on must be plain to see.
std::optional<tcp::endpoint> parse_endpoint(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos) {
    return std::nullopt;
  }
  std::string host = listen.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  std::uint16_t port = 0;
  const char* end = listen.data() + listen.size();
  const auto [stop, wrong] = std::from_chars(listen.data() + colon + 1, end, port);
  error_code error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error || wrong != std::errc{} || stop != end) {
    return std::nullopt;
  }
  return tcp::endpoint{address, port};
}

}  // namespace

struct WebServer::State {
  State(Loop& loop_of_server, WebServerOptions server_options, ApiBackend& backend)
      : loop{loop_of_server},
        router{
            loop_of_server,
            RouterOptions{server_options.is_login_required, server_options.public_look, server_options.users},
            backend},
        hub{server_options.websocket_max},
        shared{std::make_shared<Shared>()},
        gate{std::make_shared<ReplyGate>()},
        acceptor{loop_of_server.io_context()},
        pause{loop_of_server},
        alive{std::make_shared<bool>(true)} {
    shared->loop = &loop;
    shared->router = &router;
    shared->hub = &hub;
    shared->options = std::move(server_options);
    gate->loop = &loop;
  }

  std::optional<SysError> open() {
    const auto endpoint = parse_endpoint(shared->options.listen);
    if (!endpoint) {
      return SysError{0, "listen on " + shared->options.listen,
                      "write ADDRESS:PORT, for example 127.0.0.1:8080 or [::1]:8080"};
    }
    if (!shared->options.is_login_required && !endpoint->address().is_loopback()) {
      return SysError{0, "listen on " + shared->options.listen + " without login",
                      "login = \"none\" is allowed on 127.0.0.1 and [::1] only"};
    }
    if (!shared->options.root.empty()) {
      static_error = router.static_files().load(shared->options.root);
    }
    if (auto error = load_certificate()) {
      return error;
    }
    error_code error;
    acceptor.open(endpoint->protocol(), error);
    if (!error) {
      acceptor.set_option(tcp::acceptor::reuse_address{true}, error);
    }
    if (!error) {
      acceptor.bind(*endpoint, error);
    }
    if (!error) {
      acceptor.listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
      return SysError{error.value(), "listen on " + shared->options.listen,
                      "another program may use the port; choose one with web.listen"};
    }
    accept();
    return std::nullopt;
  }

  std::optional<SysError> load_certificate() {
    const WebServerOptions& options = shared->options;
    if (options.certificate_file.empty() && options.key_file.empty()) {
      return std::nullopt;
    }
    tls.emplace(asio::ssl::context::tls_server);
    tls->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                     asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                     asio::ssl::context::no_tlsv1_1);
    error_code error;
    tls->use_certificate_chain_file(options.certificate_file, error);
    if (error) {
      return SysError{0, "read the certificate " + options.certificate_file + ": " + error.message(),
                      "a PEM file with the certificate chain is needed"};
    }
    tls->use_private_key_file(options.key_file, asio::ssl::context::pem, error);
    if (error) {
      return SysError{0, "read the key " + options.key_file + ": " + error.message(),
                      "a PEM file with the certificate's private key is needed"};
    }
    return std::nullopt;
  }

  void accept() {
    acceptor.async_accept([this, is_alive = alive](error_code error, tcp::socket socket) {
      if (!*is_alive || error == asio::error::operation_aborted) {
        return;
      }
      if (error) {
        pause.arm(loop.now() + kAcceptPause, [this] { accept(); });
        return;
      }
      serve(std::move(socket));
      accept();
    });
  }

  void serve(tcp::socket socket) {
    error_code error;
    const auto peer = socket.remote_endpoint(error);
    // WebSockets have a limit of their own in the hub; both together bound the descriptors.
    if (error || shared->open.size() >= shared->options.connection_max + hub.client_count()) {
      ++shared->counters.connections_refused;
      return;
    }
    ++shared->counters.connections;
    std::string remote = peer.address().to_string();
    if (tls) {
      serve_tls(std::move(socket), *tls, std::move(remote), shared, gate);
    } else {
      serve_plain(std::move(socket), std::move(remote), shared, gate);
    }
  }

  void close() {
    *alive = false;
    {
      const std::lock_guard lock{gate->mutex};
      gate->loop = nullptr;
    }
    error_code ignored;
    acceptor.close(ignored);
    const std::set<Closeable*> open_now = shared->open;
    for (Closeable* connection : open_now) {
      connection->close_now();
    }
    shared->router = nullptr;
    shared->hub = nullptr;
  }

  Loop& loop;
  Router router;
  Hub hub;
  std::shared_ptr<Shared> shared;
  std::shared_ptr<ReplyGate> gate;
  tcp::acceptor acceptor;
  std::optional<asio::ssl::context> tls;
  Timer pause;
  std::shared_ptr<bool> alive;
  std::string static_error;
};

Result<std::unique_ptr<WebServer>, SysError> WebServer::open(Loop& loop, WebServerOptions options,
                                                             ApiBackend& backend) {
  auto state = std::make_unique<State>(loop, std::move(options), backend);
  if (auto error = state->open()) {
    return *error;
  }
  return std::unique_ptr<WebServer>{new WebServer{std::move(state)}};
}

WebServer::WebServer(std::unique_ptr<State> state) : state_{std::move(state)} {}
WebServer::~WebServer() {
  state_->close();
}
std::uint16_t WebServer::port() const {
  error_code error;
  const auto endpoint = state_->acceptor.local_endpoint(error);
  return error ? std::uint16_t{0} : endpoint.port();
}
Hub& WebServer::hub() {
  return state_->hub;
}
bool WebServer::is_first_run() const {
  return state_->router.is_first_run();
}
const std::string& WebServer::static_error() const {
  return state_->static_error;
}
const WebServerCounters& WebServer::counters() const {
  return state_->shared->counters;
}

}  // namespace amphora::runtime::http
