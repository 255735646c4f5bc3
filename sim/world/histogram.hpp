// SPDX-License-Identifier: Apache-2.0
// Percentiles of non-negative integers in constant memory.
//
// Values below 128 are kept exactly; above, each power of two is divided into 64 buckets, so a percentile is
// reported at most 1.6 % too high and never too low. The largest value is exact. Histograms of several runs
// add up.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace amphora::sim {

class Histogram {
 public:
  // Negative values count as zero; values beyond 2^40 as 2^40.
  void add(std::int64_t value) {
    const std::int64_t kept = std::clamp<std::int64_t>(value, 0, kValueMax);
    ++buckets_[index_of(kept)];
    ++count_;
    max_ = std::max(max_, kept);
  }
  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < kBucketCount; ++i) {
      buckets_[i] += other.buckets_[i];
    }
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  std::uint64_t count() const { return count_; }
  std::int64_t max() const { return max_; }
  // The smallest bucket bound below which at least permille/1000 of the values lie; 0 without values.
  std::int64_t percentile(std::uint32_t permille) const {
    const std::uint64_t wanted = (count_ * permille + 999) / 1000;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBucketCount; ++i) {
      seen += buckets_[i];
      if (seen >= wanted && seen > 0) {
        return std::min(upper_bound_of(i), max_);
      }
    }
    return 0;
  }

 private:
  static constexpr int kSubBits = 6;
  static constexpr int kTopBit = 40;
  static constexpr std::int64_t kValueMax = std::int64_t{1} << kTopBit;
  static constexpr std::size_t kSubCount = std::size_t{1} << kSubBits;
  static constexpr std::size_t kBucketCount = (kTopBit - kSubBits + 2) * kSubCount;

  static std::size_t index_of(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    const auto width = static_cast<int>(std::bit_width(bits));
    const int shift = std::max(width - kSubBits - 1, 0);
    return static_cast<std::size_t>(shift) * kSubCount + static_cast<std::size_t>(bits >> shift);
  }
  static std::int64_t upper_bound_of(std::size_t index) {
    const std::size_t shift = index < 2 * kSubCount ? 0 : index / kSubCount - 1;
    const std::size_t sub = index - shift * kSubCount;
    return static_cast<std::int64_t>(((std::uint64_t{sub} + 1) << shift) - 1);
  }

  std::array<std::uint32_t, kBucketCount> buckets_{};
  std::uint64_t count_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace amphora::sim
