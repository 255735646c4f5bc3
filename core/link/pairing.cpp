// SPDX-License-Identifier: Apache-2.0
#include "core/link/pairing.hpp"

#include <algorithm>

namespace amphora::link {

namespace {

using Kind = PairingEvent::Kind;
using Reason = PairingEvent::Reason;

// The block of BLAKE2b: the code alone is in the first one, so that the time to hash it tells nothing of what
// follows.
constexpr std::size_t kHashBlock = 128;
constexpr std::string_view kGeneratorLabel = "amphora pairing 1 generator";
constexpr std::string_view kScalarLabel = "amphora pairing 1 scalar";
constexpr std::string_view kCodeLabel = "amphora pairing 1 code";
constexpr std::string_view kAttemptLabel = "amphora pairing 1 attempt";
constexpr std::string_view kKeyLabel = "amphora pairing 1 key";

// Everything that is hashed is of fixed size, so that no two inputs read alike.
class Transcript {
 public:
  explicit Transcript(std::string_view label) {
    for (const char character : label) {
      writer_.u8(static_cast<std::uint8_t>(character));
    }
    writer_.u8(0);
  }
  Transcript& add(ByteSpan bytes) {
    writer_.bytes(bytes);
    return *this;
  }
  Transcript& add(NodeId id) { return add(to_bytes(id)); }
  Transcript& add(std::uint64_t number) {
    writer_.write(number);
    return *this;
  }
  Transcript& pad_to(std::size_t size) {
    while (writer_.size() < size) {
      writer_.u8(0);
    }
    return *this;
  }
  ~Transcript() { bytes_.fill(0); }
  Transcript(const Transcript&) = delete;
  Transcript& operator=(const Transcript&) = delete;

  crypto::Hash hash() const {
    AMPHORA_ASSERT(writer_.ok());
    return crypto::hash(writer_.written());
  }
  ByteSpan bytes() const { return writer_.written(); }

 private:
  std::array<std::uint8_t, 256> bytes_{};
  ByteWriter writer_{bytes_};
};

struct Parties {
  NodeId shower;
  NodeId enterer;
  std::uint64_t attempt;
};

crypto::Element generator_of(const Code& code, const Parties& parties) {
  std::array<std::uint8_t, kCodeSize> digits{};
  std::ranges::transform(code, digits.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  Transcript transcript{kGeneratorLabel};
  transcript.add(digits).pad_to(kHashBlock);
  transcript.add(parties.shower).add(parties.enterer).add(parties.attempt);
  return crypto::map_to_element(transcript.hash());
}

crypto::Scalar scalar_of(const PairingEntropy& entropy, std::uint64_t number) {
  Transcript transcript{kScalarLabel};
  transcript.add(entropy).add(number);
  return crypto::to_scalar(transcript.hash());
}

std::uint64_t first_number(const crypto::Hash& hash) {
  return load<std::uint64_t>(hash.data(), Endian::kLittle);
}

Confirmation confirmation_of(const crypto::Key& key, std::string_view label, ByteSpan transcript) {
  const crypto::Key whole = crypto::derive_key(key, label, transcript);
  Confirmation confirmation{};
  std::copy_n(whole.begin(), confirmation.size(), confirmation.begin());
  return confirmation;
}

// False when the other end's element is none.
bool agree(const crypto::Scalar& scalar, const crypto::Element& theirs, const Parties& parties,
           const crypto::Element& enterer, const crypto::Element& shower, PairingSecrets& out) {
  crypto::Element shared{};
  if (!crypto::multiply(scalar, theirs, shared)) {
    return false;
  }
  Transcript transcript{kKeyLabel};
  transcript.add(parties.shower).add(parties.enterer).add(parties.attempt).add(enterer).add(shower);
  Transcript secret{kKeyLabel};
  secret.add(shared).add(transcript.bytes());
  const crypto::Hash hash = secret.hash();
  std::copy_n(hash.begin(), out.key.size(), out.key.begin());
  out.shower = confirmation_of(out.key, "shower", transcript.bytes());
  out.enterer = confirmation_of(out.key, "enterer", transcript.bytes());
  out.result = confirmation_of(out.key, "result", transcript.bytes());
  out.link = crypto::derive_key(out.key, "link", transcript.bytes());
  return true;
}

}  // namespace

std::string_view to_text(Kind kind) {
  constexpr std::string_view kNames[] = {"opened", "try", "paired", "closed"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_text(Reason reason) {
  constexpr std::string_view kNames[] = {"",        "expired", "too_many_tries", "cancelled",   "wrong_code",
                                         "refused", "busy",    "no_answer",      "store_failed"};
  return kNames[static_cast<std::size_t>(reason)];
}

// ---- the end that shows the code

void PairingShower::add_event(TimePoint now, Kind kind, Reason reason) {
  (void)events_.push_overwrite(PairingEvent{now, kind, peer_, reason});
}

void PairingShower::open(TimePoint now, const PairingEntropy& entropy) {
  if (is_open_) {
    end(now, Reason::kCancelled);
  }
  entropy_ = entropy;
  Transcript transcript{kCodeLabel};
  transcript.add(entropy);
  // 2^64 is not a multiple of a million; the first codes are likelier by one part in 10^13.
  std::uint64_t number = first_number(transcript.hash());
  for (char& digit : code_) {
    digit = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  is_open_ = true;
  tries_ = 0;
  phase_ = Phase::kIdle;
  peer_ = NodeId{};
  secrets_ = PairingSecrets{};
  expires_at_ = add_saturating(now, kCodeLifetime);
  add_event(now, Kind::kOpened, Reason::kNone);
}

void PairingShower::close(TimePoint now) {
  if (is_open_) {
    end(now, Reason::kCancelled);
  }
}

// Nothing of the code and of a failed exchange remains.
void PairingShower::end(TimePoint now, Reason reason) {
  is_open_ = false;
  code_.fill('0');
  entropy_.fill(0);
  expires_at_ = kNever;
  attempt_until_ = kNever;
  secrets_ = PairingSecrets{};
  if (phase_ != Phase::kIdle) {
    outgoing_ = Outgoing{peer_, PairResult{start_.attempt, PairOutcome::kClosed, {}}};
  }
  phase_ = Phase::kIdle;
  add_event(now, Kind::kClosed, reason);
}

void PairingShower::fail_attempt(TimePoint now) {
  phase_ = Phase::kIdle;
  secrets_ = PairingSecrets{};
  attempt_until_ = kNever;
  if (tries_ >= kTriesMax) {
    end(now, Reason::kTooManyTries);
  }
}

void PairingShower::handle_start(TimePoint now, NodeId from, const PairStart& start) {
  handle_timeout(now);
  if (phase_ != Phase::kIdle && from == peer_ && start == start_) {
    ++metrics_.repeated;
    if (phase_ == Phase::kReplied) {
      outgoing_ = Outgoing{peer_, reply_};
    }
    return;
  }
  if (!is_open_) {
    ++metrics_.refused;
    outgoing_ = Outgoing{from, PairResult{start.attempt, PairOutcome::kClosed, {}}};
    return;
  }
  const bool is_other = phase_ == Phase::kReplied && from != peer_;
  if (is_other || phase_ == Phase::kToStore || phase_ == Phase::kStoring) {
    ++metrics_.refused;
    outgoing_ = Outgoing{from, PairResult{start.attempt, PairOutcome::kBusy, {}}};
    return;
  }
  if (phase_ == Phase::kReplied) {
    fail_attempt(now);  // the same box begins again: the code it had was wrong
    if (!is_open_) {
      outgoing_ = Outgoing{from, PairResult{start.attempt, PairOutcome::kClosed, {}}};
      return;
    }
  }
  reply(now, from, start);
}

void PairingShower::reply(TimePoint now, NodeId from, const PairStart& start) {
  const Parties parties{self_, from, start.attempt};
  // Fresh for every try: two exchanges must not share a scalar.
  const crypto::Scalar scalar = scalar_of(entropy_, tries_);
  crypto::Element element{};
  PairingSecrets secrets;
  if (!crypto::multiply(scalar, generator_of(code_, parties), element) ||
      !agree(scalar, start.element, parties, start.element, element, secrets)) {
    ++metrics_.refused;
    return;
  }
  ++tries_;
  ++metrics_.exchanges;
  phase_ = Phase::kReplied;
  peer_ = from;
  start_ = start;
  secrets_ = secrets;
  reply_ = PairReply{start.attempt, element, secrets.shower};
  attempt_until_ = add_saturating(now, config_.attempt_timeout);
  outgoing_ = Outgoing{peer_, reply_};
  add_event(now, Kind::kTry, Reason::kNone);
}

void PairingShower::handle_confirm(TimePoint now, NodeId from, const PairConfirm& confirm) {
  handle_timeout(now);
  if (phase_ == Phase::kIdle || from != peer_ || confirm.attempt != start_.attempt) {
    ++metrics_.refused;
    return;
  }
  if (!crypto::is_equal(confirm.confirmation, secrets_.enterer)) {
    ++metrics_.refused;
    if (phase_ == Phase::kReplied) {
      outgoing_ = Outgoing{peer_, PairResult{confirm.attempt, PairOutcome::kWrongCode, {}}};
      fail_attempt(now);
    }
    return;
  }
  if (phase_ == Phase::kReplied) {
    phase_ = Phase::kToStore;
    attempt_until_ = kNever;
    return;
  }
  ++metrics_.repeated;
  if (phase_ == Phase::kPaired) {
    outgoing_ = Outgoing{peer_, PairResult{start_.attempt, PairOutcome::kPaired, secrets_.result}};
  }
}

std::optional<PairedKey> PairingShower::poll_store() {
  if (phase_ != Phase::kToStore) {
    return std::nullopt;
  }
  phase_ = Phase::kStoring;
  return PairedKey{peer_, secrets_.link};
}

void PairingShower::handle_stored(TimePoint now, bool is_durable) {
  if (phase_ != Phase::kStoring) {
    return;
  }
  if (!is_durable) {
    end(now, Reason::kStoreFailed);
    return;
  }
  // The code is used up; what is needed to repeat the result stays for a while.
  is_open_ = false;
  code_.fill('0');
  entropy_.fill(0);
  expires_at_ = kNever;
  secrets_.key.fill(0);
  secrets_.link.fill(0);
  phase_ = Phase::kPaired;
  attempt_until_ = add_saturating(now, config_.answer_timeout);
  outgoing_ = Outgoing{peer_, PairResult{start_.attempt, PairOutcome::kPaired, secrets_.result}};
  add_event(now, Kind::kPaired, Reason::kNone);
}

void PairingShower::handle_timeout(TimePoint now) {
  // A key that is being stored is not called back; the code's end waits for the store's answer.
  if (phase_ == Phase::kToStore || phase_ == Phase::kStoring) {
    return;
  }
  if (expires_at_ <= now) {
    end(now, Reason::kExpired);
  } else if (attempt_until_ <= now) {
    if (phase_ == Phase::kPaired) {
      phase_ = Phase::kIdle;
      attempt_until_ = kNever;
      secrets_ = PairingSecrets{};
    } else {
      fail_attempt(now);
    }
  }
}

std::optional<PairingShower::Outgoing> PairingShower::poll_transmit(TimePoint now) {
  handle_timeout(now);
  const std::optional<Outgoing> outgoing = outgoing_;
  outgoing_.reset();
  return outgoing;
}

TimePoint PairingShower::poll_timeout() const {
  const bool is_storing = phase_ == Phase::kToStore || phase_ == Phase::kStoring;
  return is_storing ? kNever : earliest(expires_at_, attempt_until_);
}

// ---- the end where the code is typed

bool PairingEnterer::enter(TimePoint now, NodeId shower, std::string_view code,
                           const PairingEntropy& entropy) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (code.size() != kCodeSize || !std::ranges::all_of(code, is_digit) || shower.is_nobody() ||
      shower == kEverybody) {
    return false;
  }
  if (is_busy()) {
    end(now, Kind::kClosed, Reason::kCancelled);
  }
  Code digits{};
  std::ranges::copy(code, digits.begin());
  Transcript transcript{kAttemptLabel};
  transcript.add(entropy);
  start_.attempt = first_number(transcript.hash());
  scalar_ = scalar_of(entropy, start_.attempt);
  const Parties parties{shower, self_, start_.attempt};
  // Fails only for a scalar or generator of zero, which no entropy yields in practice; then nothing begins.
  if (!crypto::multiply(scalar_, generator_of(digits, parties), start_.element)) {
    return false;
  }
  digits.fill('0');
  phase_ = Phase::kStarted;
  peer_ = shower;
  send_at_ = now;
  gives_up_at_ = add_saturating(now, config_.answer_timeout);
  ++metrics_.exchanges;
  (void)events_.push_overwrite(PairingEvent{now, Kind::kOpened, peer_, Reason::kNone});
  return true;
}

void PairingEnterer::cancel(TimePoint now) {
  if (is_busy()) {
    end(now, Kind::kClosed, Reason::kCancelled);
  }
}

void PairingEnterer::end(TimePoint now, Kind kind, Reason reason) {
  phase_ = Phase::kIdle;
  scalar_.fill(0);
  secrets_ = PairingSecrets{};
  send_at_ = kNever;
  gives_up_at_ = kNever;
  (void)events_.push_overwrite(PairingEvent{now, kind, peer_, reason});
}

void PairingEnterer::handle_reply(TimePoint now, NodeId from, const PairReply& reply) {
  if (!is_busy() || from != peer_ || reply.attempt != start_.attempt) {
    ++metrics_.refused;
    return;
  }
  if (phase_ != Phase::kStarted) {
    // The first one decided. The shower repeats itself because it has not heard the confirmation.
    ++metrics_.repeated;
    return;
  }
  PairingSecrets secrets;
  const Parties parties{peer_, self_, start_.attempt};
  // Whoever answers has this one chance: a second one would be a second guess of the code.
  if (!agree(scalar_, reply.element, parties, start_.element, reply.element, secrets) ||
      !crypto::is_equal(reply.confirmation, secrets.shower)) {
    ++metrics_.refused;
    end(now, Kind::kClosed, Reason::kWrongCode);
    return;
  }
  secrets_ = secrets;
  scalar_.fill(0);
  phase_ = Phase::kConfirming;
  send_at_ = now;
}

void PairingEnterer::handle_result(TimePoint now, NodeId from, const PairResult& result) {
  if (!is_busy() || from != peer_ || result.attempt != start_.attempt) {
    ++metrics_.refused;
    return;
  }
  if (phase_ == Phase::kConfirming && result.outcome == PairOutcome::kPaired &&
      crypto::is_equal(result.confirmation, secrets_.result)) {
    phase_ = Phase::kToStore;
    send_at_ = kNever;
    gives_up_at_ = kNever;
    return;
  }
  if (phase_ == Phase::kToStore || phase_ == Phase::kStoring) {
    ++metrics_.repeated;
    return;
  }
  switch (result.outcome) {
    case PairOutcome::kWrongCode:
      end(now, Kind::kClosed, Reason::kWrongCode);
      return;
    case PairOutcome::kClosed:
      end(now, Kind::kClosed, Reason::kRefused);
      return;
    case PairOutcome::kBusy:
      end(now, Kind::kClosed, Reason::kBusy);
      return;
    case PairOutcome::kPaired:
      break;
  }
  ++metrics_.refused;
}

std::optional<PairedKey> PairingEnterer::poll_store() {
  if (phase_ != Phase::kToStore) {
    return std::nullopt;
  }
  phase_ = Phase::kStoring;
  return PairedKey{peer_, secrets_.link};
}

void PairingEnterer::handle_stored(TimePoint now, bool is_durable) {
  if (phase_ == Phase::kStoring) {
    end(now, is_durable ? Kind::kPaired : Kind::kClosed, is_durable ? Reason::kNone : Reason::kStoreFailed);
  }
}

void PairingEnterer::handle_timeout(TimePoint now) {
  if (gives_up_at_ <= now) {
    end(now, Kind::kClosed, Reason::kNoAnswer);
  }
}

std::optional<PairingEnterer::Outgoing> PairingEnterer::poll_transmit(TimePoint now) {
  handle_timeout(now);
  if (send_at_ > now) {
    return std::nullopt;
  }
  send_at_ = add_saturating(now, config_.retry_period);
  if (phase_ == Phase::kStarted) {
    return Outgoing{peer_, start_};
  }
  return Outgoing{peer_, PairConfirm{start_.attempt, secrets_.enterer}};
}

TimePoint PairingEnterer::poll_timeout() const {
  return earliest(send_at_, gives_up_at_);
}

}  // namespace amphora::link
