// SPDX-License-Identifier: Apache-2.0
// What happened in this box, told to everybody who wants to know: the log, the store, open pages, MQTT.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime/loop/loop.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

class Journal {
 public:
  using Listener = std::function<void(const runtime::EventRecord&)>;

  // `store` may be null: events then have no ids and are not kept.
  Journal(runtime::Loop& loop, runtime::Store* store) : loop_{loop}, store_{store} {}

  // Hears every later event, with its id.
  void add_listener(Listener listener) { listeners_.push_back(std::move(listener)); }
  // The store is about to close.
  void forget_store() { store_ = nullptr; }

  void record(runtime::EventRecord event);
  // The same for what happened at `at`, by the loop's clock: fills in both times.
  void record_at(TimePoint at, runtime::EventRecord event);
  // Something that happened now.
  void note(runtime::EventLevel level, const std::string& source, const std::string& code,
            const std::string& text);

 private:
  runtime::Loop& loop_;
  runtime::Store* store_;
  std::vector<Listener> listeners_;
};

}  // namespace amphora::run
