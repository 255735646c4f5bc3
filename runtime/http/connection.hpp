// SPDX-License-Identifier: Apache-2.0
// One HTTP connection (plain or TLS) and one WebSocket connection, on Boost.Beast. Included by
// serve_plain.cpp and serve_tls.cpp only, so that each stream type is compiled once.
//
// A connection owns itself while an operation is under way. Every time-out ends it; it is never closed
// because a handler is slow, because an answer that never comes is answered by the reply's own end.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include "core/liveness/liveness.hpp"
#include "runtime/http/serve.hpp"

namespace amphora::runtime::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

inline constexpr std::uint32_t kHeaderSizeMax = 8 * 1024;
inline constexpr std::size_t kWebsocketReadMax = 1024;  // clients have nothing to say
inline constexpr int kSendBufferSize = 64 * 1024;       // what a stalled client may keep in the kernel

Request to_request(const beast::http::request<beast::http::string_body>& message, const Target& target,
                   std::string remote, bool is_secure);

template <class Stream>
class WebsocketConnection final : public Closeable,
                                  public std::enable_shared_from_this<WebsocketConnection<Stream>> {
 public:
  WebsocketConnection(Stream stream, std::shared_ptr<Shared> shared, Channel channel)
      : websocket_{std::move(stream)},
        shared_{std::move(shared)},
        client_{channel, [this] { request_pump(); }},
        liveness_{{.degraded_after = shared_->options.ping_period * 3 / 2,
                   .failing_after = shared_->options.ping_period * 2,
                   .disconnected_after = shared_->options.ping_period * 3}},
        timer_{*shared_->loop} {
    shared_->open.insert(this);
  }
  ~WebsocketConnection() override {
    shared_->open.erase(this);
    leave();
  }

  void run(const beast::http::request<beast::http::string_body>& request) {
    beast::get_lowest_layer(websocket_).expires_never();
    websocket_.set_option(beast::websocket::stream_base::timeout{
        std::chrono::seconds{10}, beast::websocket::stream_base::none(), false});
    websocket_.read_message_max(kWebsocketReadMax);
    websocket_.auto_fragment(false);
    websocket_.text(true);
    websocket_.control_callback([this](beast::websocket::frame_type, beast::string_view) { sign_of_life(); });
    websocket_.async_accept(request, [self = this->shared_from_this()](error_code error) {
      if (!error) {
        self->start();
      }
    });
  }

  void close_now() override {
    leave();
    timer_.cancel();
    error_code ignored;
    beast::get_lowest_layer(websocket_).socket().close(ignored);
  }

 private:
  void start() {
    if (shared_->router == nullptr || !shared_->hub->add(client_)) {
      websocket_.async_close(beast::websocket::close_code::try_again_later,
                             [self = this->shared_from_this()](error_code) {});
      return;
    }
    is_joined_ = true;
    sign_of_life();
    arm_ping();
    read();
    request_pump();
  }

  void leave() {
    if (is_joined_ && shared_->hub != nullptr) {
      shared_->hub->remove(client_);
    }
    is_joined_ = false;
  }

  void sign_of_life() { liveness_.handle_sign_of_life(shared_->loop->now()); }

  // A peer that does not even answer pings is gone, or has stopped reading for good.
  void arm_ping() {
    timer_.arm(shared_->loop->now() + shared_->options.ping_period, [weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->ping();
      }
    });
  }
  void ping() {
    const TimePoint now = shared_->loop->now();
    liveness_.handle_timeout(now);
    if (liveness_.state() == liveness::State::kDisconnected) {
      close_now();
      return;
    }
    if (!is_pinging_) {
      is_pinging_ = true;
      websocket_.async_ping({}, [self = this->shared_from_this()](error_code) { self->is_pinging_ = false; });
    }
    arm_ping();
  }

  void read() {
    websocket_.async_read(input_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (error) {
        self->close_now();
        return;
      }
      self->sign_of_life();
      self->input_.consume(self->input_.size());
      self->read();
    });
  }

  void request_pump() {
    if (is_writing_ || is_pump_requested_ || !is_joined_) {
      return;
    }
    is_pump_requested_ = true;
    shared_->loop->post([weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->is_pump_requested_ = false;
        self->pump();
      }
    });
  }
  void pump() {
    if (is_writing_ || !is_joined_) {
      return;
    }
    output_ = shared_->hub->poll(client_);
    if (!output_) {
      return;
    }
    is_writing_ = true;
    websocket_.async_write(asio::buffer(*output_),
                           [self = this->shared_from_this()](error_code error, std::size_t) {
                             self->is_writing_ = false;
                             self->output_.reset();
                             if (error) {
                               self->close_now();
                             } else {
                               self->pump();
                             }
                           });
  }

  beast::websocket::stream<Stream> websocket_;
  std::shared_ptr<Shared> shared_;
  HubClient client_;
  liveness::Liveness liveness_;
  Timer timer_;
  beast::flat_buffer input_{kWebsocketReadMax};
  SharedText output_;
  bool is_joined_ = false;
  bool is_writing_ = false;
  bool is_pinging_ = false;
  bool is_pump_requested_ = false;
};

template <class Stream>
class HttpConnection final : public Closeable, public std::enable_shared_from_this<HttpConnection<Stream>> {
 public:
  static constexpr bool kIsTls = std::is_same_v<Stream, TlsStream>;

  HttpConnection(Stream stream, std::string remote, std::shared_ptr<Shared> shared,
                 std::shared_ptr<ReplyGate> gate)
      : stream_{std::move(stream)},
        remote_{std::move(remote)},
        shared_{std::move(shared)},
        gate_{std::move(gate)} {
    shared_->open.insert(this);
  }
  ~HttpConnection() override { shared_->open.erase(this); }

  void run() {
    lowest().expires_after(std::chrono::microseconds{shared_->options.request_timeout.count()});
    if constexpr (kIsTls) {
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](error_code error) {
                                if (!error) {
                                  self->read();
                                }
                              });
    } else {
      read();
    }
  }

  void close_now() override {
    const auto self = std::move(keep_);  // may be the last owner
    error_code ignored;
    lowest().socket().close(ignored);
  }

 private:
  using Body = beast::http::span_body<const char>;

  PlainStream& lowest() { return beast::get_lowest_layer(stream_); }

  void read() {
    parser_.emplace();
    parser_->header_limit(kHeaderSizeMax);
    parser_->body_limit(kBodySizeMax);
    // The first request must come soon; between requests a client may rest.
    const Duration wait = has_served_ ? shared_->options.idle_timeout : shared_->options.request_timeout;
    lowest().expires_after(std::chrono::microseconds{wait.count()});
    beast::http::async_read(
        stream_, buffer_, *parser_,
        [self = this->shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
  }

  void on_read(error_code error) {
    if (shared_->router == nullptr) {
      return;
    }
    if (error) {
      on_bad_request(error);
      return;
    }
    ++shared_->counters.requests;
    has_served_ = true;
    const auto& message = parser_->get();
    is_keep_alive_ = message.keep_alive();
    is_head_ = message.method() == beast::http::verb::head;
    version_ = message.version();
    const auto target = parse_target({message.target().data(), message.target().size()});
    if (!target) {
      refuse(400, "bad_target", "The path is not valid.");
      return;
    }
    Request request = to_request(message, *target, remote_, kIsTls);
    if (beast::websocket::is_upgrade(message)) {
      upgrade(request);
      return;
    }
    lowest().expires_never();
    Router& router = *shared_->router;
    router.handle(request, make_reply());
  }

  void on_bad_request(error_code error) {
    if (error == beast::http::error::end_of_stream) {
      error_code ignored;
      lowest().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
      return;
    }
    if (error == beast::http::error::header_limit) {
      refuse(431, "header_too_large", "The request's header is larger than 8 KiB.");
    } else if (error == beast::http::error::body_limit) {
      refuse(413, "too_large", "The body is larger than 64 KiB.");
    } else if (error.category() == make_error_code(beast::http::error::bad_method).category()) {
      refuse(400, "bad_request", "This is not HTTP as it should be.");
    } else {
      // Gone, or too slow: no answer. Resting between requests is no fault.
      shared_->counters.bad_requests += buffer_.size() > 0 || !has_served_ ? 1 : 0;
    }
  }

  void refuse(int status, std::string code, std::string message) {
    ++shared_->counters.bad_requests;
    is_keep_alive_ = false;
    Problem problem;
    problem.status = status;
    problem.code = std::move(code);
    problem.message = std::move(message);
    write(problem_response(problem));
  }

  void upgrade(const Request& request) {
    auto decision = shared_->router->websocket_channel(request);
    if (auto* response = std::get_if<Response>(&decision)) {
      write(std::move(*response));
      return;
    }
    lowest().socket().set_option(asio::socket_base::send_buffer_size{kSendBufferSize});
    lowest().socket().set_option(asio::ip::tcp::no_delay{true});
    std::make_shared<WebsocketConnection<Stream>>(std::move(stream_), shared_, std::get<Channel>(decision))
        ->run(parser_->get());
  }

  // Answers once, from any thread. When the last copy goes without an answer, that is the answer. Meanwhile
  // the connection keeps itself; only the loop's thread ever owns it.
  Reply make_reply() {
    struct Once {
      std::shared_ptr<ReplyGate> gate;
      std::weak_ptr<HttpConnection> connection;
      std::atomic<bool> is_used{false};
      void answer(Response response) {
        if (is_used.exchange(true)) {
          return;
        }
        const std::lock_guard lock{gate->mutex};
        if (gate->loop == nullptr) {
          return;
        }
        gate->loop->post([weak = connection, response = std::move(response)]() mutable {
          if (const auto alive = weak.lock()) {
            alive->write(std::move(response));
          }
        });
      }
      ~Once() {
        Problem problem;
        problem.status = 503;
        problem.code = "no_answer";
        problem.message = "The box could not answer; try again.";
        answer(problem_response(problem));
      }
    };
    keep_ = this->shared_from_this();
    auto once = std::make_shared<Once>();
    once->gate = gate_;
    once->connection = this->weak_from_this();
    return [once](Response response) { once->answer(std::move(response)); };
  }

  void write(Response response) {
    const auto self = keep_ ? std::move(keep_) : this->shared_from_this();
    shared_->counters.errors_4xx += response.status >= 400 && response.status < 500 ? 1 : 0;
    shared_->counters.errors_5xx += response.status >= 500 ? 1 : 0;
    outgoing_ = std::move(response);
    const std::string& body = outgoing_.shared_body ? *outgoing_.shared_body : outgoing_.body;
    const bool has_body = outgoing_.status != 304 && outgoing_.status != 204;
    message_.emplace();
    message_->version(version_);
    message_->result(static_cast<unsigned>(outgoing_.status));
    message_->set(beast::http::field::server, "amphora");
    message_->set(beast::http::field::content_type, outgoing_.content_type);
    add_security_headers();
    for (const auto& [name, value] : outgoing_.headers) {
      message_->insert(name, value);
    }
    message_->keep_alive(is_keep_alive_);
    if (has_body) {
      message_->content_length(body.size());
    }
    if (has_body && !is_head_) {
      message_->body() = {body.data(), body.size()};
    }
    lowest().expires_after(std::chrono::seconds{10});
    serializer_.emplace(*message_);
    const auto done = [self](error_code error, std::size_t) { self->on_written(error); };
    if (is_head_) {
      beast::http::async_write_header(stream_, *serializer_, done);
    } else {
      beast::http::async_write(stream_, *serializer_, done);
    }
  }

  void add_security_headers() {
    message_->set("Content-Security-Policy",
                  "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
                  "form-action 'self'; frame-ancestors 'none'");
    message_->set("X-Content-Type-Options", "nosniff");
    message_->set("X-Frame-Options", "DENY");
    message_->set("Referrer-Policy", "no-referrer");
    message_->set("Cross-Origin-Opener-Policy", "same-origin");
    message_->set("Cross-Origin-Resource-Policy", "same-origin");
  }

  void on_written(error_code error) {
    serializer_.reset();
    message_.reset();
    outgoing_ = {};
    if (error || shared_->router == nullptr) {
      return;
    }
    if (is_keep_alive_) {
      read();
    } else {
      say_goodbye();
    }
  }

  // Over TLS the end is announced, so that the client can tell it from a cut connection.
  void say_goodbye() {
    if constexpr (kIsTls) {
      stream_.async_shutdown([self = this->shared_from_this()](error_code) {});
    } else {
      error_code ignored;
      lowest().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    }
  }

  Stream stream_;
  const std::string remote_;
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<ReplyGate> gate_;
  std::shared_ptr<HttpConnection> keep_;  // itself, while it waits for a reply
  beast::flat_buffer buffer_{kHeaderSizeMax + kBodySizeMax};
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  std::optional<beast::http::response<Body>> message_;
  std::optional<beast::http::response_serializer<Body>> serializer_;
  Response outgoing_;
  unsigned version_ = 11;
  bool is_keep_alive_ = false;
  bool is_head_ = false;
  bool has_served_ = false;
};

}  // namespace amphora::runtime::http
