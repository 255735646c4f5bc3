// SPDX-License-Identifier: Apache-2.0
// What `amphora decode` asks of a protocol: one line of text in, no, one or several lines of JSON out. Or,
// where the input may be a binary capture, bytes in as they come.
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

class ByteDecoder {
 public:
  virtual ~ByteDecoder() = default;
  // The next bytes of the input, in pieces of any size. Appends whole lines to `out`.
  virtual void feed(std::string_view bytes, std::string& out) = 0;
  // The input has ended.
  virtual void finish(std::string& out) = 0;
};

// Cuts a text into lines and hands those that are neither empty nor comments on; lines longer than 64 KiB are
// reported and skipped. `decoder` outlives it.
class LineSplitter final : public ByteDecoder {
 public:
  explicit LineSplitter(LineDecoder& decoder) : decoder_{decoder} {}
  void feed(std::string_view bytes, std::string& out) override;
  void finish(std::string& out) override;

 private:
  void keep(std::string_view bytes);
  void take(std::string_view text, std::string& out);

  LineDecoder& decoder_;
  std::string kept_;
  std::uint64_t number_ = 0;
};

// {"error":…,"line":…,"text":…}
void append_error(std::uint64_t line_number, std::string_view text, std::string_view fault, std::string& out);

std::unique_ptr<LineDecoder> make_victron_decoder();
std::unique_ptr<LineDecoder> make_tinybms_decoder();
std::unique_ptr<LineDecoder> make_packnet_decoder();
// A pcap capture (link types 127 and 105) or lines with the bytes of a message in hexadecimal.
std::unique_ptr<ByteDecoder> make_link_decoder();

// The line that `decode victron` prints for a frame, for those who have the frame and not its text.
void append_victron_frame(const can::Frame& frame, std::string& out);

// Decodes a whole input; for tests.
std::string decode_all(LineDecoder& decoder, std::string_view text);
std::string decode_all(ByteDecoder& decoder, std::string_view bytes);

// Reads from `input` until its end and writes JSON lines to `output`. What is decoded is written before the
// reader waits for more, so a live source is followed line by line and a file is read in large pieces. False
// when reading or writing fails (errno is kept).
bool decode_stream(ByteDecoder& decoder, int input, int output);
bool decode_stream(LineDecoder& decoder, int input, int output);

}  // namespace amphora::decode
