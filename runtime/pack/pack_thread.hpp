// SPDX-License-Identifier: Apache-2.0
// The pack thread: the one thread that owns the node, the BMS's serial line, the bus and the relays.
//
// It runs its own loop and does nothing else: no file, no network, no lock that another thread holds for
// long. Sensors and lights have threads of their own, which this one starts and hears. The rest of the
// program sees it through bounded queues:
//   reports()   what the pack knows, as immutable values; the newest counts, a full queue drops and counts
//   messages()  events and answers, in order; a full queue drops the newest and counts it
//   order()     what people ask for, measurements that came by MQTT, answers of the store
// What must be durable goes from here straight to the storage thread and back, whatever the I/O thread does.
//
// A CAN controller cannot be told to try a frame once through every kind of port; a claim that the port
// refuses counts as not sent, one that it took as sent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "runtime/indicator/indicator_thread.hpp"
#include "runtime/inputs/sensor_thread.hpp"
#include "runtime/loop/bounded_queue.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/pack/pack_messages.hpp"
#include "runtime/pack/pack_store.hpp"

namespace amphora::runtime {

// Whether this machine's clock may tell the pack the time, where the bus does not.
enum class HostTime : std::uint8_t {
  kSynchronised,  // while somebody keeps it right (is_clock_synchronised)
  kTrusted,       // always
  kNever
};

struct PackOptions {
  node::PackConfig node;  // what is stored is filled in by the thread
  StoredPack stored;
  std::string serial_path;
  std::uint32_t baud = 9600;
  std::string bus;  // must parse (parse_can_spec), or empty: a pack alone
  RelayOptions relays;
  SensorOptions sensors;
  IndicatorSpecs indicator;
  HostTime host_time = HostTime::kSynchronised;
  Duration report_interval = std::chrono::milliseconds{500};  // also after every switch
};

class PackThread {
 public:
  static constexpr std::size_t kReportCapacity = 8;
  static constexpr std::size_t kMessageCapacity = 1024;
  static constexpr std::size_t kOrderCapacity = 256;

  // Specs and node configuration must have been checked. `store` may be null, then nothing is kept.
  PackThread(PackOptions options, Store* store);
  // Stops and joins.
  ~PackThread();
  PackThread(const PackThread&) = delete;
  PackThread& operator=(const PackThread&) = delete;

  void start();
  // Ends the loop and joins; afterwards final_facts() tells what a clean stop should store. The store may
  // still answer to the queue of orders until this is destroyed.
  void stop();

  // Any thread. False when the pack has too much to do already.
  bool order(PackOrder order);
  BoundedQueue<PackReportPtr>& reports() { return reports_; }
  BoundedQueue<PackMessage>& messages() { return messages_; }
  SensorThread& sensors() { return sensors_; }
  const SensorThread& sensors() const { return sensors_; }
  IndicatorThread& indicator() { return indicator_; }
  const IndicatorThread& indicator() const { return indicator_; }

  // After stop() only.
  const std::optional<energy::Facts>& final_facts() const { return final_facts_; }

 private:
  class Host;
  void run();

  PackOptions options_;
  Store* store_;
  BoundedQueue<PackReportPtr> reports_{kReportCapacity};
  BoundedQueue<PackMessage> messages_{kMessageCapacity};
  BoundedQueue<PackOrder> orders_{kOrderCapacity};
  SensorThread sensors_;
  IndicatorThread indicator_;
  Loop loop_;
  std::optional<energy::Facts> final_facts_;
  std::thread thread_;
};

}  // namespace amphora::runtime
