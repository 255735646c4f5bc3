// SPDX-License-Identifier: Apache-2.0
// The frame and the Overview: values, unknown and old values, alarms, loss of the connection, screen sizes, access.
import assert from "node:assert/strict";
import { test } from "node:test";
import { start_dev_server } from "./dev_server.mjs";
import { kPhone } from "./support/browser.mjs";
import * as checks from "./support/checks.mjs";
import { use_browser } from "./support/fixture.mjs";

const kFirstLoadBytesMax = 150_000;
const { with_page, new_page } = use_browser();

const text_of = async (page, selector) =>
  (await page.locator(selector).first().innerText()).replaceAll(/[\u202f\s]+/g, " ");

test("every page opens without an error, fits, and is operable", async () => {
  await with_page({}, async (page, server) => {
    for (const viewport of [kPhone, { width: 1280, height: 800 }]) {
      await page.setViewportSize(viewport);
      for (const path of checks.kPages) {
        await checks.open_page(page, server.url, path);
        await page.locator(".card").first().waitFor();
        await page.waitForLoadState("networkidle");
        await checks.assert_no_sideways_scroll(page, `${path} at ${viewport.width}`);
        await checks.assert_accessible(page, path);
      }
    }
  });
});

test("the first load stays below its budget", async () => {
  await with_page({}, async (page, server) => {
    const { total, files } = await checks.measure_first_load(page, server.url);
    console.log(`first load: ${total} bytes in ${files.length} files`);
    for (const [path, size] of files) console.log(`  ${String(size).padStart(7)} ${path}`);
    assert.ok(files.length >= 4, "the measurement saw the files");
    assert.ok(total < kFirstLoadBytesMax, `${total} bytes`);
  });
});

test("shows charge, power, limits with reason and origin", async () => {
  await with_page({ power_w: 1180, soc_percent: 63.4 }, async (page, server) => {
    await checks.open_page(page, server.url, "/");
    await checks.wait_for_connection(page, "live");
    assert.match(await text_of(page, ".watts"), /^1180 W/);
    assert.match(await page.locator(".vessel").getAttribute("aria-label"), /63\.4 percent/);
    assert.equal(await page.locator(".flow-dots").getAttribute("data-direction"), "in");
    assert.match(await text_of(page, ".limit"), /Charge current 38\.5 A a cell is nearly full, by Amphora/);
    await page.locator(".limit summary").first().click();
    assert.match(await text_of(page, ".limit table"), /set for this battery your settings 50\.0 A/);
    server.box.options.power_w = -640;
    await page.locator('.flow-dots[data-direction="out"]').waitFor({ state: "attached" });
    assert.match(await text_of(page, ".watts"), /^640 W/);
  });
});

test("an unknown value is a dash with a reason, never zero", async () => {
  const unknown = ["soc_percent", "power_w", "soh_percent", "stored_kwh", "time_to_full_s", "time_to_empty_s", "cells"];
  await with_page({ unknown }, async (page, server) => {
    await checks.open_page(page, server.url, "/");
    await checks.wait_for_connection(page, "live");
    assert.match(await text_of(page, ".watts"), /^– unknown: the BMS has not reported it/);
    assert.equal(await page.locator(".vessel").getAttribute("aria-label"), "State of charge unknown");
    assert.doesNotMatch(await text_of(page, ".flow-card"), /\b0(\.0+)? (W|kWh|%)/);
    await checks.open_page(page, server.url, "/cells");
    await page.getByText("No cell voltages yet").waitFor();
  });
});

test("an old reading is grey, with its age, and nothing moves", async () => {
  await with_page({ power_w: 1000 }, async (page, server) => {
    await checks.open_page(page, server.url, "/");
    await page.locator(".flow-dots").waitFor({ state: "attached" });
    server.box.options.bms_silent = true;
    server.box.silent_s = 30;
    await page.locator(".flow-card[data-stale] .stale-badge").waitFor();
    assert.match(await text_of(page, ".flow-card .stale-badge"), /\d+ s old/);
    assert.equal(await page.locator(".flow-dots").count(), 0);
    assert.match(await text_of(page, ".limits-card"), /No permission.* 0\.0 A no fresh reading from the BMS/);
    server.box.options.bms_silent = false;
    await page.locator(".flow-card:not([data-stale])").waitFor();
  });
});

test("an alarm is shown at once, counted in the navigation, and spoken", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/");
    await checks.wait_for_connection(page, "live");
    assert.equal(await page.locator("#announcer").innerText(), "");
    server.box.options.alarms = ["high_voltage"];
    await page.locator('.alarm-line[data-tone="bad"]').waitFor();
    assert.match(await text_of(page, ".alarm-line"), /Alarm: Voltage too high/);
    assert.equal(await page.locator("#announcer").innerText(), "Alarm: Voltage too high");
    assert.equal(await page.locator("#announcer").getAttribute("aria-live"), "assertive");
    assert.match(await text_of(page, ".nav-badge"), /^1/);
  });
});

test("a box that goes away is told, its last values are marked, and it is found again", async () => {
  await with_page({ power_w: 500 }, async (page, first) => {
    await checks.open_page(page, first.url, "/");
    await checks.wait_for_connection(page, "live");
    await first.close();
    await checks.wait_for_connection(page, "offline");
    await page.locator(".old-band").waitFor();
    await page.locator(".flow-card[data-stale]").waitFor();
    assert.match(await text_of(page, ".watts"), /^500 W/);
    const second = await start_dev_server(first.port, { power_w: 700 });
    try {
      await checks.wait_for_connection(page, "live");
      await page.locator(".flow-card:not([data-stale])").waitFor();
      assert.match(await text_of(page, ".watts"), /^700 W/);
      assert.equal(await page.locator(".old-band").count(), 0);
    } finally {
      await second.close();
    }
  });
});

test("opened without the box, the installed page shows last known values, marked", async () => {
  await with_page({ power_w: 900, soc_percent: 71.5 }, async (page, server) => {
    await checks.open_page(page, server.url, "/");
    await checks.wait_for_connection(page, "live");
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.locator(".watts .value").waitFor();
    await server.close();
    await page.reload();
    await page.locator(".old-band").waitFor();
    await page.locator(".flow-card[data-stale] .stale-badge").waitFor();
    assert.match(await text_of(page, ".watts"), /^900 W/);
    assert.match(await page.locator(".vessel").getAttribute("aria-label"), /71\.5 percent, old value/);
    assert.equal(await page.locator(".connection").getAttribute("data-connection"), "offline");
  });
});

test("without WebSockets the page asks for the state, and says so", async () => {
  await with_page({ no_websocket: true, power_w: 300 }, async (page, server) => {
    await checks.open_page(page, server.url, "/");
    await checks.wait_for_connection(page, "polling");
    server.box.options.power_w = 400;
    await checks.wait_until(page, () => document.querySelector(".watts").textContent.includes("400"));
    server.box.options.no_websocket = false;
    await checks.wait_for_connection(page, "live");
  });
});

test("two pages at once both live", async () => {
  await with_page({ power_w: 100 }, async (page, server) => {
    const other = await new_page();
    await checks.open_page(page, server.url, "/");
    await checks.open_page(other, server.url, "/");
    server.box.options.power_w = 222;
    for (const one of [page, other]) {
      await one.bringToFront();
      await checks.wait_until(one, () => document.querySelector(".watts")?.textContent.includes("222"));
    }
    await other.close();
  });
});

test("the first screen of a phone holds the essentials, also in trouble", async () => {
  for (const options of [{ power_w: 1500 }, { alarms: ["high_voltage"], bms_silent: true }]) {
    await with_page(options, async (page, server) => {
      await page.setViewportSize(kPhone);
      if (options.bms_silent) server.box.silent_s = 60;
      await checks.open_page(page, server.url, "/");
      await checks.wait_for_connection(page, "live");
      await page.locator(".alarm-line").waitFor();
      await page.evaluate(() => document.fonts.ready);
      await checks.assert_essentials_visible(page);
    });
  }
});

test("nothing moves where motion is not wanted, and an arrow tells the direction", async () => {
  await with_page({ power_w: 800 }, async (page, server) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await checks.open_page(page, server.url, "/");
    await page.locator(".flow-dots").waitFor({ state: "attached" });
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    assert.equal(await page.locator(".flow-arrow").isVisible(), true);
    await page.emulateMedia({ reducedMotion: "no-preference" });
    assert.ok((await page.evaluate(() => document.getAnimations().length)) > 0);
  });
});

test("by keyboard alone: skip link, navigation, and the focus follows the page", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const cells = page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Cells" });
    await cells.focus();
    await page.keyboard.press("Enter");
    await page.locator(".cell-chart").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    assert.equal(await cells.getAttribute("aria-current"), "page");
  });
});

// Text colours against the surfaces they stand on, as WCAG counts contrast.
const kPairs = [
  ["ink", "bg"],
  ["ink", "surface"],
  ["ink-2", "bg"],
  ["ink-2", "surface"],
  ["ink-2", "surface-2"],
  ["ink-2", "sunken"],
  ["clay", "surface"],
  ["clay", "clay-soft"],
  ["on-clay", "clay"],
  ["charge", "surface"],
  ["charge", "charge-soft"],
  ["discharge", "surface"],
  ["info", "surface"],
  ["info", "sunken"],
  ["warn", "warn-soft"],
  ["warn", "bg"],
  ["bad", "bad-soft"],
  ["bad", "surface"],
  ["bad", "bg"],
  ["surface", "bad"],
];

test("text reaches a contrast of 4.5 in both themes", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/");
    for (const theme of ["light", "dark"]) {
      const weak = await page.evaluate(
        ([name, pairs]) => {
          document.documentElement.dataset.theme = name;
          const style = getComputedStyle(document.documentElement);
          const luminance = (token) => {
            const hex = style.getPropertyValue(`--${token}`).trim().slice(1);
            const [r, g, b] = [0, 2, 4]
              .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
              .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const contrast = ([a, b]) => {
            const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
            return (high + 0.05) / (low + 0.05);
          };
          return pairs.map((pair) => [pair.join(" on "), contrast(pair)]).filter(([, value]) => !(value >= 4.5));
        },
        [theme, kPairs],
      );
      assert.deepEqual(weak, [], theme);
    }
  });
});
