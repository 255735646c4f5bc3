// SPDX-License-Identifier: Apache-2.0
#include "runtime/metrics/registry.hpp"

#include <gtest/gtest.h>

namespace amphora::runtime {
namespace {

using Kind = MetricsRegistry::Kind;

TEST(Metrics, text_of_each_kind) {
  MetricsRegistry registry;
  registry.declare("b_volts", Kind::kGauge, "Voltage.\nSecond \\ line.");
  registry.declare("c_total", Kind::kCounter, "Frames.");
  registry.declare("d_seconds", Kind::kHistogram, "Delay.", {0.1, 1});
  registry.declare("unused", Kind::kGauge, "Never set.");
  registry.set("b_volts", 51.25, {{"cell", "a\"b\\c\nd"}});
  registry.add("c_total");
  registry.add("c_total", 2);
  registry.observe("d_seconds", 0.1);
  registry.observe("d_seconds", 0.5, {});
  registry.observe("d_seconds", 9);
  EXPECT_EQ(registry.render(),
            "# HELP b_volts Voltage.\\nSecond \\\\ line.\n# TYPE b_volts gauge\n"
            "b_volts{cell=\"a\\\"b\\\\c\\nd\"} 51.25\n"
            "# HELP c_total Frames.\n# TYPE c_total counter\nc_total 3\n"
            "# HELP d_seconds Delay.\n# TYPE d_seconds histogram\n"
            "d_seconds_bucket{le=\"0.1\"} 1\nd_seconds_bucket{le=\"1\"} 2\nd_seconds_bucket{le=\"+Inf\"} 3\n"
            "d_seconds_sum 9.6\nd_seconds_count 3\n");
}

TEST(Metrics, unknown_is_absent_and_totals_never_fall) {
  MetricsRegistry registry;
  registry.declare("g", Kind::kGauge, "G.");
  registry.declare("t_total", Kind::kCounter, "T.");
  registry.set("g", 1.0);
  registry.set("g", std::nullopt);
  registry.set_total("t_total", 10);
  registry.set_total("t_total", 3);
  EXPECT_EQ(registry.render(), "# HELP t_total T.\n# TYPE t_total counter\nt_total 10\n");
}

}  // namespace
}  // namespace amphora::runtime
