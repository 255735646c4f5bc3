// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/static_files.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/base/crc.hpp"

namespace amphora::runtime::http {

namespace {

namespace fs = std::filesystem;

struct Type {
  std::string_view extension;
  std::string_view type;
};
constexpr Type kTypes[] = {{".html", "text/html; charset=utf-8"},
                           {".js", "text/javascript; charset=utf-8"},
                           {".mjs", "text/javascript; charset=utf-8"},
                           {".css", "text/css; charset=utf-8"},
                           {".json", "application/json"},
                           {".webmanifest", "application/manifest+json"},
                           {".svg", "image/svg+xml"},
                           {".png", "image/png"},
                           {".ico", "image/x-icon"},
                           {".jpg", "image/jpeg"},
                           {".webp", "image/webp"},
                           {".woff2", "font/woff2"},
                           {".txt", "text/plain; charset=utf-8"},
                           {".map", "application/json"}};

std::string type_of(const std::string& path) {
  const std::string extension = fs::path{path}.extension().string();
  for (const Type& type : kTypes) {
    if (type.extension == extension) {
      return std::string{type.type};
    }
  }
  return "application/octet-stream";
}

std::shared_ptr<const std::string> read_whole(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) {
    return nullptr;
  }
  return std::make_shared<const std::string>(std::istreambuf_iterator<char>{file},
                                             std::istreambuf_iterator<char>{});
}

std::string etag_of(const std::string& content) {
  Digest digest;
  digest.add({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
  char text[32];
  std::snprintf(text, sizeof text, "\"%016llx\"", static_cast<unsigned long long>(digest.value()));
  return text;
}

bool has_extension(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return path.find('.', slash == std::string_view::npos ? 0 : slash) != std::string_view::npos;
}

// One of the entity tags in If-None-Match, weak or strong.
bool is_listed(std::string_view list, std::string_view etag) {
  return list == "*" || list.find(etag) != std::string_view::npos;
}

bool takes_gzip(const Request& request) {
  const std::string_view accepted = request.header("accept-encoding").value_or("");
  const std::size_t at = accepted.find("gzip");
  return at != std::string_view::npos && !accepted.substr(at).starts_with("gzip;q=0,") &&
         accepted.substr(at) != "gzip;q=0";
}

}  // namespace

std::string StaticFiles::load(const std::string& root) {
  files_.clear();
  std::error_code error;
  const fs::path base{root};
  if (!fs::is_directory(base, error)) {
    return "The web app is not installed in " + root + "; only the API is served.";
  }
  std::size_t size = 0;
  std::size_t count = 0;
  for (fs::recursive_directory_iterator at{base, error}, end; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file(error) || at->path().extension() == ".gz") {
      continue;
    }
    auto content = read_whole(at->path());
    if (!content) {
      continue;
    }
    size += content->size();
    if (size > kStaticSizeMax || ++count > kStaticCountMax) {
      return "The web app in " + root + " is larger than 32 MiB or has more than 2000 files.";
    }
    const std::string path = "/" + at->path().lexically_relative(base).generic_string();
    File& file = files_[path];
    file.type = type_of(path);
    file.etag = etag_of(*content);
    file.is_immutable = path.starts_with("/assets/");
    file.content = std::move(content);
    file.gzip = read_whole(at->path().string() + ".gz");
  }
  return error ? "Reading " + root + ": " + error.message() : std::string{};
}

const StaticFiles::File* StaticFiles::find(std::string_view path) const {
  auto found = files_.find(path == "/" ? std::string_view{"/index.html"} : path);
  if (found == files_.end() && !has_extension(path)) {
    found = files_.find("/index.html");
  }
  return found == files_.end() ? nullptr : &found->second;
}

Response StaticFiles::serve(const Request& request) const {
  Response response;
  const File* file = find(request.path);
  if (file == nullptr) {
    response.status = 404;
    response.content_type = "text/plain; charset=utf-8";
    response.body = files_.empty() ? "The web app is not installed on this box; the API is at /api/v1.\n"
                                   : "There is no such page.\n";
    return response;
  }
  response.headers.emplace_back("ETag", file->etag);
  response.headers.emplace_back("Vary", "Accept-Encoding");
  response.headers.emplace_back("Cache-Control",
                                file->is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
  response.content_type = file->type;
  if (is_listed(request.header("if-none-match").value_or(""), file->etag)) {
    response.status = 304;
    return response;
  }
  if (file->gzip && takes_gzip(request)) {
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.shared_body = file->gzip;
  } else {
    response.shared_body = file->content;
  }
  return response;
}

}  // namespace amphora::runtime::http
