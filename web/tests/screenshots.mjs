// SPDX-License-Identifier: Apache-2.0
// Pictures of every page for looking at: desktop and phone, light and dark. `npm run screenshots [FOLDER] [NAME…]`.
import { mkdirSync } from "node:fs";
import { start_dev_server } from "./dev_server.mjs";
import { kDesktop, kPhone, open_browser } from "./support/browser.mjs";

const folder = process.argv[2] ?? new URL("./output", import.meta.url).pathname;
const wanted = process.argv.slice(3);
mkdirSync(folder, { recursive: true });

const kStates = [
  { name: "overview", path: "/#/", options: { power_w: 1180 } },
  { name: "overview_out", path: "/#/", options: { power_w: -640, soc_percent: 31.2 } },
  { name: "overview_alarm", path: "/#/", options: { alarms: ["high_voltage"], bms_silent: true }, wait_ms: 6500 },
  { name: "cells", path: "/#/cells", options: { warnings: ["cell_imbalance"] } },
  { name: "cells_192", path: "/#/cells", options: { cells: 192 } },
  { name: "history", path: "/#/history", options: {} },
  { name: "settings", path: "/#/settings", options: {} },
  { name: "settings_box", path: "/#/settings/box", options: {} },
  { name: "network", path: "/#/network", options: { radio_link: true }, full: true },
  {
    name: "network_transmitter_away",
    path: "/#/network",
    options: { role: "transmitter", mode: "plain", no_inverter: true, queue_dropped: 14 },
    away_s: 212,
    full: true,
  },
  { name: "network_receiver", path: "/#/network", options: { role: "receiver" }, full: true },
  { name: "overview_gateway_plain", path: "/#/", options: { radio_link: true, mode: "plain", power_w: 1180 } },
  { name: "overview_transmitter", path: "/#/", options: { role: "transmitter", no_inverter: true, power_w: -420 } },
  { name: "overview_receiver", path: "/#/", options: { role: "receiver", power_w: 1180 } },
  { name: "overview_receiver_away", path: "/#/", options: { role: "receiver", power_w: 1180 }, away_s: 42 },
  { name: "cells_receiver_192", path: "/#/cells", options: { role: "receiver", cells: 192 } },
  { name: "sections", path: "/#/settings/sections", options: { role: "transmitter" }, conflict: true, full: true },
  { name: "sections_receiver", path: "/#/settings", options: { role: "receiver" }, full: true },
  { name: "sections_receiver_away", path: "/#/settings", options: { role: "receiver" }, away_s: 42, full: true },
  {
    name: "pairing_transmitter",
    path: "/#/network",
    options: { role: "transmitter", mode: "plain" },
    press: "Pair a receiver",
    full: true,
  },
  { name: "pack_overview", path: "/#/", options: { role: "pack", power_w: 1180, grid_w: 0 } },
  { name: "pack_overview_out", path: "/#/", options: { role: "pack", power_w: -640, soc_percent: 18.2 } },
  { name: "pack_overview_all", path: "/#/", options: { role: "pack", power_w: 1180 }, press_switch: "All packs" },
  {
    name: "pack_overview_many",
    path: "/#/",
    options: { role: "pack", power_w: 1180, pack_count: 8, pack_away: 31 },
    press_switch: "All packs",
  },
  { name: "pack_overview_one", path: "/#/", options: { role: "pack", pack_count: 1, power_w: 3, home_w: 412 } },
  { name: "pack_overview_safe", path: "/#/", options: { role: "pack", bms_silent: true }, silent_s: 30 },
  { name: "pack_modes", path: "/#/modes", options: { role: "pack", hindered: "grid" }, full: true },
  { name: "pack_modes_safe", path: "/#/modes", options: { role: "pack", bms_silent: true }, silent_s: 30, full: true },
  { name: "pack_network", path: "/#/network", options: { role: "pack", pack_away: 9 }, full: true },
  {
    name: "pack_network_plain",
    path: "/#/network",
    options: { role: "pack", pack_security: "plain", pack_count: 1 },
    full: true,
  },
  { name: "pack_settings", path: "/#/settings", options: { role: "pack" }, full: true },
  { name: "events", path: "/#/events", options: {} },
  { name: "sign_in", path: "/#/", options: { login: "required" } },
  { name: "set_up", path: "/#/", options: { login: "required", first_run: true } },
];

for (const entry of kStates) {
  if (wanted.length > 0 && !wanted.includes(entry.name)) continue;
  const server = await start_dev_server(0, entry.options);
  if (entry.silent_s) server.box.silent_s = entry.silent_s;
  if (entry.away_s) server.box.link.set_away(entry.away_s);
  if (entry.conflict) {
    const conflict_at = new Date().toISOString();
    server.box.link.change_from_peer("own", "battery", {}, { sync: "conflict_resolved", conflict_at });
    server.box.link.write({ scope: "own", section: "mqtt", values: { server: "other.home" } });
    server.box.link.confirmations.length = 0; // it goes on waiting
  }
  for (const [size, viewport] of Object.entries({ desktop: kDesktop, phone: kPhone })) {
    const browser = await open_browser({ viewport });
    for (const colorScheme of ["light", "dark"]) {
      await browser.page.emulateMedia({ colorScheme });
      await browser.page.goto(server.url + entry.path);
      await browser.page.waitForTimeout(colorScheme === "light" ? (entry.wait_ms ?? 1500) : 1500);
      if (entry.press && (await browser.page.locator(".code").count()) === 0) {
        await browser.page
          .getByRole("button", { name: entry.press })
          .or(browser.page.getByRole("button", { name: "Show a new code" }))
          .click();
        await browser.page.locator(".code").waitFor();
      }
      if (entry.press_switch) await browser.page.getByRole("button", { name: entry.press_switch }).click();
      await browser.page.screenshot({
        path: `${folder}/${entry.name}_${size}_${colorScheme}.png`,
        fullPage: entry.full === true,
      });
    }
    await browser.close();
  }
  await server.close();
}
