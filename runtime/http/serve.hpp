// SPDX-License-Identifier: Apache-2.0
// What the acceptor and the connections of one web server share, and how a new connection begins.
//
// The connections are templates of Boost.Beast that take minutes to compile; each kind has a source of its
// own behind these two functions, so that the rest of the server does not pay for them.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "runtime/http/router.hpp"
#include "runtime/http/web_server.hpp"
#include "runtime/loop/loop.hpp"

namespace amphora::runtime::http {

// Something that the server can end at its own end.
class Closeable {
 public:
  virtual ~Closeable() = default;
  virtual void close_now() = 0;
};

// What all connections of a server share. Outlives the server as long as a connection does; then `router` is
// null.
struct Shared {
  Loop* loop = nullptr;
  Router* router = nullptr;
  Hub* hub = nullptr;
  WebServerOptions options;
  WebServerCounters counters;
  std::set<Closeable*> open;
};

// The thread-safe way from a Reply back to the loop, closed when the server ends.
struct ReplyGate {
  std::mutex mutex;
  Loop* loop = nullptr;
};

// Serves one accepted socket until either side ends. `remote` is the peer's address.
void serve_plain(boost::asio::ip::tcp::socket socket, std::string remote, std::shared_ptr<Shared> shared,
                 std::shared_ptr<ReplyGate> gate);
void serve_tls(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& tls, std::string remote,
               std::shared_ptr<Shared> shared, std::shared_ptr<ReplyGate> gate);

}  // namespace amphora::runtime::http
