// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/lights/lights.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "apps/amphora/pair/box_client.hpp"

namespace amphora {
namespace {

using nlohmann::json;

// As fast as the sweep of the bar steps.
constexpr std::chrono::milliseconds kPeriod{100};
// The API tells colours at the full brightness of a screen.
constexpr unsigned kLit = 0x80;

struct LightsOptions {
  std::string url = "http://127.0.0.1:8080";
  int seconds = 0;
};

std::optional<indicator::Colour> colour_of(const json& value) {
  unsigned red = 0;
  unsigned green = 0;
  unsigned blue = 0;
  if (!value.is_string() ||
      std::sscanf(value.get<std::string>().c_str(), "#%2x%2x%2x", &red, &green, &blue) != 3) {
    return std::nullopt;
  }
  const auto part = [](unsigned level) { return level >= kLit ? indicator::kBrightness : std::uint8_t{0}; };
  return indicator::Colour{part(red), part(green), part(blue)};
}

std::string text_of(const indicator::Picture& picture, bool is_coloured) {
  std::array<char, indicator::kTextSizeMax> buffer{};
  return std::string{indicator::render_text(picture, is_coloured, buffer)};
}

int show(const LightsOptions& options) {
  const auto url = pair_command::parse_url(options.url);
  if (!url) {
    fmt::print(stderr, "amphora: {} is not an address like http://127.0.0.1:8080\n", options.url);
    return kExitUsage;
  }
  // The state is shown to everybody, so nobody has to log in.
  pair_command::BoxClient client{*url, {}, [] { return std::string{}; }};
  const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{options.seconds};
  std::string shown;
  do {
    const auto picture = picture_of(client.get("/api/v1/state").value("indicator", json::object()));
    if (!picture) {
      throw std::runtime_error{"this box has no lights; they belong to a pack"};
    }
    if (const std::string text = text_of(*picture, is_terminal); text != shown) {
      fmt::print("{}{}{}", is_terminal ? "\r" : "", text, is_terminal ? "" : "\n");
      (void)std::fflush(stdout);
      shown = text;
    }
    std::this_thread::sleep_for(kPeriod);
  } while (options.seconds == 0 || std::chrono::steady_clock::now() < until);
  if (is_terminal) {
    fmt::print("\n");
  }
  return kExitGood;
}

}  // namespace

std::optional<indicator::Picture> picture_of(const json& group) {
  const json bar = group.value("bar", json::array());
  const json digits = group.value("digits", json::array());
  indicator::Picture picture;
  if (bar.size() != picture.bar.size() || digits.size() != picture.digits.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < bar.size(); ++i) {
    const auto colour = colour_of(bar[i]);
    if (!colour) {
      return std::nullopt;
    }
    picture.bar[i] = *colour;
  }
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (!digits[i].is_number_unsigned() || digits[i].get<unsigned>() > 0xFF) {
      return std::nullopt;
    }
    picture.digits[i] = digits[i].get<indicator::Segments>();
  }
  picture.green = group.value("green", false);
  picture.yellow = group.value("yellow", false);
  picture.red = group.value("red", false);
  picture.buzzer = group.value("buzzer", false);
  return picture;
}

void add_lights(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(parent, "lights", "Show the lights and digits of a running pack as text.",
                                  "  amphora lights\n"
                                  "  amphora lights --url http://127.0.0.1:8082 --seconds 10");
  auto options = std::make_shared<LightsOptions>();
  command->add_option("--url", options->url, "The box [http://127.0.0.1:8080]")->type_name("URL");
  command->add_option("--seconds", options->seconds, "End by itself after this time")
      ->check(CLI::Range(1, 86'400))
      ->type_name("SECONDS");
  command->callback([&chosen, options] {
    chosen = [options] {
      try {
        return show(*options);
      } catch (const std::runtime_error& error) {
        fmt::print(stderr, "amphora: {}\n", error.what());
        return kExitFailed;
      }
    };
  });
}

}  // namespace amphora
