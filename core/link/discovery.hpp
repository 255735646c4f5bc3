// SPDX-License-Identifier: Apache-2.0
// Finding the receiver: the transmitter sweeps the channels with probes until one is answered.
//
// The house's router decides on which channel the receiver listens, so the transmitter must come to it. On
// each channel it sends up to two broadcast probes (four when a sweep begins at home) and waits just as long
// as an answer can take. The last good channel goes first, then 1, 6 and 11, where most routers are, then the
// rest; a sweep that begins because a peer went silent visits the home channel once more at its end. The
// answer names the receiver's channel, because a probe is also heard on neighbouring channels; late answers
// count. Sweeps repeat with a growing, jittered pause, so that a transmitter alone does not burn air time.
//
//   start --> tune channel --> probe --> wait --> probe --> wait --> next channel … pause --> sweep again
//                                \________ answer __________/--> found
//
// Inputs: how tuning and sending ended, answers. Outputs: one Action at a time (tune or probe), the event
// Found. A radio that never reports is helped by a time-out. Bad answers (another sequence, channel 0 or
// above 14) are counted and dropped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/machine.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/link/radio.hpp"

namespace amphora::link {

// Channels 1 to 13 as a bit mask, bit 0 unused.
inline constexpr std::uint16_t kChannels1To13 = 0x3FFE;

struct DiscoveryConfig {
  std::uint16_t channels = kChannels1To13;  // as the regulatory domain allows
  std::uint8_t probes_per_channel = 2;
  // At the first visit to the last good channel. Where a tenth of the frames is lost, two probes miss the
  // receiver one time in a hundred, and then a whole sweep goes by.
  std::uint8_t home_probes = 4;
  // From a probe's end to its answer: 0.7 ms on the air and what the receiver needs to think.
  Duration answer_wait = std::chrono::milliseconds{7};
  Duration pause_min = std::chrono::milliseconds{40};
  Duration pause_max = std::chrono::milliseconds{2000};
  // A radio that did not report tuning or sending for so long is asked again.
  Duration radio_patience = std::chrono::milliseconds{250};
};

class Discovery {
 public:
  struct Action {
    enum class Kind : std::uint8_t { kTune, kProbe } kind = Kind::kTune;
    std::uint8_t channel = 0;
    std::uint32_t sequence = 0;  // of a probe
  };
  struct Found {
    std::uint8_t channel = 0;
    Duration took{};
  };
  struct Statistics {
    std::uint64_t probes_sent = 0;
    std::uint64_t sweeps = 0;  // completed without an answer
    std::uint64_t found = 0;
    std::uint64_t bad_answers = 0;
  };

  Discovery(const DiscoveryConfig& config, Rng rng);

  // Begins a sweep; `home` is the last good channel, 0 if there is none. Going on already: no effect.
  void start(TimePoint now, std::uint8_t home);
  // The last one found did not turn out to be our peer: go on where the sweep was left.
  void resume(TimePoint now);
  void stop();

  void handle_tuned(TimePoint now, bool is_done);
  void handle_sent(TimePoint now);
  // `channel` is the receiver's own. True when this answer ended the search.
  bool handle_answer(TimePoint now, std::uint32_t sequence, std::uint8_t channel);
  void handle_timeout(TimePoint now);

  std::optional<Action> poll_transmit(TimePoint now);
  std::optional<Found> poll_event();
  TimePoint poll_timeout() const { return due_; }

  bool is_searching() const { return step_ != Step::kIdle; }
  const Statistics& statistics() const { return statistics_; }

 private:
  enum class Step : std::uint8_t { kIdle, kTune, kTuning, kProbe, kProbing, kWaiting, kPause };
  // The home channel comes twice.
  static constexpr std::size_t kPlanMax = kChannelMax + 1;

  void plan(std::uint8_t home);
  void begin_channel(TimePoint now);
  void next_channel(TimePoint now);
  Duration pause();

  DiscoveryConfig config_;
  Rng rng_;
  Step step_ = Step::kIdle;
  TimePoint due_ = kNever;
  TimePoint started_at_{};
  std::array<std::uint8_t, kPlanMax> plan_{};
  std::size_t plan_size_ = 0;
  std::size_t plan_index_ = 0;
  bool is_home_first_ = false;  // the plan begins with the last good channel
  std::uint8_t probes_left_ = 0;
  std::uint32_t fruitless_sweeps_ = 0;
  std::uint32_t sequence_;
  std::uint32_t sequence_first_;  // of this search: answers to earlier ones are too old
  std::optional<Found> found_;
  Statistics statistics_;
};

static_assert(Machine<Discovery>);

}  // namespace amphora::link
