// SPDX-License-Identifier: Apache-2.0
#include "sim/cli/sim_cli.hpp"

#include <unistd.h>

#include <charconv>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>

#include "sim/scenarios/scenario.hpp"
#include "sim/scenarios/swarm.hpp"

namespace amphora::sim {

namespace {

constexpr std::uint64_t kSeedsMax = 1'000'000;
constexpr double kHoursPerDay = 24;
constexpr double kHoursMax = 24 * 366;
constexpr double kMicrosecondsPerHour = 3.6e9;
constexpr double kPartsPerMillion = 1e6;

constexpr const char* kUsage =
    "usage: sim list\n"
    "       sim SCENARIO [--seed N] [--seeds K] [--hours H] [--loss P] [--event E] [--last-channel C]\n"
    "                    [--count N] [--days D] [--mode M] [--json] [--trace]\n"
    "       sim swarm [--seeds N] [--from S] [--world W] [--json] [--trace]\n"
    "       sim replay --seed N [--world W] [--faults MASK] [--until-ms T] [--trace]\n"
    "\n"
    "  --seed N     the (first) seed; the same seed gives the same run, to the byte\n"
    "  --seeds K    run seeds N to N+K-1 and merge their figures\n"
    "  --from S     the first seed of a swarm\n"
    "  --hours H    virtual hours, for example 0.5\n"
    "  --days D     the same in days, for example 365\n"
    "  --loss P     share of serial replies and CAN frames lost, 0 to 1; on the air of each frame,\n"
    "               that is of each try of the radio and of each of its acknowledgements;\n"
    "               among packs of each CAN frame at each receiver\n"
    "  --event E    of link-recovery: reboot, channel or hang\n"
    "  --last-channel C  of link-discovery: what the transmitter remembers, right or unknown\n"
    "  --count N    of the packs scenarios: how many packs, 1 to 32 (whole packs: 1 to 8)\n"
    "  --mode M     of a house: its modes, joined by +: self-consumption, eco, time-of-use, backup,\n"
    "               import-limit, or none\n"
    "  --world W    gateway, link, packs, house or pack; as each seed says when left out\n"
    "  --json       one JSON object on stdout\n"
    "  --trace      the last events on stderr\n"
    "  --faults M   which of the plan's random faults stay, as a number (0x5: the first and the third)\n"
    "  --until-ms T end of a replay in virtual milliseconds\n";

struct Arguments {
  std::string_view command;
  std::optional<std::uint64_t> seed;
  std::optional<std::uint64_t> seeds;
  std::optional<std::uint64_t> from;
  std::optional<std::uint64_t> faults;
  std::optional<std::uint64_t> until_ms;
  std::optional<std::uint64_t> count;
  std::optional<double> hours;
  std::optional<double> days;
  std::optional<double> loss;
  std::optional<WorldKind> world;
  LinkScenarioOptions link;
  HouseScenarioOptions house;
  bool json = false;
  bool trace = false;
  bool help = false;
};

int complain(std::string_view argument, std::string_view reason) {
  std::fprintf(stderr, "amphora sim: %.*s: %.*s\n", static_cast<int>(argument.size()), argument.data(),
               static_cast<int>(reason.size()), reason.data());
  return 2;
}

std::optional<std::uint64_t> parse_whole(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) {
    text.remove_prefix(2);
    base = 16;
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> parse_decimal(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// Where the value of a whole-number option goes; null for other options.
std::optional<std::uint64_t>* whole_target(Arguments& parsed, std::string_view option) {
  if (option == "--seed") {
    return &parsed.seed;
  }
  if (option == "--seeds") {
    return &parsed.seeds;
  }
  if (option == "--from") {
    return &parsed.from;
  }
  if (option == "--faults") {
    return &parsed.faults;
  }
  if (option == "--count") {
    return &parsed.count;
  }
  return option == "--until-ms" ? &parsed.until_ms : nullptr;
}

// Likewise of an option whose value has decimals.
std::optional<double>* decimal_target(Arguments& parsed, std::string_view option) {
  if (option == "--hours") {
    return &parsed.hours;
  }
  if (option == "--days") {
    return &parsed.days;
  }
  return option == "--loss" ? &parsed.loss : nullptr;
}

bool take_flag(Arguments& parsed, std::string_view argument) {
  if (argument == "--json") {
    parsed.json = true;
  } else if (argument == "--trace") {
    parsed.trace = true;
  } else if (argument == "--help" || argument == "-h") {
    parsed.help = true;
  } else {
    return false;
  }
  return true;
}

// Options whose value is a word. 0, or the exit code after a complaint.
int take_word(Arguments& parsed, std::string_view option, std::string_view value) {
  if (option == "--event") {
    if (value != "reboot" && value != "channel" && value != "hang") {
      return complain(option, "must be reboot, channel or hang");
    }
    parsed.link.event = value == "reboot"    ? RecoveryEvent::kReboot
                        : value == "channel" ? RecoveryEvent::kChannel
                                             : RecoveryEvent::kHang;
    return 0;
  }
  if (option == "--last-channel") {
    if (value != "right" && value != "unknown") {
      return complain(option, "must be right or unknown");
    }
    parsed.link.is_last_channel_right = value == "right";
    return 0;
  }
  if (option == "--mode") {
    parsed.house.modes = parse_modes(value);
    return parsed.house.modes ? 0
                              : complain(option,
                                         "must be none, or self-consumption, eco, time-of-use, backup and "
                                         "import-limit joined by +");
  }
  for (const WorldKind world :
       {WorldKind::kGateway, WorldKind::kLink, WorldKind::kPacks, WorldKind::kHouse, WorldKind::kPack}) {
    if (value == to_text(world)) {
      parsed.world = world;
      return 0;
    }
  }
  return complain(option, "must be gateway, link, packs, house or pack");
}

bool is_word_option(std::string_view option) {
  return option == "--event" || option == "--last-channel" || option == "--world" || option == "--mode";
}

// 0, or the exit code after a complaint.
int parse(std::span<const std::string_view> arguments, Arguments& parsed) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (take_flag(parsed, argument)) {
      continue;
    }
    if (!argument.starts_with("-")) {
      if (!parsed.command.empty()) {
        return complain(argument, "only one scenario at a time");
      }
      parsed.command = argument;
      continue;
    }
    std::optional<std::uint64_t>* whole = whole_target(parsed, argument);
    std::optional<double>* fraction = decimal_target(parsed, argument);
    if (whole == nullptr && fraction == nullptr && !is_word_option(argument)) {
      return complain(argument, "unknown option; see --help");
    }
    if (i + 1 == arguments.size()) {
      return complain(argument, "a value is missing");
    }
    const std::string_view value = arguments[++i];
    if (is_word_option(argument)) {
      const int code = take_word(parsed, argument, value);
      if (code != 0) {
        return code;
      }
    } else if (whole != nullptr) {
      *whole = parse_whole(value);
      if (!*whole) {
        return complain(argument, "must be a whole number from 0 to 18446744073709551615");
      }
    } else {
      *fraction = parse_decimal(value);
      if (!*fraction) {
        return complain(argument, "must be a number");
      }
    }
  }
  return 0;
}

int check_ranges(const Arguments& parsed) {
  if (parsed.seeds && (*parsed.seeds == 0 || *parsed.seeds > kSeedsMax)) {
    return complain("--seeds", "must be 1 to 1000000");
  }
  if (parsed.hours && (*parsed.hours <= 0 || *parsed.hours > kHoursMax)) {
    return complain("--hours", "must be above 0 and at most 8784");
  }
  if (parsed.days && (*parsed.days <= 0 || *parsed.days > kHoursMax / kHoursPerDay)) {
    return complain("--days", "must be above 0 and at most 366");
  }
  if (parsed.days && parsed.hours) {
    return complain("--days", "only one of --days and --hours");
  }
  if (parsed.loss && (*parsed.loss < 0 || *parsed.loss > 1)) {
    return complain("--loss", "must be 0 to 1");
  }
  if (parsed.count && (*parsed.count == 0 || *parsed.count > kPacksMax)) {
    return complain("--count", "must be 1 to 32");
  }
  if (parsed.until_ms && *parsed.until_ms > static_cast<std::uint64_t>(kHoursMax * 3.6e6)) {
    return complain("--until-ms", "must be at most 8784 hours");
  }
  return 0;
}

void print_lines(std::FILE* to, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    std::fprintf(to, "%s\n", line.c_str());
  }
}

std::string text_of(const Violation& violation) {
  char text[256];
  std::snprintf(text, sizeof text, "invariant %d at %" PRId64 " ms: %s (a = %" PRId64 ", b = %" PRId64 ")",
                violation.invariant, to_milliseconds(violation.at.time_since_epoch()), violation.rule,
                violation.a, violation.b);
  return text;
}

// A number in units of 1/divisor with as many decimals as it needs.
std::string decimal(std::int64_t value, std::int64_t divisor) {
  char text[64];
  std::snprintf(text, sizeof text, "%.10g", static_cast<double>(value) / static_cast<double>(divisor));
  return text;
}

std::string json_of(const Breakdown& parts, std::int64_t divisor) {
  std::string json = "{";
  for (const Part& part : parts) {
    json += (json.size() == 1 ? "\"" : ",\"") + std::string{part.name} + "\":" + decimal(part.value, divisor);
  }
  return json + "}";
}

std::string json_of(const Table& table, std::int64_t divisor) {
  std::string json = "{";
  for (const Row& row : table) {
    json += (json.size() == 1 ? "\"" : ",\"") + row.name + "\":" + json_of(row.parts, divisor);
  }
  return json + "}";
}

std::string json_of(const Figure& figure) {
  if (const auto* number = std::get_if<std::int64_t>(&figure.value)) {
    return decimal(*number, figure.divisor);
  }
  if (const auto* parts = std::get_if<Breakdown>(&figure.value)) {
    return json_of(*parts, figure.divisor);
  }
  if (const auto* table = std::get_if<Table>(&figure.value)) {
    return json_of(*table, figure.divisor);
  }
  const Histogram& histogram = std::get<Histogram>(figure.value);
  return "{\"p50\":" + decimal(histogram.percentile(500), figure.divisor) +
         ",\"p99\":" + decimal(histogram.percentile(990), figure.divisor) +
         ",\"max\":" + decimal(histogram.max(), figure.divisor) +
         ",\"count\":" + std::to_string(histogram.count()) + "}";
}

std::string hexadecimal(std::uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "%016" PRIx64, value);
  return text;
}

std::string options_json(const RunReport& report, const Options& options) {
  std::string json = "{\"loss\":" + decimal(options.loss_ppm, 1'000'000);
  if (report.scenario == "link-recovery") {
    constexpr std::string_view kEvents[] = {"reboot", "channel", "hang"};
    json += ",\"event\":\"" + std::string{kEvents[static_cast<std::size_t>(options.link.event)]} + "\"";
  }
  if (report.scenario == "link-discovery") {
    json += std::string{",\"last_channel\":\""} + (options.link.is_last_channel_right ? "right" : "unknown") +
            "\"";
  }
  if (report.scenario.starts_with("packs") && options.packs.count) {
    json += ",\"count\":" + std::to_string(*options.packs.count);
  }
  if (options.house.modes) {
    json += ",\"mode\":\"" + modes_text(*options.house.modes) + "\"";
  }
  return json + "}";
}

std::string json_of(const RunReport& report, const Options& options) {
  char text[64];
  std::string json = "{\"scenario\":\"" + std::string{report.scenario} + "\"";
  json += ",\"seed\":" + std::to_string(report.seed) + ",\"seeds\":" + std::to_string(report.seeds);
  json += ",\"hours\":" + decimal(report.duration.count(), 3'600'000'000);
  json += ",\"options\":" + options_json(report, options);
  json += ",\"figures\":{";
  for (std::size_t i = 0; i < report.figures.size(); ++i) {
    json +=
        (i == 0 ? "\"" : ",\"") + std::string{report.figures[i].name} + "\":" + json_of(report.figures[i]);
  }
  std::snprintf(text, sizeof text, "%.0f", report.speed);
  json += "},\"violations\":" + std::to_string(report.violation_count);
  json += ",\"digest\":\"" + hexadecimal(report.digest) + "\",\"speed\":" + text + "}";
  return json;
}

// One line for each part, one column for each row: rows are few, parts are many and narrow.
void print_table(const Figure& figure, const Table& table) {
  std::printf("  %.*s\n", static_cast<int>(figure.name.size()), figure.name.data());
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::printf("    [%zu] %s\n", i + 1, table[i].name.c_str());
  }
  std::printf("    %-16s", "");
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::printf(" %10s", ("[" + std::to_string(i + 1) + "]").c_str());
  }
  std::printf("\n");
  for (std::size_t k = 0; !table.empty() && k < table.front().parts.size(); ++k) {
    const std::string_view name = table.front().parts[k].name;
    std::printf("    %-16.*s", static_cast<int>(name.size()), name.data());
    for (const Row& row : table) {
      std::printf(" %10s", decimal(row.parts[k].value, figure.divisor).c_str());
    }
    std::printf("\n");
  }
}

void print_text(const RunReport& report) {
  std::printf("%.*s  seed %" PRIu64 ", %" PRIu64 " run%s of %s h\n", static_cast<int>(report.scenario.size()),
              report.scenario.data(), report.seed, report.seeds, report.seeds == 1 ? "" : "s",
              decimal(report.duration.count(), 3'600'000'000).c_str());
  for (const Figure& figure : report.figures) {
    if (const auto* histogram = std::get_if<Histogram>(&figure.value)) {
      std::printf("  %-28.*s p50 %s  p99 %s  max %s  (%" PRIu64 ")\n", static_cast<int>(figure.name.size()),
                  figure.name.data(), decimal(histogram->percentile(500), figure.divisor).c_str(),
                  decimal(histogram->percentile(990), figure.divisor).c_str(),
                  decimal(histogram->max(), figure.divisor).c_str(), histogram->count());
    } else if (const auto* parts = std::get_if<Breakdown>(&figure.value)) {
      std::printf("  %.*s\n", static_cast<int>(figure.name.size()), figure.name.data());
      for (const Part& part : *parts) {
        std::printf("    %-26.*s %s\n", static_cast<int>(part.name.size()), part.name.data(),
                    decimal(part.value, figure.divisor).c_str());
      }
    } else if (const auto* table = std::get_if<Table>(&figure.value)) {
      print_table(figure, *table);
    } else {
      std::printf("  %-28.*s %s\n", static_cast<int>(figure.name.size()), figure.name.data(),
                  json_of(figure).c_str());
    }
  }
  std::printf("  violations %" PRIu64 "  digest %s  %.0f times real time\n", report.violation_count,
              hexadecimal(report.digest).c_str(), report.speed);
}

int run_list() {
  for (const ScenarioInfo& info : list()) {
    std::printf("%-22.*s %.*s (%s h)\n", static_cast<int>(info.name.size()), info.name.data(),
                static_cast<int>(info.summary.size()), info.summary.data(),
                decimal(info.duration.count(), 3'600'000'000).c_str());
  }
  std::printf("%-22s %s\n", "swarm", "random boxes with random faults, until an invariant breaks");
  return 0;
}

int run_scenario(const Arguments& parsed) {
  Options options;
  options.seed = parsed.seed.value_or(1);
  options.seeds = parsed.seeds.value_or(1);
  options.trace = parsed.trace;
  options.link = parsed.link;
  if (parsed.count) {
    options.packs.count = static_cast<std::uint8_t>(*parsed.count);
  }
  options.house = parsed.house;
  if (parsed.hours) {
    options.duration = Duration{std::llround(*parsed.hours * kMicrosecondsPerHour)};
  } else if (parsed.days) {
    options.duration = Duration{std::llround(*parsed.days * kHoursPerDay * kMicrosecondsPerHour)};
  }
  options.loss_ppm = static_cast<std::uint32_t>(std::llround(parsed.loss.value_or(0) * kPartsPerMillion));
  const std::optional<RunReport> report = run(parsed.command, options);
  if (!report) {
    return complain(parsed.command, "no such scenario; `sim list` names them");
  }
  if (parsed.json) {
    std::printf("%s\n", json_of(*report, options).c_str());
  } else {
    print_text(*report);
  }
  if (parsed.trace || report->violation_count > 0) {
    print_lines(stderr, report->trace);
  }
  for (const Violation& violation : report->violations) {
    std::fprintf(stderr, "seed %" PRIu64 ": %s\n", report->failed_seed, text_of(violation).c_str());
  }
  return report->violation_count == 0 ? 0 : 1;
}

void print_progress(std::uint64_t done, std::uint64_t seeds) {
  std::fprintf(stderr, "\r%" PRIu64 "/%" PRIu64 " seeds", done, seeds);
  if (done == seeds) {
    std::fprintf(stderr, "\n");
  }
}

void print_faults(const std::vector<FaultLine>& faults) {
  for (const FaultLine& fault : faults) {
    const std::string_view name = fault.name;
    std::fprintf(stderr, "  fault %.*s from %" PRId64 " ms to %" PRId64 " ms, parameter %" PRIu32 "\n",
                 static_cast<int>(name.size()), name.data(), to_milliseconds(fault.from.time_since_epoch()),
                 to_milliseconds(fault.until.time_since_epoch()), fault.parameter);
  }
}

int run_swarm_command(const Arguments& parsed) {
  SwarmOptions options;
  options.from = parsed.from.value_or(parsed.seed.value_or(1));
  options.seeds = parsed.seeds.value_or(100);
  options.world = parsed.world;
  options.progress = isatty(STDERR_FILENO) != 0 ? &print_progress : nullptr;
  const SwarmReport report = run_swarm(options);
  const std::optional<SwarmFailure>& failure = report.first_failure;
  if (parsed.json) {
    std::string first = "null";
    if (failure) {
      first = "{\"seed\":" + std::to_string(failure->seed) +
              ",\"invariant\":" + std::to_string(failure->violation.invariant) +
              ",\"at_ms\":" + std::to_string(to_milliseconds(failure->violation.at.time_since_epoch())) + "}";
    }
    std::printf("{\"seeds\":%" PRIu64 ",\"violations\":%" PRIu64 ",\"first_failure\":%s,\"digest\":\"%s\"}\n",
                report.seeds, report.violation_count, first.c_str(), hexadecimal(report.digest).c_str());
  } else {
    std::printf("swarm  %" PRIu64 " seeds from %" PRIu64 ", violations %" PRIu64
                ", digest %s, %.0f times real time\n",
                report.seeds, options.from, report.violation_count, hexadecimal(report.digest).c_str(),
                report.speed);
  }
  if (!failure) {
    return 0;
  }
  print_lines(stderr, failure->trace);
  std::fprintf(stderr, "seed %" PRIu64 ": %s\nshrunk to:\n", failure->seed,
               text_of(failure->violation).c_str());
  print_faults(failure->faults);
  const std::string_view world = to_text(failure->shrunk.world.value_or(world_of(failure->shrunk.seed)));
  std::fprintf(stderr,
               "  run again: sim replay --seed %" PRIu64 " --world %.*s --faults 0x%" PRIx64
               " --until-ms %" PRId64 "\n",
               failure->shrunk.seed, static_cast<int>(world.size()), world.data(), failure->shrunk.fault_mask,
               to_milliseconds(failure->shrunk.until.value_or(Duration{})) + 1);
  return 1;
}

int run_replay(const Arguments& parsed) {
  if (!parsed.seed) {
    return complain("replay", "needs --seed N");
  }
  Excerpt excerpt;
  excerpt.seed = *parsed.seed;
  excerpt.world = parsed.world;
  excerpt.fault_mask = parsed.faults.value_or(~std::uint64_t{0});
  if (parsed.until_ms) {
    excerpt.until = Duration{static_cast<std::int64_t>(*parsed.until_ms) * 1000};
  }
  const ReplayReport report = replay(excerpt);
  print_faults(report.faults);
  if (parsed.trace || report.violation) {
    print_lines(stderr, report.trace);
  }
  std::printf("replay  seed %" PRIu64 ", violations %" PRIu64 ", digest %s\n", excerpt.seed,
              report.violation_count, hexadecimal(report.digest).c_str());
  if (report.violation) {
    std::fprintf(stderr, "seed %" PRIu64 ": %s\n", excerpt.seed, text_of(*report.violation).c_str());
    return 1;
  }
  return 0;
}

}  // namespace

int sim_main(std::span<const std::string_view> arguments) {
  Arguments parsed;
  const int parse_code = parse(arguments, parsed);
  if (parse_code != 0) {
    return parse_code;
  }
  if (parsed.help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const int range_code = check_ranges(parsed);
  if (range_code != 0) {
    return range_code;
  }
  if (parsed.command.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (parsed.command == "list") {
    return run_list();
  }
  if (parsed.command == "swarm") {
    return run_swarm_command(parsed);
  }
  return parsed.command == "replay" ? run_replay(parsed) : run_scenario(parsed);
}

}  // namespace amphora::sim
