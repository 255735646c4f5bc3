// SPDX-License-Identifier: Apache-2.0
#include "runtime/can_virtual/virtual_port.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

namespace amphora::runtime {

namespace {

// What the other ports may touch of one port, from their threads.
struct Inbox {
  std::mutex mutex;
  Loop* loop = nullptr;  // null once the port is gone
  std::function<void()> deliver;
  std::deque<can::Frame> frames;
  std::uint64_t overflows = 0;
  std::vector<CanFilter> filters;

  // The sender's thread.
  void receive(const can::Frame& frame) {
    if (!filters.empty() && std::none_of(filters.begin(), filters.end(),
                                         [&](const CanFilter& filter) { return filter.passes(frame); })) {
      return;
    }
    const std::lock_guard lock{mutex};
    if (frames.size() >= kVirtualInboxCapacity) {
      ++overflows;
      return;
    }
    frames.push_back(frame);
    if (frames.size() == 1 && loop != nullptr) {
      loop->post(deliver);
    }
  }
};

// All buses of the process. A bus lives as long as it has ports.
struct Buses {
  std::mutex mutex;
  std::map<std::string, std::vector<std::shared_ptr<Inbox>>> inboxes;
};
Buses& buses() {
  static Buses all;
  return all;
}

class VirtualPort final : public CanPort, public std::enable_shared_from_this<VirtualPort> {
 public:
  VirtualPort(Loop& loop, std::string bus, CanOptions options, CanHandlers handlers)
      : loop_{loop},
        bus_{std::move(bus)},
        name_{"virtual:" + bus_},
        handlers_{std::move(handlers)},
        inbox_{std::make_shared<Inbox>()} {
    inbox_->loop = &loop;
    inbox_->filters = std::move(options.filters);
  }

  ~VirtualPort() override {
    {
      const std::lock_guard lock{inbox_->mutex};
      inbox_->loop = nullptr;
    }
    const std::lock_guard lock{buses().mutex};
    auto& inboxes = buses().inboxes[bus_];
    std::erase(inboxes, inbox_);
    if (inboxes.empty()) {
      buses().inboxes.erase(bus_);
    }
  }

  void join() {
    inbox_->deliver = [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->deliver();
      }
    };
    {
      const std::lock_guard lock{buses().mutex};
      buses().inboxes[bus_].push_back(inbox_);
    }
    loop_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock(); self && self->handlers_.on_state) {
        self->handlers_.on_state(can::BusState::kActive);
      }
    });
  }

  bool send(const can::Frame& frame) override {
    const std::lock_guard lock{buses().mutex};
    for (const auto& inbox : buses().inboxes[bus_]) {
      if (inbox != inbox_) {
        inbox->receive(frame);
      }
    }
    ++counters_.frames_sent;
    return true;
  }
  can::BusState state() const override { return can::BusState::kActive; }
  const CanCounters& counters() const override { return counters_; }
  std::optional<SysError> last_error() const override { return std::nullopt; }
  const std::string& name() const override { return name_; }

 private:
  void deliver() {
    std::deque<can::Frame> frames;
    {
      const std::lock_guard lock{inbox_->mutex};
      frames.swap(inbox_->frames);
      counters_.receive_overflows = inbox_->overflows;
    }
    for (const can::Frame& frame : frames) {
      ++counters_.frames_received;
      if (handlers_.on_frame) {
        handlers_.on_frame(frame);
      }
    }
  }

  Loop& loop_;
  const std::string bus_;
  const std::string name_;
  const CanHandlers handlers_;
  CanCounters counters_;
  const std::shared_ptr<Inbox> inbox_;
};

}  // namespace

std::shared_ptr<CanPort> make_virtual_can_port(Loop& loop, std::string bus_name, CanOptions options,
                                               CanHandlers handlers) {
  auto port =
      std::make_shared<VirtualPort>(loop, std::move(bus_name), std::move(options), std::move(handlers));
  port->join();
  return port;
}

}  // namespace amphora::runtime
