// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/decode/line_decoder.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "apps/amphora/decode/hex_text.hpp"
#include "apps/amphora/json_line.hpp"

namespace amphora::decode {

namespace {

constexpr std::size_t kLineSizeMax = std::size_t{64} * 1024;
constexpr std::size_t kReadSize = std::size_t{256} * 1024;
constexpr std::size_t kWriteSize = std::size_t{64} * 1024;

bool write_all(int output, std::string& text) {
  std::string_view rest{text};
  while (!rest.empty()) {
    const ssize_t count = write(output, rest.data(), rest.size());
    if (count < 0 && errno != EINTR) {
      return false;
    }
    rest.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
  }
  text.clear();
  return true;
}

}  // namespace

void LineSplitter::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      keep(bytes);
      return;
    }
    if (kept_.empty()) {
      take(bytes.substr(0, end), out);
    } else {
      keep(bytes.substr(0, end));
      take(kept_, out);
      kept_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
}

void LineSplitter::finish(std::string& out) {
  if (!kept_.empty()) {
    take(kept_, out);
    kept_.clear();
  }
}

// One byte more than allowed is kept, which marks the line as too long.
void LineSplitter::keep(std::string_view bytes) {
  kept_ += bytes.substr(0, kLineSizeMax + 1 - kept_.size());
}

void LineSplitter::take(std::string_view text, std::string& out) {
  ++number_;
  if (text.size() > kLineSizeMax) {
    append_error(number_, text.substr(0, 80), "the line is longer than 64 KiB", out);
    return;
  }
  const std::string_view content = trimmed(text);
  if (!content.empty() && content.front() != '#') {
    decoder_.decode(number_, content, out);
  }
}

void append_error(std::uint64_t line_number, std::string_view text, std::string_view fault,
                  std::string& out) {
  JsonLine json{out};
  json.text("error", fault);
  json.number("line", static_cast<std::int64_t>(line_number));
  json.text("text", text);
  json.end();
}

std::string decode_all(ByteDecoder& decoder, std::string_view bytes) {
  std::string out;
  decoder.feed(bytes, out);
  decoder.finish(out);
  return out;
}

std::string decode_all(LineDecoder& decoder, std::string_view text) {
  LineSplitter splitter{decoder};
  return decode_all(splitter, text);
}

bool decode_stream(LineDecoder& decoder, int input, int output) {
  LineSplitter splitter{decoder};
  return decode_stream(splitter, input, output);
}

bool decode_stream(ByteDecoder& decoder, int input, int output) {
  std::vector<char> buffer(kReadSize);
  std::string out;
  while (true) {
    const ssize_t count = read(input, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return false;
    }
    if (count == 0) {
      decoder.finish(out);
      return write_all(output, out);
    }
    std::string_view bytes{buffer.data(), static_cast<std::size_t>(count)};
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, kWriteSize);
      decoder.feed(piece, out);
      bytes.remove_prefix(piece.size());
      if (!write_all(output, out)) {
        return false;
      }
    }
  }
}

}  // namespace amphora::decode
