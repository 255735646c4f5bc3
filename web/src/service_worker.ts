// SPDX-License-Identifier: Apache-2.0
// Keeps the app's shell (page, scripts, styles, font, icons) so that it opens without the box. Values are never kept
// here: the page itself saves the last state, with its time, and marks it. Requests to the API always go to the box.
/// <reference lib="webworker" />

const worker = globalThis as unknown as ServiceWorkerGlobalScope;

// Both are filled in by the build.
const kFiles: string[] = JSON.parse("__PRECACHE_FILES__");
const kCacheName = `amphora-shell-${"__PRECACHE_VERSION__"}`;

worker.addEventListener("install", (event) => {
  const paths = ["/", ...kFiles.filter((name) => name !== "index.html").map((name) => `/${name}`)];
  event.waitUntil(
    caches
      .open(kCacheName)
      .then((cache) => cache.addAll(paths.map((path) => new Request(path, { cache: "reload" }))))
      .then(() => worker.skipWaiting()),
  );
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== kCacheName).map((name) => caches.delete(name))))
      .then(() => worker.clients.claim()),
  );
});

// The page itself: from the box when it answers in time, so that an update shows at once; else the kept one.
const kPageTimeoutMs = 3_000;

async function answer_page(request: Request): Promise<Response> {
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(kPageTimeoutMs) });
    if (response.ok) return response;
  } catch {
    // Fall through to the kept shell.
  }
  return (await caches.match("/")) ?? Response.error();
}

async function answer_file(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? fetch(request);
}

worker.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== worker.location.origin) return;
  if (url.pathname.startsWith("/api/") || url.pathname.startsWith("/ws/") || url.pathname === "/metrics") return;
  if (event.request.mode === "navigate") event.respondWith(answer_page(event.request));
  else event.respondWith(answer_file(event.request));
});
