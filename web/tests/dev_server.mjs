// SPDX-License-Identifier: Apache-2.0
// A stand-in for the box while views are made, and in tests of rare states (first run, stale readings, refused writes) that
// a real box shows only seldom. It speaks the same API over a simulated battery. Nothing that is shipped uses it; the
// tests named *.real.mjs check the same page against the real program.
//
//   node tests/dev_server.mjs [PORT [ROLE]]      serves dist/ and the API on 127.0.0.1 (default port 8099)
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { handle_api } from "./support/sim_api.mjs";
import { SimBox } from "./support/sim_box.mjs";
import { serve_file } from "./support/static_files.mjs";

const kTickMs = 200;

export async function start_dev_server(port = 0, options = {}) {
  const box = new SimBox(options);
  const sockets = new Set();
  const web_sockets = new WebSocketServer({ noServer: true });
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://box");
    if (url.pathname.startsWith("/api/v1/")) {
      handle_api(box, request, response, url).catch((error) => {
        response.writeHead(500).end(String(error));
      });
    } else serve_file(request, response, url);
  });
  server.on("upgrade", (request, socket, head) => {
    if (box.options.no_websocket || !box.may_look(request)) {
      socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
      return;
    }
    web_sockets.handleUpgrade(request, socket, head, (client) => {
      client.send(JSON.stringify({ type: "state", ...box.state() }));
      sockets.add(client);
      client.on("close", () => sockets.delete(client));
    });
  });
  box.on_event = (event) => {
    for (const client of sockets) client.send(JSON.stringify({ type: "event", event }));
  };
  // A change that must be seen at once, not with the next round of values.
  box.push_groups = (...names) => {
    const state = box.state();
    const groups = Object.fromEntries(names.map((name) => [name, state[name]]));
    for (const client of sockets) client.send(JSON.stringify({ type: "delta", timestamp: Date.now(), ...groups }));
  };
  let ticks = 0;
  const timer = setInterval(() => {
    box.step(kTickMs / 1000);
    ticks += 1;
    if (ticks % 5 !== 0) return;
    const { box: _box, sections: _sections, ...changed } = box.state();
    for (const client of sockets) client.send(JSON.stringify({ type: "delta", timestamp: Date.now(), ...changed }));
  }, kTickMs);
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    box,
    url: `http://127.0.0.1:${server.address().port}`,
    port: server.address().port,
    drop_clients() {
      for (const client of sockets) client.terminate();
    },
    async close() {
      clearInterval(timer);
      for (const client of sockets) client.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const server = await start_dev_server(Number(process.argv[2] ?? 8099), { role: process.argv[3] ?? "bms-gateway" });
  console.log(`Simulated box at ${server.url}`);
}
