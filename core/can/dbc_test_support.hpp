// SPDX-License-Identifier: Apache-2.0
// A reader of docs/protocols/amphora.dbc for the tests that hold it to the codecs: little-endian signals,
// with or without multiplexing.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/can/frame.hpp"

namespace amphora::can {

struct Signal {
  std::string name;
  unsigned start = 0;
  unsigned length = 0;
  bool is_signed = false;
  double factor = 1;
  double offset = 0;
  int page = -1;  // of a multiplexed signal
};

struct DbcMessage {
  std::string name;
  unsigned size = 0;
  std::string sender;
  std::vector<Signal> signals;
};

using Dbc = std::map<std::uint32_t, DbcMessage>;

inline Dbc read_dbc() {
  std::ifstream file{std::filesystem::path{AMPHORA_SOURCE_DIR} / "docs" / "protocols" / "amphora.dbc"};
  EXPECT_TRUE(file.is_open());
  Dbc dbc;
  std::string line;
  DbcMessage* current = nullptr;
  while (std::getline(file, line)) {
    unsigned id = 0;
    unsigned size = 0;
    char name[64] = {};
    char sender[64] = {};
    if (std::sscanf(line.c_str(), "BO_ %u %63[a-z0-9_]: %u %63s", &id, name, &size, sender) == 4) {
      current = &dbc[id];
      *current = DbcMessage{name, size, sender, {}};
      continue;
    }
    Signal signal;
    char sign = 0;
    char multiplex[16] = {};
    if (std::sscanf(line.c_str(), " SG_ %63s %15s : %u|%u@1%c (%lf,%lf)", name, multiplex, &signal.start,
                    &signal.length, &sign, &signal.factor, &signal.offset) == 7) {
      signal.name = name;
      signal.is_signed = sign == '-';
      signal.page = multiplex[0] == 'm' ? std::atoi(multiplex + 1) : -1;
      EXPECT_NE(current, nullptr) << line;
      current->signals.push_back(signal);
      continue;
    }
    if (std::sscanf(line.c_str(), " SG_ %63s : %u|%u@1%c (%lf,%lf)", name, &signal.start, &signal.length,
                    &sign, &signal.factor, &signal.offset) == 6) {
      signal.name = name;
      signal.is_signed = sign == '-';
      EXPECT_NE(current, nullptr) << line;
      current->signals.push_back(signal);
      continue;
    }
    EXPECT_EQ(line.rfind(" SG_", 0), std::string::npos) << "not understood: " << line;
    EXPECT_NE(line.rfind("BO_ ", 0), 0U) << "not understood: " << line;
  }
  return dbc;
}

inline std::uint64_t raw_bits(const Frame& frame, const Signal& signal) {
  const auto all = load<std::uint64_t>(frame.data.data(), Endian::kLittle);
  const std::uint64_t shifted = all >> signal.start;
  return signal.length == 64 ? shifted : shifted & ((std::uint64_t{1} << signal.length) - 1);
}

inline double physical(const Frame& frame, const Signal& signal) {
  auto raw = static_cast<std::int64_t>(raw_bits(frame, signal));
  if (signal.is_signed && (raw >> (signal.length - 1)) != 0) {
    raw -= std::int64_t{1} << signal.length;
  }
  return static_cast<double>(raw) * signal.factor + signal.offset;
}

}  // namespace amphora::can
