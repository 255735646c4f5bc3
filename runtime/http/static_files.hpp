// SPDX-License-Identifier: Apache-2.0
// The built web app, served from memory.
//
// All files below the folder are read once at the start (bounded); a request is a look-up in that list, so no
// path from outside ever reaches the file system. x.gz beside x is served to clients that take gzip. Files
// whose name carries a hash (…-Ab12Cd34.js in a folder `assets`) may be kept by browsers for a year, all
// others are asked for again by ETag. Unknown paths without a file extension give index.html, because the app
// routes by itself.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/http/message.hpp"

namespace amphora::runtime::http {

inline constexpr std::size_t kStaticSizeMax = 32 * 1024 * 1024;  // of all files together
inline constexpr std::size_t kStaticCountMax = 2000;

class StaticFiles {
 public:
  // Replaces what was there. Empty: good; otherwise a sentence (folder missing, too large); what could be
  // read is served.
  std::string load(const std::string& root);
  std::size_t count() const { return files_.size(); }

  // GET and HEAD only. 304 when the client has it.
  Response serve(const Request& request) const;

 private:
  struct File {
    std::string type;
    std::string etag;
    std::shared_ptr<const std::string> content;
    std::shared_ptr<const std::string> gzip;  // may be null
    bool is_immutable = false;
  };
  const File* find(std::string_view path) const;
  std::map<std::string, File, std::less<>> files_;  // by path, "/index.html"
};

}  // namespace amphora::runtime::http
