// SPDX-License-Identifier: Apache-2.0
// What `amphora decode` asks of a protocol: one line of text in, no, one or several lines of JSON out.
//
// A decoder may remember earlier lines (a reply is read by its request). It never refuses a line: what cannot
// be decoded becomes a JSON line with `error`, the number of the line and its text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/can/frame.hpp"

namespace amphora::decode {

class LineDecoder {
 public:
  virtual ~LineDecoder() = default;
  // `text` has no line feed and is neither empty nor a comment. Appends whole lines to `out`.
  virtual void decode(std::uint64_t line_number, std::string_view text, std::string& out) = 0;
};

// {"error":…,"line":…,"text":…}
void append_error(std::uint64_t line_number, std::string_view text, std::string_view fault, std::string& out);

std::unique_ptr<LineDecoder> make_victron_decoder();
std::unique_ptr<LineDecoder> make_tinybms_decoder();

// The line that `decode victron` prints for a frame, for those who have the frame and not its text.
void append_victron_frame(const can::Frame& frame, std::string& out);

// Decodes a whole text; for tests.
std::string decode_all(LineDecoder& decoder, std::string_view text);

// Reads lines from `input` until its end and writes JSON lines to `output`. What is decoded is written before
// the reader waits for more, so a live source is followed line by line and a file is read in large pieces.
// Lines longer than 64 KiB are reported and skipped. False when reading or writing fails (errno is kept).
bool decode_stream(LineDecoder& decoder, int input, int output);

}  // namespace amphora::decode
