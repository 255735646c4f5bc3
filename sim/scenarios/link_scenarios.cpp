// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/link_scenarios.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "core/base/rng.hpp"
#include "sim/scenarios/draw.hpp"
#include "sim/world/wall_clock.hpp"

namespace amphora::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint8_t kSectionsEdited = 4;

// Boots, clocks: what differs from box to box in every run.
void draw_boxes(LinkPlan& plan, Rng& rng) {
  for (LinkBoxPlan& box : plan.boxes) {
    box.clock_offset = between(rng, seconds{1}, minutes{100});
    box.clock_drift_ppm = static_cast<std::int32_t>(rng.between(-50, 50));
  }
  plan.boxes[kReceiverBox].date_known_after = seconds{3};
}

void add_edit(LinkPlan& plan, Duration at, std::uint8_t box, std::uint8_t section, std::uint32_t number,
              std::uint8_t transmitter = 0) {
  plan.edits.push_back(LinkEdit{TimePoint{at}, box, transmitter, section, number});
}

// On either side in turn, at random moments within each period, section after section.
void add_edits(LinkPlan& plan, Rng& rng, Duration from, Duration until, Duration period) {
  std::uint32_t number = 1;
  for (Duration begin = from; begin + period <= until; begin += period) {
    const Duration at = begin + between(rng, Duration{}, period - milliseconds{1});
    const std::uint8_t box = number % 2 == 0 ? kReceiverBox : 0;
    add_edit(plan, at, box, static_cast<std::uint8_t>(number / 2 % kSectionsEdited), number);
    ++number;
  }
}

void plan_discovery(LinkPlan& plan, Rng& rng, const LinkScenarioOptions& options) {
  plan.receiver_channel = static_cast<std::uint8_t>(rng.between(1, 13));
  plan.boxes[0].boots_at = between(rng, seconds{1}, seconds{2});
  plan.last_channel = options.is_last_channel_right ? plan.receiver_channel : 0;
}

void plan_recovery(LinkPlan& plan, Rng& rng, const LinkScenarioOptions& options) {
  const Duration from = between(rng, seconds{10}, seconds{20});
  Duration length{};
  switch (options.event) {
    case RecoveryEvent::kReboot:
      length = between(rng, seconds{2}, seconds{10});
      add_fault(plan, LinkFaultKind::kCrash, from, length, box_parameter(kReceiverBox));
      break;
    case RecoveryEvent::kChannel:
      length = between(rng, milliseconds{500}, seconds{3});
      add_fault(plan, LinkFaultKind::kRouterChannel, from, length, 11);
      break;
    case RecoveryEvent::kHang:
      length = between(rng, seconds{20}, seconds{120});
      add_fault(plan, LinkFaultKind::kHung, from, length, box_parameter(kReceiverBox));
      break;
  }
  plan.recovers_from = TimePoint{from + length};
}

void plan_settings(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  const Duration until = plan.duration - seconds{10};
  add_edits(plan, rng, seconds{10}, until, seconds{2});
  plan.quiet = seconds{10};
}

void plan_queue(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  plan.reading_period = milliseconds{250};
  plan.first_sequence = 0xFFFF'FF00U;  // wraps after a minute
  const Duration until = plan.duration - minutes{2};
  for (Duration begin = minutes{1}; begin + minutes{2} <= until; begin += minutes{2}) {
    const Duration from = begin + between(rng, Duration{}, seconds{20});
    // 250 readings fill the queue in 62 s: about half of these are longer.
    const Duration length = between(rng, seconds{5}, seconds{100});
    const bool is_cut = rng.chance(500'000);
    add_fault(plan, is_cut ? LinkFaultKind::kAirCut : LinkFaultKind::kCrash, from, length,
              box_parameter(kReceiverBox));
  }
  plan.quiet = minutes{2};
}

void plan_receiver_first(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  plan.boxes[0].boots_at = between(rng, seconds{10}, seconds{30});
  add_edits(plan, rng, seconds{40}, seconds{50}, seconds{1});
  plan.quiet = seconds{60};
}

void plan_transmitter_first(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  plan.boxes[kReceiverBox].boots_at = between(rng, seconds{10}, seconds{30});
  add_edits(plan, rng, seconds{40}, seconds{50}, seconds{1});
  plan.quiet = seconds{60};
}

void plan_both(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  plan.boxes[0].boots_at = between(rng, Duration{}, milliseconds{50});
  plan.boxes[kReceiverBox].boots_at = between(rng, Duration{}, milliseconds{50});
  add_edits(plan, rng, seconds{5}, seconds{50}, seconds{1});
  plan.quiet = seconds{60};
}

void plan_alone_120(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  const Duration from = between(rng, seconds{20}, seconds{30});
  add_fault(plan, LinkFaultKind::kCrash, from, seconds{120}, box_parameter(kReceiverBox));
  plan.quiet = seconds{90};
}

void plan_alone_300(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  const Duration from = between(rng, seconds{20}, seconds{30});
  add_fault(plan, LinkFaultKind::kCrash, from, seconds{300}, box_parameter(kReceiverBox));
  plan.quiet = seconds{90};
}

void plan_edit_both(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  // The same section on both sides, from the same moment to half a second apart.
  std::uint32_t number = 1;
  for (Duration begin = seconds{10}; begin + seconds{3} <= plan.duration - seconds{20}; begin += seconds{3}) {
    const Duration at = begin + between(rng, Duration{}, seconds{1});
    const bool is_same_moment = rng.chance(500'000);
    const Duration apart = between(rng, Duration{}, milliseconds{500});
    const auto section = static_cast<std::uint8_t>(rng.below(kSectionsEdited));
    add_edit(plan, at, 0, section, number);
    add_edit(plan, is_same_moment ? at : at + apart, kReceiverBox, section, number + 1);
    number += 2;
  }
  plan.quiet = seconds{20};
}

void plan_edit_apart(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  add_fault(plan, LinkFaultKind::kAirCut, seconds{10}, seconds{40});
  std::uint32_t number = 1;
  for (int i = 0; i < 8; ++i) {
    const Duration at = between(rng, seconds{11}, seconds{49});
    const auto section = static_cast<std::uint8_t>(rng.below(kSectionsEdited));
    const std::uint8_t box = rng.chance(500'000) ? kReceiverBox : 0;
    add_edit(plan, at, box, section, number++);
  }
  std::sort(plan.edits.begin(), plan.edits.end(),
            [](const LinkEdit& a, const LinkEdit& b) { return a.at < b.at; });
  plan.quiet = seconds{60};
}

void plan_edit_fresh(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  // Settings are made, then one side loses its memory and boots while they are edited on either side. It
  // knows no date, and must not win with defaults or with a stamp it has used before.
  add_edits(plan, rng, seconds{5}, seconds{15}, seconds{1});
  const std::uint8_t box = rng.chance(500'000) ? kReceiverBox : 0;
  const Duration from = between(rng, seconds{20}, seconds{30});
  const Duration length = between(rng, seconds{1}, seconds{5});
  add_fault(plan, LinkFaultKind::kCrashEmpty, from, length, box_parameter(box));
  plan.boxes[kReceiverBox].date_known_after.reset();
  const auto section = static_cast<std::uint8_t>(rng.below(kSectionsEdited));
  // The first within the first second after the boot, before there is a session or just after.
  const Duration first = from + length + between(rng, milliseconds{1}, seconds{1});
  add_edit(plan, first, box, section, 1'001);
  const std::uint8_t other = box == 0 ? kReceiverBox : 0;
  const Duration second = first + between(rng, Duration{}, seconds{1});
  add_edit(plan, second, other, section, 1'002);
  plan.quiet = seconds{60};
}

void plan_two_transmitters(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  plan.transmitter_count = 2;
  plan.boxes[1].boots_at = between(rng, Duration{}, seconds{20});
  const Duration until = plan.duration - seconds{60};
  std::uint32_t number = 1;
  for (Duration begin = seconds{25}; begin + seconds{2} <= until; begin += seconds{2}) {
    const Duration at = begin + between(rng, Duration{}, seconds{1});
    const auto transmitter = static_cast<std::uint8_t>(rng.below(2));
    const std::uint8_t box = rng.chance(500'000) ? kReceiverBox : transmitter;
    const auto section = static_cast<std::uint8_t>(rng.below(kSectionsEdited));
    add_edit(plan, at, box, section, number++, transmitter);
  }
  const Duration from = between(rng, seconds{30}, seconds{40});
  add_fault(plan, LinkFaultKind::kCrash, from, seconds{5}, box_parameter(1));
  plan.quiet = seconds{60};
}

void plan_dual_battery(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  plan.cell_count = 192;
  plan.cells_period = milliseconds{200};
  add_edits(plan, rng, seconds{10}, seconds{30}, seconds{2});
  plan.quiet = seconds{30};
}

// Power goes within 40 ms after a change, on either side: while it is being written, sent, or written there.
// Readings are so frequent that some are on their way to the database.
void plan_power_cuts(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  plan.reading_period = milliseconds{100};
  const Duration until = plan.duration - seconds{60};
  std::uint32_t number = 1;
  for (Duration begin = seconds{10}; begin + seconds{6} <= until; begin += seconds{6}) {
    const Duration at = begin + between(rng, Duration{}, seconds{1});
    const std::uint8_t box = rng.chance(500'000) ? kReceiverBox : 0;
    const auto section = static_cast<std::uint8_t>(rng.below(kSectionsEdited));
    add_edit(plan, at, box, section, number++);
    const std::uint8_t victim = rng.chance(500'000) ? kReceiverBox : 0;
    const Duration after = between(rng, Duration{}, milliseconds{40});
    const Duration length = between(rng, milliseconds{200}, seconds{2});
    add_fault(plan, LinkFaultKind::kCrash, at + after, length, box_parameter(victim));
  }
  plan.quiet = seconds{60};
}

void plan_persistent_queue(LinkPlan& plan, Rng& rng, const LinkScenarioOptions&) {
  plan.is_queue_persistent = true;
  plan.reading_period = milliseconds{200};
  const Duration until = plan.duration - seconds{60};
  for (Duration begin = seconds{10}; begin + seconds{10} <= until; begin += seconds{10}) {
    const Duration from = begin + between(rng, Duration{}, seconds{5});
    const Duration length = between(rng, milliseconds{100}, seconds{2});
    add_fault(plan, LinkFaultKind::kCrash, from, length, box_parameter(0));
    const Duration cut = begin + between(rng, Duration{}, seconds{5});
    add_fault(plan, LinkFaultKind::kAirCut, cut, between(rng, seconds{1}, seconds{5}));
  }
  plan.quiet = seconds{60};
}

struct Entry {
  LinkScenario scenario;
  void (*plan)(LinkPlan&, Rng&, const LinkScenarioOptions&);
};

constexpr std::array kEntries{
    Entry{{"link-discovery", "a transmitter boots and looks for its receiver on 13 channels", seconds{12}},
          plan_discovery},
    Entry{{"link-recovery", "the receiver reboots, changes its channel or hangs (--event)", seconds{60}},
          plan_recovery},
    Entry{{"link-settings", "settings change on either side", minutes{2}}, plan_settings},
    Entry{{"link-queue", "readings through outages and power cuts", minutes{12}}, plan_queue},
    Entry{{"link-receiver-first", "boot order A: the receiver waits for its transmitter", minutes{2}},
          plan_receiver_first},
    Entry{{"link-transmitter-first", "boot order B: the transmitter looks for a receiver", minutes{2}},
          plan_transmitter_first},
    Entry{{"link-both", "boot order C: both boot at once", minutes{2}}, plan_both},
    Entry{{"link-alone-120", "the receiver is gone for 120 s", minutes{4}}, plan_alone_120},
    Entry{{"link-alone-300", "the receiver is gone for 300 s: the queue keeps the newest 250 readings",
           minutes{7}},
          plan_alone_300},
    Entry{{"link-edit-both", "both sides edit one section at the same time", minutes{2}}, plan_edit_both},
    Entry{{"link-edit-apart", "both sides edit while they do not hear each other", minutes{2}},
          plan_edit_apart},
    Entry{{"link-edit-fresh", "both sides edit while one has just booted with empty memory", minutes{2}},
          plan_edit_fresh},
    Entry{{"link-power-cuts", "power goes while settings and readings are being written", minutes{4}},
          plan_power_cuts},
    Entry{{"link-persistent-queue", "readings survive power cuts of their transmitter", minutes{4}},
          plan_persistent_queue},
    Entry{{"link-two-transmitters", "two transmitters, one receiver", minutes{3}}, plan_two_transmitters},
    Entry{{"link-dual-battery", "192 cells, five times a second", minutes{1}}, plan_dual_battery},
};

constexpr auto kScenarios = [] {
  std::array<LinkScenario, kEntries.size()> scenarios{};
  for (std::size_t i = 0; i < scenarios.size(); ++i) {
    scenarios[i] = kEntries[i].scenario;
  }
  return scenarios;
}();

// The strength of a random fault lies between the two; see LinkFaultKind for the meaning.
struct Strength {
  std::uint32_t min;
  std::uint32_t max;
  std::int64_t longest_ms;
};

constexpr Strength kStrengths[] = {
    {10'000, 700'000, 60'000},                                // kAirLoss
    {5, 3'000, 60'000},                                       // kAirBursts
    {0, 0, 120'000},                                          // kAirCut
    {0, 0, 60'000},                                           // kAirDeafReceiver
    {0, 0, 60'000},                                           // kAirDeafTransmitter
    {50, 60, 60'000},                                         // kAirWeak
    {1, 200, 60'000},                                         // kAirDelay
    {1, 200, 60'000},                                         // kAirJitter
    {10'000, 500'000, 60'000},                                // kAirDuplicate
    {10'000, 500'000, 60'000},                                // kAirCorrupt
    {1'000, 300'000, 60'000},                                 // kAirUndetected
    {10'000, 700'000, 60'000},                                // kAirSwallow
    {1, 13, 5'000},                                           // kRouterChannel
    {0, 0, 60'000},                                           // kAlwaysAcked
    {0, 0, 60'000},                                           // kNeverAcked
    {0, 0, 60'000},                                           // kSilentStatus
    {0, 0, 120'000},                                          // kHung
    {0, 0, 20'000},                                           // kStall
    {0, 0, 60'000},                                           // kCrash
    {0, 0, 60'000},                                           // kCrashEmpty
    {20, 500, 60'000},                                        // kStoreSlow
    {0, 0, 60'000},                                           // kStoreFails
    {0, 0, 120'000},                                          // kStoreTorn
    {(1U << 23U) - 100'000U, (1U << 23U) + 100'000U, 1'000},  // kClockStep
    {0, 0, 60'000},                                           // kTwin
    {0, 0, 120'000},                                          // kAttacker
};
static_assert(std::size(kStrengths) == static_cast<std::size_t>(LinkFaultKind::kCount));

void add_random_fault(LinkPlan& plan, Rng& rng) {
  const auto kind = static_cast<LinkFaultKind>(rng.below(static_cast<std::uint32_t>(LinkFaultKind::kCount)));
  const Strength strength = kStrengths[static_cast<std::size_t>(kind)];
  const Duration until_max = plan.duration - plan.quiet;
  // Half of the power cuts meet a change of a setting while it is written or sent.
  const bool is_crash = kind == LinkFaultKind::kCrash || kind == LinkFaultKind::kCrashEmpty;
  const bool is_aimed = is_crash && !plan.edits.empty() && rng.chance(500'000);
  const Duration anywhere = between(rng, Duration{}, until_max - milliseconds{20});
  const std::uint32_t aim = rng.below(static_cast<std::uint32_t>(plan.edits.size()));
  const Duration after = between(rng, Duration{}, milliseconds{40});
  const Duration aimed = is_aimed ? plan.edits[aim].at.time_since_epoch() + after : anywhere;
  const Duration from = std::min(aimed, until_max - milliseconds{20});
  const Duration length = between(rng, milliseconds{10}, milliseconds{strength.longest_ms});
  auto parameter = static_cast<std::uint32_t>(rng.between(strength.min, strength.max));
  const std::uint32_t box = rng.below(plan.transmitter_count + 1U);
  if (is_fault_of_box(kind)) {
    const std::uint8_t number = box == plan.transmitter_count ? kReceiverBox : static_cast<std::uint8_t>(box);
    parameter = box_parameter(number, parameter);
  }
  add_fault(plan, kind, from, std::min(length, until_max - from), parameter);
  // A torn record needs a power cut while it is written.
  if (kind == LinkFaultKind::kStoreTorn && !plan.edits.empty()) {
    const Duration cut_at = plan.edits[aim].at.time_since_epoch() + after;
    plan.faults.back().from = TimePoint{std::min(from, cut_at)};
    plan.faults.back().until = TimePoint{std::min(std::max(from + length, cut_at + seconds{1}), until_max)};
    add_fault(plan, LinkFaultKind::kCrash, std::min(cut_at, until_max - milliseconds{20}), milliseconds{500},
              box_parameter(static_cast<std::uint8_t>(parameter & 0xFFU)));
  }
}

void add_random_edits(LinkPlan& plan, Rng& rng) {
  const Duration until = plan.duration - plan.quiet;
  const std::int64_t count = rng.between(0, 60);
  for (std::int64_t i = 0; i < count; ++i) {
    const Duration at = between(rng, Duration{}, until);
    const auto transmitter = static_cast<std::uint8_t>(rng.below(plan.transmitter_count));
    const std::uint8_t box = rng.chance(500'000) ? kReceiverBox : transmitter;
    const auto section = static_cast<std::uint8_t>(rng.below(kSectionsEdited));
    add_edit(plan, at, box, section, static_cast<std::uint32_t>(i + 1), transmitter);
  }
  std::stable_sort(plan.edits.begin(), plan.edits.end(),
                   [](const LinkEdit& a, const LinkEdit& b) { return a.at < b.at; });
}

}  // namespace

std::span<const LinkScenario> link_scenarios() {
  return kScenarios;
}

void add_fault(LinkPlan& plan, LinkFaultKind kind, Duration from, Duration length, std::uint32_t parameter) {
  plan.faults.push_back(LinkFault{kind, TimePoint{from}, TimePoint{from + length}, parameter});
}

std::optional<LinkPlan> make_link_plan(std::string_view name, std::uint64_t seed,
                                       std::optional<Duration> duration, std::uint32_t loss_ppm,
                                       const LinkScenarioOptions& options) {
  const auto found = std::find_if(kEntries.begin(), kEntries.end(),
                                  [name](const Entry& entry) { return entry.scenario.name == name; });
  if (found == kEntries.end()) {
    return std::nullopt;
  }
  LinkPlan plan;
  plan.seed = seed;
  plan.loss_ppm = loss_ppm;
  plan.duration = duration.value_or(found->scenario.duration);
  if (!duration && found->plan == plan_recovery && options.event == RecoveryEvent::kHang) {
    plan.duration = minutes{4};
  }
  Rng rng{seed ^ 0x4C69'6E6B'0000'0000U};
  draw_boxes(plan, rng);
  found->plan(plan, rng, options);
  // A run cut short has no quiet time, and demands nothing at its end.
  if (duration && *duration < found->scenario.duration) {
    plan.quiet = Duration{};
  }
  return plan;
}

LinkPlan make_random_link_plan(std::uint64_t seed) {
  Rng rng{seed ^ 0x5377'4C69'6E6B'0000U};
  LinkPlan plan;
  plan.seed = seed;
  plan.quiet = seconds{60};
  plan.duration = plan.quiet + between(rng, seconds{30}, minutes{5});
  plan.transmitter_count = static_cast<std::uint8_t>(rng.chance(600'000) ? 1 : rng.between(2, 3));
  constexpr std::array<std::uint16_t, 4> kCells{4, 16, 96, 192};
  plan.cell_count = kCells[rng.below(kCells.size())];
  constexpr std::array<std::int64_t, 4> kReadingMs{200, 500, 1'000, 10'000};
  plan.reading_period = milliseconds{kReadingMs[rng.below(kReadingMs.size())]};
  constexpr std::array<std::int64_t, 4> kCellsMs{0, 200, 1'000, 5'000};
  plan.cells_period = milliseconds{kCellsMs[rng.below(kCellsMs.size())]};
  plan.receiver_channel = static_cast<std::uint8_t>(rng.between(1, 13));
  plan.last_channel = static_cast<std::uint8_t>(rng.between(0, 13));
  plan.is_sealed = rng.chance(500'000);
  plan.is_queue_persistent = rng.chance(300'000);
  plan.first_sequence =
      rng.chance(300'000) ? 0xFFFF'FFF0U : static_cast<std::uint32_t>(rng.between(0, 100'000));
  for (LinkBoxPlan& box : plan.boxes) {
    const bool is_near_wrap = rng.chance(250'000);
    const Duration before_wrap = between(rng, Duration{}, plan.duration);
    box.clock_offset = is_near_wrap ? offset_before_wrap(before_wrap) : seconds{1} + before_wrap;
    box.clock_drift_ppm = static_cast<std::int32_t>(rng.between(-200, 200));
    box.boots_at = between(rng, Duration{}, seconds{20});
    if (rng.chance(400'000)) {
      box.date_known_after = between(rng, Duration{}, seconds{60});
    }
    const bool is_date_wrong = rng.chance(200'000);
    const Duration error = between(rng, -minutes{60}, minutes{60});
    box.date_error = is_date_wrong ? error : Duration{};
  }
  plan.air.tries_max = static_cast<std::uint32_t>(rng.between(5, 11));
  plan.air.switch_max = between(rng, milliseconds{1}, milliseconds{10});
  plan.air.leak_ppm = rng.chance(300'000) ? static_cast<std::uint32_t>(rng.between(10'000, 500'000)) : 0;
  plan.air.drops_repeats = rng.chance(300'000);
  plan.loss_ppm = rng.chance(300'000) ? static_cast<std::uint32_t>(rng.between(1'000, 200'000)) : 0;
  add_random_edits(plan, rng);
  const std::int64_t fault_count = rng.between(1, 12);
  for (std::int64_t i = 0; i < fault_count; ++i) {
    add_random_fault(plan, rng);
  }
  // Whoever can forge frames, be it noise or a box with a copied address, is held off by the seal only.
  const bool needs_seal = std::any_of(plan.faults.begin(), plan.faults.end(), [](const LinkFault& fault) {
    return fault.kind == LinkFaultKind::kAirUndetected || fault.kind == LinkFaultKind::kAttacker ||
           fault.kind == LinkFaultKind::kTwin;
  });
  plan.is_sealed = plan.is_sealed || needs_seal;
  plan.is_paired = plan.is_sealed || rng.chance(500'000);
  return plan;
}

}  // namespace amphora::sim
