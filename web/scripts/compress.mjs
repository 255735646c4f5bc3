// SPDX-License-Identifier: Apache-2.0
// Writes NAME.gz beside each text file of the build. The box sends those as they are and never compresses while it serves.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { constants, gzipSync } from "node:zlib";

const kCompressed = new Set([".html", ".js", ".css", ".svg", ".webmanifest", ".json"]);
const root = new URL("../dist", import.meta.url).pathname;

for (const name of readdirSync(root, { recursive: true })) {
  const path = join(root, String(name));
  if (!statSync(path).isFile() || !kCompressed.has(extname(path))) continue;
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
}
