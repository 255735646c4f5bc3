// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/decode/decode.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "apps/amphora/decode/line_decoder.hpp"

namespace amphora {

namespace {

struct DecodeOptions {
  std::string protocol;
  std::string file;
};

bool decode_from(const std::string& protocol, int input) {
  if (protocol == "link") {
    return decode::decode_stream(*decode::make_link_decoder(), input, STDOUT_FILENO);
  }
  const auto decoder = protocol == "victron"   ? decode::make_victron_decoder()
                       : protocol == "packnet" ? decode::make_packnet_decoder()
                                               : decode::make_tinybms_decoder();
  return decode::decode_stream(*decoder, input, STDOUT_FILENO);
}

int run_decode(const DecodeOptions& options) {
  const bool is_file = !options.file.empty() && options.file != "-";
  const int input = is_file ? open(options.file.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
  if (input < 0) {
    fmt::print(stderr, "amphora: {}: {}\n", options.file, std::strerror(errno));
    return kExitFailed;
  }
  const bool is_done = decode_from(options.protocol, input);
  const int error = errno;
  if (is_file) {
    close(input);
  }
  // A reader that has seen enough, such as head, is no failure.
  if (!is_done && error != EPIPE) {
    fmt::print(stderr, "amphora: decode: {}\n", std::strerror(error));
    return kExitFailed;
  }
  return kExitGood;
}

}  // namespace

void add_decode(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(parent, "decode", "Turn logged frames into JSON, a line for each frame.",
                                  "  candump can0 | amphora decode victron\n"
                                  "  amphora decode victron capture.log\n"
                                  "  echo 'rx AA 1B 06 16 01 14 01 16 01 0E 4E' | amphora decode tinybms\n"
                                  "  candump -L can0 | amphora decode packnet\n"
                                  "  amphora decode link radio.pcap\n"
                                  "  tcpdump -U -i wlan1 -w - | amphora decode link");
  auto options = std::make_shared<DecodeOptions>();
  command->add_option("protocol", options->protocol, "Protocol of the frames")
      ->required()
      ->check(CLI::IsMember({"victron", "tinybms", "link", "packnet"}))
      ->type_name("victron|tinybms|link|packnet");
  command->add_option("file", options->file, "Log or capture; standard input without it")->type_name("FILE");
  command->callback([&chosen, options] { chosen = [options] { return run_decode(*options); }; });
}

}  // namespace amphora
