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
  { name: "events", path: "/#/events", options: {} },
  { name: "sign_in", path: "/#/", options: { login: "required" } },
  { name: "set_up", path: "/#/", options: { login: "required", first_run: true } },
];

for (const entry of kStates) {
  if (wanted.length > 0 && !wanted.includes(entry.name)) continue;
  const server = await start_dev_server(0, entry.options);
  for (const [size, viewport] of Object.entries({ desktop: kDesktop, phone: kPhone })) {
    const browser = await open_browser({ viewport });
    for (const colorScheme of ["light", "dark"]) {
      await browser.page.emulateMedia({ colorScheme });
      await browser.page.goto(server.url + entry.path);
      await browser.page.waitForTimeout(colorScheme === "light" ? (entry.wait_ms ?? 1500) : 1500);
      await browser.page.screenshot({ path: `${folder}/${entry.name}_${size}_${colorScheme}.png` });
    }
    await browser.close();
  }
  await server.close();
}
