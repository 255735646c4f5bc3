// SPDX-License-Identifier: Apache-2.0
#include "core/indicator/indicator.hpp"

#include <algorithm>

#include "core/indicator/tm1637.hpp"

namespace amphora::indicator {

namespace {

constexpr std::int32_t kBasisPointsPerPixel = 1000;
constexpr std::int32_t kBasisPointsPerPercent = 100;

constexpr BasisPoints clamped(BasisPoints soc) {
  return std::clamp(soc, BasisPoints{0}, BasisPoints{10'000});
}

// The first half of each period is on.
constexpr bool is_blink_on(TimePoint now) {
  return now.time_since_epoch() % kBlinkPeriod < kBlinkPeriod / 2;
}

std::array<Colour, kPixelCount> render_bar(const State& state, TimePoint now) {
  std::array<Colour, kPixelCount> bar{};
  if (state.is_identifying) {
    bar.fill(is_blink_on(now) ? kBlue : kOff);
    return bar;
  }
  if (!state.soc) {
    return bar;
  }
  const std::size_t lit = lit_count(*state.soc);
  std::fill_n(bar.begin(), lit, *state.soc <= kRedAt ? kRed : kGreen);
  if (state.is_charging && lit > 0) {
    const auto step = static_cast<std::uint64_t>(now.time_since_epoch() / kSweepStep);
    bar[step % lit] = kBlue;
  }
  return bar;
}

std::array<Segments, kDigitCount> render_digits(const State& state, TimePoint now) {
  if (!state.soc) {
    return {kDash, kDash, kDash};
  }
  if (*state.soc < kBlinkBelow && !is_blink_on(now)) {
    return {kBlank, kBlank, kBlank};
  }
  const std::int32_t percent =
      (clamped(*state.soc).count() + kBasisPointsPerPercent / 2) / kBasisPointsPerPercent;
  return encode_number(static_cast<std::uint32_t>(percent));
}

// Appends what fits.
class TextWriter {
 public:
  explicit TextWriter(std::span<char> buffer) : buffer_{buffer} {}
  void add(std::string_view text) {
    for (const char character : text) {
      if (size_ < buffer_.size()) {
        buffer_[size_++] = character;
      }
    }
  }
  void add(char character) { add(std::string_view{&character, 1}); }
  std::string_view text() const { return {buffer_.data(), size_}; }

 private:
  std::span<char> buffer_;
  std::size_t size_ = 0;
};

constexpr std::string_view kPlainStyle = "\x1b[0m";

struct PixelStyle {
  char plain;
  std::string_view coloured;
};

PixelStyle style_of(Colour colour) {
  if (colour == kOff) {
    return {'.', "\x1b[90m"};
  }
  if (colour.blue > colour.red && colour.blue > colour.green) {
    return {'>', "\x1b[94m"};
  }
  return colour.red > colour.green ? PixelStyle{'!', "\x1b[91m"} : PixelStyle{'#', "\x1b[92m"};
}

}  // namespace

std::size_t lit_count(BasisPoints soc) {
  const std::int32_t value = clamped(soc).count();
  const auto rounded = static_cast<std::size_t>((value + kBasisPointsPerPixel / 2) / kBasisPointsPerPixel);
  return value > 0 ? std::max<std::size_t>(rounded, 1) : 0;
}

Picture render(const State& state, TimePoint now) {
  Picture picture;
  picture.bar = render_bar(state, now);
  picture.digits = render_digits(state, now);
  picture.green = state.is_running && (state.has_place || is_blink_on(now));
  picture.yellow = state.has_warning;
  picture.red = state.has_fault;
  picture.buzzer =
      state.update_step_at && now >= *state.update_step_at && now - *state.update_step_at < kBuzzerPulse;
  return picture;
}

std::string_view render_text(const Picture& picture, bool is_coloured, std::span<char> buffer) {
  TextWriter out{buffer};
  const auto add_styled = [&](std::string_view style, std::string_view text) {
    if (is_coloured) {
      out.add(style);
    }
    out.add(text);
    if (is_coloured) {
      out.add(kPlainStyle);
    }
  };
  out.add('[');
  for (const Colour colour : picture.bar) {
    const PixelStyle style = style_of(colour);
    add_styled(style.coloured, std::string_view{&style.plain, 1});
  }
  out.add("] ");
  for (const Segments segments : picture.digits) {
    out.add(decode_segments(segments).value_or('?'));
  }
  out.add(" % ");
  add_styled(picture.green ? "\x1b[92m" : "\x1b[90m", picture.green ? "run" : "---");
  out.add(' ');
  add_styled(picture.yellow ? "\x1b[93m" : "\x1b[90m", picture.yellow ? "warning" : "-------");
  out.add(' ');
  add_styled(picture.red ? "\x1b[91m" : "\x1b[90m", picture.red ? "fault" : "-----");
  out.add(picture.buzzer ? " beep" : "     ");
  return out.text();
}

}  // namespace amphora::indicator
