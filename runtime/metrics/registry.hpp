// SPDX-License-Identifier: Apache-2.0
// Figures for Prometheus (text format 0.0.4): gauges, counters and histograms with labels.
//
// Families are declared once, then values are set from any thread; render() writes all of them from memory. A
// value that is not known is removed, not set to zero. Names and label names follow Prometheus's rules and
// are asserted, because they come from our own code; label values may be anything and are escaped.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace amphora::runtime {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class MetricsRegistry {
 public:
  enum class Kind : std::uint8_t { kGauge, kCounter, kHistogram };

  void declare(std::string name, Kind kind, std::string help, std::vector<double> bucket_bounds = {});

  // Gauge. Empty removes the series.
  void set(std::string_view name, std::optional<double> value, const MetricLabels& labels = {});
  // Counter that is counted elsewhere: takes the total. A smaller total is kept as it is (the source
  // restarted).
  void set_total(std::string_view name, double total, const MetricLabels& labels = {});
  void add(std::string_view name, double amount = 1, const MetricLabels& labels = {});
  // Histogram.
  void observe(std::string_view name, double value, const MetricLabels& labels = {});

  std::string render() const;

 private:
  struct Entry {
    double value = 0;
    std::vector<std::uint64_t> buckets;
    std::uint64_t count = 0;
  };
  struct Family {
    Kind kind = Kind::kGauge;
    std::string help;
    std::vector<double> bounds;
    std::map<std::string, Entry> series;  // key: rendered labels, without braces
  };
  Family& family(std::string_view name, Kind kind);

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace amphora::runtime
