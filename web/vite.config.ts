// SPDX-License-Identifier: Apache-2.0
// How the app is built: one page, one service worker, nothing inlined (the box's content security policy forbids it).
import { createHash } from "node:crypto";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// The service worker must know every file of the build by its hashed name. Its source holds two placeholders, which are
// replaced here once all files are known; a changed file changes the version, so browsers fetch the new shell.
function precache_plugin(): Plugin {
  return {
    name: "amphora-precache",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const files = Object.keys(bundle).filter((name) => name !== "service_worker.js" && !name.endsWith(".map"));
        files.push("manifest.webmanifest", "icon.svg", "theme.js");
        files.sort();
        const digest = createHash("sha256");
        for (const name of files) {
          const item = bundle[name];
          digest.update(name);
          if (item) digest.update(item.type === "chunk" ? item.code : item.source);
        }
        const worker = bundle["service_worker.js"];
        if (worker?.type !== "chunk") throw new Error("service_worker.js is not part of the build");
        const version = digest.digest("hex").slice(0, 16);
        worker.code = worker.code
          .replace(/["'`]__PRECACHE_FILES__["'`]/, JSON.stringify(JSON.stringify(files)))
          .replace(/["'`]__PRECACHE_VERSION__["'`]/, JSON.stringify(version));
      },
    },
  };
}

// `npm run dev` serves the sources and passes the API on to a running box, or to tests/dev_server.mjs.
const kBackend = process.env.AMPHORA_URL ?? "http://127.0.0.1:8099";

export default defineConfig({
  base: "/",
  plugins: [precache_plugin()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { app: "index.html", service_worker: "src/service_worker.ts" },
      output: {
        entryFileNames: (chunk) => (chunk.name === "service_worker" ? "service_worker.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  // The time-out is against hanging only: a busy machine must not fail a test.
  test: { include: ["tests/unit/**/*.test.ts"], testTimeout: 120_000 },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": kBackend, "/metrics": kBackend, "/ws": { target: kBackend, ws: true } },
  },
});
