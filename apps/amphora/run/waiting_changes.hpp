// SPDX-License-Identifier: Apache-2.0
// Changes of shared sections that people wait for: each is answered when the disk has it, when it is refused,
// or when that takes too long.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "core/sections/field.hpp"
#include "core/state/replica.hpp"
#include "runtime/http/message.hpp"
#include "runtime/http/requests.hpp"

namespace amphora::run {

// A disk may take its time; a change that waits longer is told as not stored yet.
inline constexpr Duration kStorePatience = std::chrono::seconds{10};

class WaitingChanges {
 public:
  // `owner`: whose section it is.
  void add(TimePoint now, std::uint64_t token, NodeId owner, const sections::SectionTable& table,
           runtime::http::Reply reply);
  // The table of the change that waits under this token; null: none does.
  const sections::SectionTable* table(std::uint64_t token) const;
  void refuse(std::uint64_t token, const runtime::http::Problem& problem);
  // It was made as this version; answered at once unless it has to be stored first.
  void accept(std::uint64_t token, std::uint32_t version, bool is_to_be_stored);
  void handle_store(NodeId owner, const state::ReplicaEvent& event);
  void give_up(TimePoint now);

 private:
  struct Change {
    runtime::http::Reply reply;
    const sections::SectionTable* table = nullptr;
    NodeId owner;
    std::optional<std::uint32_t> version;  // once the change is made
    TimePoint give_up_at{};
  };
  std::map<std::uint64_t, Change> changes_;  // by token
};

}  // namespace amphora::run
