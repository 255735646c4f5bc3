// SPDX-License-Identifier: Apache-2.0
// Any order of inputs into both ends of a pairing: nothing asserts, polling ends, no more tries than allowed,
// and a key at the enterer is always the shower's.
//
// Input: records of 1 byte operation, 1 byte time step (100 ms; for operations from 0xC0 on 10 s), then what
// the operation needs; missing bytes read as zero. Some operations hand over what the other end said last,
// whole or with one byte altered.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/link/pairing.hpp"

namespace {

using namespace amphora;
using namespace amphora::link;

constexpr NodeId kShower{1};
constexpr NodeId kEnterer{2};

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

struct Bench {
  PairingShower shower{kShower};
  PairingEnterer enterer{kEnterer};
  TimePoint now{std::chrono::seconds{1}};
  std::optional<ShowerMessage> said;
  std::optional<EntererMessage> asked;
  std::optional<crypto::Key> shower_key;
  std::optional<crypto::Key> enterer_key;
  std::uint8_t rounds = 0;
};

PairingEntropy next_entropy(Bench& bench) {
  PairingEntropy entropy{};
  entropy[0] = ++bench.rounds;
  return entropy;
}

void give_enterer(Bench& bench, ByteReader& reader, bool is_altered) {
  if (!bench.said) {
    return;
  }
  const std::uint8_t mask = is_altered ? reader.u8() : std::uint8_t{0};
  const std::size_t at = is_altered ? reader.u8() : std::size_t{0};
  if (const auto* said = std::get_if<PairReply>(&*bench.said)) {
    PairReply reply = *said;
    (at < 32 ? reply.element[at] : reply.confirmation[at % kConfirmationSize]) ^= mask;
    bench.enterer.handle_reply(bench.now, kShower, reply);
    return;
  }
  PairResult result = std::get<PairResult>(*bench.said);
  result.confirmation[at % kConfirmationSize] ^= mask;
  bench.enterer.handle_result(bench.now, kShower, result);
}

void give_shower(Bench& bench, ByteReader& reader, bool is_altered) {
  if (!bench.asked) {
    return;
  }
  const std::uint8_t mask = is_altered ? reader.u8() : std::uint8_t{0};
  const std::size_t at = is_altered ? reader.u8() : std::size_t{0};
  const NodeId from{kEnterer.value + (at >= 0xF0 ? 1U : 0U)};
  if (const auto* asked = std::get_if<PairStart>(&*bench.asked)) {
    PairStart start = *asked;
    start.element[at % start.element.size()] ^= mask;
    bench.shower.handle_start(bench.now, from, start);
    return;
  }
  PairConfirm confirm = std::get<PairConfirm>(*bench.asked);
  confirm.confirmation[at % kConfirmationSize] ^= mask;
  bench.shower.handle_confirm(bench.now, from, confirm);
}

void give(Bench& bench, ByteReader& reader, std::uint8_t operation) {
  switch (operation % 9) {
    case 0:
      bench.shower.open(bench.now, next_entropy(bench));
      return;
    case 1: {
      const auto code = bench.shower.code();
      std::string typed = code ? std::string{code->begin(), code->end()} : std::string{"123456"};
      typed[0] = static_cast<char>(typed[0] + reader.u8() % 2);
      (void)bench.enterer.enter(bench.now, kShower, typed, next_entropy(bench));
      return;
    }
    case 2:
      give_shower(bench, reader, false);
      return;
    case 3:
      give_enterer(bench, reader, false);
      return;
    case 4:
      give_shower(bench, reader, true);
      return;
    case 5:
      give_enterer(bench, reader, true);
      return;
    case 6:
      bench.shower.handle_stored(bench.now, reader.u8() % 4 != 0);
      return;
    case 7:
      bench.enterer.handle_stored(bench.now, reader.u8() % 4 != 0);
      return;
    default:
      reader.u8() % 2 == 0 ? bench.shower.close(bench.now) : bench.enterer.cancel(bench.now);
      return;
  }
}

void drain(Bench& bench) {
  int polls = 0;
  while (const auto outgoing = bench.shower.poll_transmit(bench.now)) {
    require(++polls < 10);
    bench.said = outgoing->message;
  }
  while (const auto outgoing = bench.enterer.poll_transmit(bench.now)) {
    require(++polls < 10);
    bench.asked = outgoing->message;
  }
  if (const auto key = bench.shower.poll_store()) {
    bench.shower_key = key->key;
  }
  if (const auto key = bench.enterer.poll_store()) {
    require(bench.shower_key && *bench.shower_key == key->key);
    bench.enterer_key = key->key;
  }
  while (bench.shower.poll_event() || bench.enterer.poll_event()) {
    require(++polls < 30);
  }
  require(bench.shower.tries_left() <= kTriesMax);
  require(bench.shower.poll_timeout() > bench.now && bench.enterer.poll_timeout() > bench.now);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader{ByteSpan{data, size}};
  Bench bench;
  while (reader.remaining() > 0) {
    const std::uint8_t operation = reader.u8();
    const std::uint8_t step = reader.u8();
    bench.now += std::chrono::milliseconds{operation >= 0xC0 ? step * 10'000 : step * 100};
    bench.shower.handle_timeout(bench.now);
    bench.enterer.handle_timeout(bench.now);
    give(bench, reader, operation);
    drain(bench);
  }
  return 0;
}
