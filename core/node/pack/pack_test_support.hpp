// SPDX-License-Identifier: Apache-2.0
// Packs on a bus that delivers at once, each with a BMS that answers and a store that the test can hold back.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/crc.hpp"
#include "core/node/pack/pack.hpp"

namespace amphora::node {

inline PackConfig pack_config_of(packnet::HardwareNumber hardware) {
  PackConfig config;
  config.network.hardware = hardware;
  config.network.seed = hardware;
  config.network.gate.is_sealed = false;
  config.share.seed = hardware;
  return config;
}

// What a power loss leaves.
struct PackStore {
  packnet::Node node = packnet::kNodeNone;
  std::uint64_t floor = 0;
  energy::Facts facts;
  std::map<state::SectionId, state::Record> sections;
};

class PackBed {
 public:
  struct Box {
    PackConfig config;
    PackStore store;
    std::unique_ptr<Pack> pack;  // null: without power
    bool does_bms_answer = true;
    bool is_store_held = false;
    bool does_store_fail = false;
    std::vector<PackStoreRequest> held;
    std::int32_t pack_mv = 52'000;
    std::int32_t pack_ma = 5'000;
    std::vector<PackNodeEvent> events;
    std::map<energy::Relay, energy::Position> contacts;
    energy::InverterRequest request;
  };

  std::size_t add(const PackConfig& config) {
    boxes.push_back(std::make_unique<Box>());
    boxes.back()->config = config;
    boot(boxes.size() - 1);
    return boxes.size() - 1;
  }
  void boot(std::size_t index) {
    Box& box = *boxes[index];
    PackConfig config = box.config;
    config.network.stored_node = box.store.node;
    config.network.gate.floor = box.store.floor;
    config.network.seed += ++boots;
    box.held.clear();
    box.pack = std::make_unique<Pack>(config, box.store.facts);
    for (const auto& [section, record] : box.store.sections) {
      box.pack->restore_section(now, section, record);
    }
    box.pack->handle_serial_line(now, true);
    box.pack->handle_bus_state(now, can::BusState::kActive);
  }
  void power_off(std::size_t index) { boxes[index]->pack.reset(); }

  void run(Duration duration) {
    for (const TimePoint until = now + duration; now < until; now += std::chrono::milliseconds{1}) {
      for (std::size_t i = 0; i < boxes.size(); ++i) {
        if (boxes[i]->pack) {
          step(i);
        }
      }
    }
  }
  // As from a node that is not in the bed.
  void send(const can::Frame& frame) {
    for (const auto& box : boxes) {
      if (box->pack) {
        box->pack->handle_bus_frame(now, frame);
      }
    }
  }
  void confirm_held(std::size_t index) {
    Box& box = *boxes[index];
    for (const PackStoreRequest& request : std::exchange(box.held, {})) {
      keep(box, request);
    }
  }
  Pack& pack(std::size_t index) { return *boxes[index]->pack; }

  std::vector<std::unique_ptr<Box>> boxes;
  std::vector<packnet::Acknowledgement> acknowledgements;
  std::vector<packnet::Report> reports;
  TimePoint now{std::chrono::seconds{1}};

 private:
  void step(std::size_t index) {
    Box& box = *boxes[index];
    box.pack->handle_timeout(now);
    answer_requests(box);
    for (int frames = 0; frames < 32; ++frames) {
      const auto out = box.pack->poll_bus_frame(now);
      if (!out) {
        break;
      }
      note(out->frame);
      for (std::size_t other = 0; other < boxes.size(); ++other) {
        if (other != index && boxes[other]->pack) {
          boxes[other]->pack->handle_bus_frame(now, out->frame);
        }
      }
    }
    while (const auto command = box.pack->poll_command(now)) {
      if (const auto* relay = std::get_if<energy::RelayCommand>(&*command)) {
        box.contacts[relay->relay] = relay->position;
        box.pack->handle_contact(now, relay->relay, relay->position);
      } else {
        box.request = std::get<energy::InverterRequest>(*command);
      }
    }
    while (const auto request = box.pack->poll_store(now)) {
      if (box.does_store_fail) {
        box.pack->handle_store_failed(now, *request);
      } else if (box.is_store_held) {
        box.held.push_back(*request);
      } else {
        keep(box, *request);
      }
    }
    while (const auto event = box.pack->poll_event()) {
      box.events.push_back(*event);
    }
  }

  void keep(Box& box, const PackStoreRequest& request) {
    if (const auto* node = std::get_if<StoreNode>(&request)) {
      box.store.node = node->node;
    } else if (const auto* floor = std::get_if<StoreFloor>(&request)) {
      box.store.floor = floor->floor;
    } else if (const auto* facts = std::get_if<energy::StoreRequest>(&request)) {
      box.store.facts = facts->facts;
    } else if (const auto* section = std::get_if<state::StoreRequest>(&request)) {
      box.store.sections[section->section] = section->record;
    }
    box.pack->handle_stored(now, request);
  }

  // Function 3, register 0, two words: 0.1 V, 0.01 A.
  void answer_requests(Box& box) {
    std::array<std::uint8_t, kPackSerialSizeMax> request{};
    while (box.pack->poll_serial(now, request) != 0) {
      if (!box.does_bms_answer) {
        continue;
      }
      std::array<std::uint8_t, 9> reply{request[0], request[1], 4};
      ByteWriter writer{MutableByteSpan{reply}.subspan(3)};
      writer.u16(static_cast<std::uint16_t>(box.pack_mv / 100), Endian::kBig);
      writer.i16(static_cast<std::int16_t>(box.pack_ma / 10), Endian::kBig);
      writer.u16(crc16_modbus(ByteSpan{reply}.first(7)));
      box.pack->handle_serial_bytes(now, reply);
    }
  }

  void note(const can::Frame& frame) {
    const auto message = packnet::decode(frame);
    if (!message.ok()) {
      return;
    }
    if (const auto* answer = std::get_if<packnet::Acknowledgement>(&*message)) {
      acknowledgements.push_back(*answer);
    } else if (const auto* report = std::get_if<packnet::Report>(&*message)) {
      reports.push_back(*report);
    }
  }

  std::uint64_t boots = 0;
};

}  // namespace amphora::node
