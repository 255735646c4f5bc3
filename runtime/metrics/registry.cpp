// SPDX-License-Identifier: Apache-2.0
#include "runtime/metrics/registry.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/assert.hpp"

namespace amphora::runtime {

namespace {

bool is_name(std::string_view text, bool colon_allowed) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (text.empty() || !(is_letter(text[0]) || (colon_allowed && text[0] == ':'))) {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || (colon_allowed && c == ':');
  });
}

// Exposition format: backslash and line feed everywhere, the quote in label values.
std::string escape(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value > 0 ? "+Inf" : "-Inf";
  }
  char text[40];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return error == std::errc{} ? std::string{text, end} : std::string{"NaN"};
}

std::string key_of(const MetricLabels& labels) {
  std::string key;
  for (const auto& [name, value] : labels) {
    AMPHORA_ASSERT(is_name(name, false));
    key += (key.empty() ? "" : ",") + name + "=\"" + escape(value, true) + "\"";
  }
  return key;
}

void append_line(std::string& out, const std::string& name, const std::string& labels,
                 const std::string& value) {
  out += name;
  if (!labels.empty()) {
    out += "{" + labels + "}";
  }
  out += " " + value + "\n";
}

}  // namespace

void MetricsRegistry::declare(std::string name, Kind kind, std::string help,
                              std::vector<double> bucket_bounds) {
  AMPHORA_ASSERT(is_name(name, true));
  AMPHORA_ASSERT(std::is_sorted(bucket_bounds.begin(), bucket_bounds.end()));
  const std::lock_guard lock{mutex_};
  Family& family = families_[std::move(name)];
  family.kind = kind;
  family.help = std::move(help);
  family.bounds = std::move(bucket_bounds);
}

MetricsRegistry::Family& MetricsRegistry::family(std::string_view name, Kind kind) {
  const auto found = families_.find(name);
  AMPHORA_ASSERT(found != families_.end() && found->second.kind == kind);
  return found->second;
}

void MetricsRegistry::set(std::string_view name, std::optional<double> value, const MetricLabels& labels) {
  const std::lock_guard lock{mutex_};
  Family& found = family(name, Kind::kGauge);
  if (value) {
    found.series[key_of(labels)].value = *value;
  } else {
    found.series.erase(key_of(labels));
  }
}

void MetricsRegistry::set_total(std::string_view name, double total, const MetricLabels& labels) {
  const std::lock_guard lock{mutex_};
  Entry& entry = family(name, Kind::kCounter).series[key_of(labels)];
  entry.value = std::max(entry.value, total);
}

void MetricsRegistry::add(std::string_view name, double amount, const MetricLabels& labels) {
  AMPHORA_ASSERT(amount >= 0);
  const std::lock_guard lock{mutex_};
  family(name, Kind::kCounter).series[key_of(labels)].value += amount;
}

void MetricsRegistry::observe(std::string_view name, double value, const MetricLabels& labels) {
  const std::lock_guard lock{mutex_};
  Family& found = family(name, Kind::kHistogram);
  Entry& entry = found.series[key_of(labels)];
  entry.buckets.resize(found.bounds.size());
  const auto bound = std::lower_bound(found.bounds.begin(), found.bounds.end(), value);
  if (bound != found.bounds.end()) {
    ++entry.buckets[static_cast<std::size_t>(bound - found.bounds.begin())];
  }
  ++entry.count;
  entry.value += value;
}

std::string MetricsRegistry::render() const {
  constexpr std::string_view kKinds[] = {"gauge", "counter", "histogram"};
  const std::lock_guard lock{mutex_};
  std::string out;
  for (const auto& [name, family] : families_) {
    if (family.series.empty()) {
      continue;
    }
    out += "# HELP " + name + " " + escape(family.help, false) + "\n# TYPE " + name + " ";
    out += kKinds[static_cast<std::size_t>(family.kind)];
    out += "\n";
    for (const auto& [labels, entry] : family.series) {
      if (family.kind != Kind::kHistogram) {
        append_line(out, name, labels, number(entry.value));
        continue;
      }
      const std::string prefix = labels.empty() ? "" : labels + ",";
      std::uint64_t total = 0;
      for (std::size_t i = 0; i < family.bounds.size(); ++i) {
        total += entry.buckets[i];
        append_line(out, name + "_bucket", prefix + "le=\"" + number(family.bounds[i]) + "\"",
                    std::to_string(total));
      }
      append_line(out, name + "_bucket", prefix + "le=\"+Inf\"", std::to_string(entry.count));
      append_line(out, name + "_sum", labels, number(entry.value));
      append_line(out, name + "_count", labels, std::to_string(entry.count));
    }
  }
  return out;
}

}  // namespace amphora::runtime
