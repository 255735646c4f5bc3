// SPDX-License-Identifier: Apache-2.0
// The built app with the headers the real box sends, above all its content security policy: what that would block fails
// in these tests too.
import { existsSync, readFileSync } from "node:fs";
import { extname, join, normalize } from "node:path";

const kRoot = new URL("../../dist", import.meta.url).pathname;
const kTypes = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
};

export function serve_file(request, response, url) {
  const name = normalize(url.pathname === "/" ? "/index.html" : url.pathname);
  let path = join(kRoot, name);
  if (!path.startsWith(kRoot) || !existsSync(path) || extname(path) === "") path = join(kRoot, "index.html");
  const headers = {
    "Content-Type": kTypes[extname(path)] ?? "application/octet-stream",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
  };
  const is_packed = existsSync(`${path}.gz`) && String(request.headers["accept-encoding"]).includes("gzip");
  if (is_packed) headers["Content-Encoding"] = "gzip";
  const body = readFileSync(is_packed ? `${path}.gz` : path);
  response.writeHead(200, { ...headers, "Content-Length": body.length }).end(body);
}
