// SPDX-License-Identifier: Apache-2.0
// Lines of a CAN log as messages of the pack network.
#include <array>

#include "apps/amphora/decode/can_origin.hpp"
#include "apps/amphora/decode/candump.hpp"
#include "apps/amphora/decode/line_decoder.hpp"
#include "apps/amphora/decode/packnet_json.hpp"
#include "apps/amphora/json_line.hpp"
#include "core/packnet/frames.hpp"

namespace amphora::decode {

namespace {

class PacknetDecoder final : public LineDecoder {
 public:
  void decode(std::uint64_t line_number, std::string_view text, std::string& out) override {
    CanLineResult parsed = parse_can_line(text);
    if (!parsed.fault.empty()) {
      append_error(line_number, text, parsed.fault, out);
      return;
    }
    for (std::size_t i = 0; i < parsed.line.id_count; ++i) {
      parsed.line.frame.id = parsed.line.ids[i];
      append_frame(line_number, text, parsed.line, out);
    }
  }

 private:
  static void append_frame(std::uint64_t line_number, std::string_view text, const CanLine& line,
                           std::string& out) {
    const auto message = packnet::decode(line.frame);
    std::array<char, 12> id;
    JsonLine json{out};
    json.text("id", id_text(line.frame, id));
    if (!message) {
      json.text("error", to_text(message.error()));
      append_origin(json, line);
      json.number("line", static_cast<std::int64_t>(line_number));
      json.text("text", text);
    } else {
      append_origin(json, line);
      append_packnet_message(json, *message);
    }
    json.end();
  }
};

}  // namespace

std::unique_ptr<LineDecoder> make_packnet_decoder() {
  return std::make_unique<PacknetDecoder>();
}

}  // namespace amphora::decode
