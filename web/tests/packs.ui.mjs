// SPDX-License-Identifier: Apache-2.0
// The pages of an energy pack: power that adds up, one and all packs, the safe state, modes and their settings, relays
// ordered by hand, the network of packs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { kDesktop, kPhone } from "./support/browser.mjs";
import * as checks from "./support/checks.mjs";
import { use_browser } from "./support/fixture.mjs";
import { kSelfNode } from "./support/sim_pack.mjs";

const { with_page, new_page } = use_browser();
const text_of = async (locator) => (await locator.first().innerText()).replaceAll(/[\u202f\s]+/g, " ");

const with_pack = (options, body) =>
  with_page({ role: "pack", power_w: 1180, grid_w: 0, home_w: 1770, ...options }, body);

async function open(page, server, path, ready) {
  await checks.open_page(page, server.url, path);
  await checks.wait_for_connection(page, "live");
  // A level line has no height of its own, so it never counts as visible.
  await page.locator(ready).first().waitFor({ state: "attached" });
}
// What the box has now, on the page at once and not with the next round of values.
const push = (server) => server.box.push_groups("battery", "energy", "modes", "packs", "indicator", "bms_link");

function lose_bms(server, seconds) {
  server.box.options.bms_silent = true;
  server.box.silent_s = seconds;
  server.box.pack.settle();
  push(server);
}

// The watts of the picture, by the names of its ends; undefined is a dash.
async function figures_of(page) {
  return page.evaluate(() => {
    const watts = (selector) => {
      const text = document.querySelector(selector)?.textContent ?? "";
      return /^\d+/.test(text) ? Number.parseInt(text, 10) : undefined;
    };
    const lines = [...document.querySelectorAll(".flow-dots[data-to]")];
    const to = Object.fromEntries(lines.map((line) => [line.dataset.line, line.dataset.to]));
    return {
      battery: watts(".energy-battery .watts"),
      sun: watts('[data-node="sun"] .energy-watts'),
      grid: watts('[data-node="grid"] .energy-watts'),
      home: watts('[data-node="home"] .energy-watts'),
      sum: watts(".flow-facts .fact:last-child dd"),
      to,
    };
  });
}

const kReady = {
  "/": ".energy-flow",
  "/modes": "[data-mode]",
  "/cells": ".cell-chart",
  "/history": ".history-card canvas",
  "/network": "[data-pack]",
  "/settings": ".setting",
  "/settings/box": ".setting",
  "/events": ".event",
};

test("every page opens, fits, and is operable, on both screens", async () => {
  await with_pack({ hindered: "grid" }, async (page, server) => {
    for (const viewport of [kPhone, kDesktop]) {
      await page.setViewportSize(viewport);
      for (const path of checks.kPackPages) {
        await open(page, server, path, kReady[path]);
        await checks.assert_no_sideways_scroll(page, `${path} at ${viewport.width}`);
        await checks.assert_accessible(page, path);
      }
    }
    assert.deepEqual(await page.locator(".nav a > span:first-of-type").allInnerTexts(), [
      "Overview",
      "Modes",
      "Cells",
      "History",
      "Network",
      "Settings",
      "Events",
    ]);
  });
});

test("the watts on the screen add up, in both directions, live", async () => {
  await with_pack({}, async (page, server) => {
    await open(page, server, "/", ".energy-flow");
    const charging = await figures_of(page);
    assert.deepEqual(charging, {
      battery: 1180,
      sun: 2950,
      grid: 0,
      home: 1770,
      sum: 2950,
      to: { battery: "end", sun: "middle", home: "end" },
    });
    assert.match(await text_of(page.locator('[data-node="grid"]')), /disconnected/);
    Object.assign(server.box.options, { power_w: -640, grid_w: 1130 });
    push(server);
    await checks.wait_until(page, () => document.querySelector(".energy-battery .watts").textContent.startsWith("640"));
    const discharging = await figures_of(page);
    assert.deepEqual(discharging.to, { battery: "middle", grid: "middle", home: "end" });
    assert.equal(discharging.battery + discharging.sun + discharging.grid, discharging.sum);
    assert.equal(discharging.home, discharging.sum);
    // An inverter loses something: it is told, and the sum still holds.
    Object.assign(server.box.options, { power_w: 100, grid_w: 1_950 });
    push(server);
    await page.getByText("incl. 80 W losses").waitFor();
    assert.match(await text_of(page.locator(".loads")), /Pool pump 640 W Water heater 310 W/);
    assert.match(await text_of(page.locator(".flow-facts")), /Stored 3\.25 kWh Time .* to full/);
  });
});

test("why the grid is as it is stands in one line, and the box's lights are drawn and told", async () => {
  await with_pack({ soc_percent: 63.4 }, async (page, server) => {
    await open(page, server, "/", ".why-card .grid-line");
    assert.match(
      await text_of(page.locator(".grid-line")),
      /^Grid open, held by Self-consumption: State of charge at or above the high threshold\.$/,
    );
    assert.deepEqual(await page.locator(".mode-pills .pill").allInnerTexts(), ["Self-consumption", "Import limit"]);
    const lights = page.getByRole("img", {
      name: /^Lights of the box: bar 6 of 10 lit.*digits show 63; green light on/,
    });
    await lights.waitFor();
    assert.equal(await lights.locator(".pixel[data-lit]").count(), 6);
    assert.equal(await lights.locator(".segment[data-lit]").count(), 6 + 5, "segments of a 6 and a 3");
    assert.notEqual(
      await lights
        .locator(".pixel[data-lit]")
        .first()
        .evaluate((pixel) => getComputedStyle(pixel).fill),
      await lights
        .locator(".pixel:not([data-lit])")
        .first()
        .evaluate((pixel) => getComputedStyle(pixel).fill),
    );
    server.box.soc = 12;
    push(server);
    await page.getByRole("img", { name: /bar 1 of 10 lit.*digits show 12/ }).waitFor();
    assert.match(await page.locator(".vessel").getAttribute("aria-label"), /12\.\d percent/);
  });
});

test("this pack or all packs: weighted charge, each pack in a row, and the same sum", async () => {
  await with_pack({}, async (page, server) => {
    await open(page, server, "/", ".energy-flow");
    assert.match(await text_of(page.locator(".packs-line")), /^3 packs · 1760 W charging · 58 % · this pack leads$/);
    await page.getByRole("button", { name: "All packs" }).click();
    assert.deepEqual(await figures_of(page), {
      battery: 1760,
      sun: 4130,
      grid: 0,
      home: 2370,
      sum: 4130,
      to: { battery: "end", sun: "middle", home: "end" },
    });
    const rows = (await page.locator(".pack-row").allInnerTexts()).map((text) => text.replaceAll(/[\u202f\s]+/g, " "));
    assert.match(rows[0], /^Pack 12 master 63 % 1180 W charging/);
    assert.equal(rows.length, 3);
    assert.match(await text_of(page.locator(".flow-facts")), /Packs online 3 of 3 Charge, weighted 57\.8 %/);
    server.box.options.pack_away = 9;
    push(server);
    await page.locator(".pack-row[data-stale]").waitFor();
    assert.match(await text_of(page.locator(".flow-facts")), /Packs online 2 of 3/);
    await page.getByRole("button", { name: "This pack" }).click();
    assert.equal((await figures_of(page)).battery, 1180);
  });
  await with_pack({ pack_count: 1 }, async (page, server) => {
    await open(page, server, "/", ".energy-flow");
    assert.equal(await page.getByRole("button", { name: "All packs" }).count(), 0);
    assert.match(await text_of(page.locator(".packs-line")), /^1 pack · /);
  });
});

test("the first screen of a phone holds the essentials: well, in the safe state, with all packs", async () => {
  for (const [options, press] of [
    [{}, undefined],
    [{ bms_silent: true }, undefined],
    [{ bms_silent: true }, "All packs"],
  ]) {
    await with_pack(options, async (page, server) => {
      await page.setViewportSize(kPhone);
      if (options.bms_silent) lose_bms(server, 60);
      await open(page, server, "/", ".indicator");
      await page.locator(".alarm-line").waitFor();
      if (press) await page.getByRole("button", { name: press }).click();
      await page.evaluate(() => document.fonts.ready);
      const selectors = [
        ".alarm-line",
        ".vessel",
        ".energy-node:last-child",
        ".flow-facts",
        ".mode-pills",
        ".grid-line",
      ];
      await checks.assert_first_screen(page, [
        ...selectors,
        ".packs-line",
        ".indicator",
        ".connection",
        ...(options.bms_silent ? [".safety-banner"] : []),
      ]);
    });
  }
});

test("a lost BMS: banner with cause, spoken; the battery's figures are old or unknown, never zero; and back", async () => {
  await with_pack({ grid_w: undefined, home_w: undefined }, async (page, server) => {
    await open(page, server, "/", ".energy-flow");
    assert.equal(await page.locator(".safety-banner").count(), 0);
    lose_bms(server, 30);
    await page.locator('.safety-banner[data-tone="bad"]').waitFor();
    assert.match(
      await text_of(page.locator(".safety-banner")),
      /Safe state: BMS is silent\. Nothing heard from the BMS for 10 s\. Grid closed, loads off\./,
    );
    assert.match(await page.locator("#announcer").innerText(), /^Safe state: Nothing heard from the BMS/);
    assert.match(await text_of(page.locator(".energy-battery .stale-badge")), /\d+ s old/);
    assert.match(await page.locator(".vessel").getAttribute("aria-label"), /old value/);
    const figures = await figures_of(page);
    assert.deepEqual([figures.battery, figures.sun, figures.sum], [undefined, undefined, undefined]);
    assert.equal(figures.home, 820, "what is measured elsewhere goes on");
    assert.match(await text_of(page.locator(".loads")), /Pool pump off Water heater off/);
    assert.match(await text_of(page.locator(".grid-line")), /^Grid closed, held by Safety/);
    assert.match(await text_of(page.locator(".mode-pills")), /Self-consumption waits/);
    await page.getByRole("img", { name: /digits show dashes; green and red light on/ }).waitFor();
    server.box.options.bms_silent = false;
    server.box.silent_s = 0;
    push(server);
    await page.locator(".safety-banner").waitFor({ state: "detached" });
    assert.equal((await figures_of(page)).battery, 1180);
  });
});

test("old figures are grey with their age, and nothing moves", async () => {
  await with_pack({}, async (page, server) => {
    await open(page, server, "/", ".flow-dots");
    await server.close();
    await checks.wait_for_connection(page, "offline");
    await page.locator(".energy-card[data-stale] .stale-badge").waitFor();
    assert.equal(await page.locator(".energy-card .flow-dots").count(), 0);
    assert.equal((await figures_of(page)).battery, 1180, "last known, not gone");
  });
});

test("a mode is switched by two taps: the second stands under what will happen; another browser sees it", async () => {
  await with_pack({}, async (page, server) => {
    for (const [viewport, on] of [
      [kDesktop, true],
      [kPhone, false],
    ]) {
      await page.setViewportSize(viewport);
      await open(page, server, "/modes", "[data-mode]");
      const other = await new_page();
      await open(other, server, "/modes", "[data-mode]");
      const backup = page.getByRole("switch", { name: "Backup" });
      const question = page.getByRole("dialog");
      await backup.click();
      await question.waitFor();
      assert.match(
        await text_of(question),
        on
          ? /Switch backup on\? The grid closes and stays closed\. All 3 packs on this bus take it over\./
          : /Switch backup off\? It no longer holds the grid relay/,
      );
      assert.equal(await backup.isChecked(), !on, "nothing changes by one tap");
      await page.keyboard.press("Escape");
      await question.waitFor({ state: "detached" });
      assert.equal(server.box.pack.value_of("modes", "backup"), !on);
      await backup.focus();
      await page.keyboard.press("Space");
      const sent = page.waitForRequest((request) => request.method() === "PUT");
      await question.getByRole("button", { name: on ? "Switch on" : "Switch off" }).click();
      assert.deepEqual((await sent).postDataJSON(), { scope: "own", section: "modes", values: { backup: on } });
      await question.waitFor({ state: "detached" });
      for (const one of [page, other]) {
        const row = one.locator('[data-mode="backup"]');
        await row.getByText("Running").waitFor({ state: on ? "visible" : "detached" });
        assert.equal(await one.getByRole("switch", { name: "Backup" }).isChecked(), on);
      }
      const grid = await text_of(page.locator('[data-relay="grid"]'));
      if (on) assert.match(grid, /Closed Backup: Backup is on\..*1 other asks/);
      else assert.match(grid, /Open Self-consumption: /);
      await other.getByText("Changed just now in another browser.").waitFor();
      await other.close();
    }
  });
});

test("a change by another pack is told, and settings not yet everywhere are marked", async () => {
  await with_pack({}, async (page, server) => {
    await open(page, server, "/modes", "[data-mode]");
    server.box.options.pack_settings_waiting = true;
    server.box.pack.change_from_peer("modes", { eco: true });
    await page.getByText("Changed just now on another pack (a1:b2:c3:d4:e6:09).").waitFor();
    assert.equal(await page.getByRole("switch", { name: "Eco" }).isChecked(), true);
    await page.getByText("Not at all packs yet").waitFor();
  });
});

test("settings of a mode: told what they will do, refused at the field, saved", async () => {
  await with_pack({}, async (page, server) => {
    await open(page, server, "/modes", "[data-mode]");
    const row = page.locator('[data-mode="self_consumption"]');
    await row.locator("summary").click();
    const low = row.getByLabel("Low state of charge");
    await low.fill("101");
    await row
      .getByText("101 % is outside the range 0 to 100.00 %.")
      .or(row.getByText(/101.*is outside/))
      .first()
      .waitFor();
    await low.fill("60");
    await row.getByText(/falls to 60.% and opens when it reaches 50.%/).waitFor();
    await row.getByRole("button", { name: "Save self-consumption" }).click();
    await row.getByText("must be below the value at which the grid opens").waitFor();
    assert.equal(server.box.pack.value_of("modes", "soc_low_percent"), 10);
    await low.fill("20");
    await row.getByRole("button", { name: "Save self-consumption" }).click();
    await row.getByText("Saved, and in force.").waitFor();
    assert.equal(server.box.pack.value_of("modes", "soc_low_percent"), 20);
    const limit = page.locator('[data-mode="import_limit"]');
    await limit.locator("summary").click();
    await limit.getByLabel("Reset of the energy counter").fill("06:15");
    await limit.getByText(/opens until 06:15/).waitFor();
    await limit.getByRole("button", { name: "Save import limit" }).click();
    await limit.getByText("Saved, and in force.").waitFor();
    assert.equal(server.box.pack.value_of("modes", "import_reset_minute"), 375);
  });
});

test("windows: days and times are chosen, shown as a week, refused without a day, saved as text", async () => {
  await with_pack({}, async (page, server) => {
    for (const viewport of [kPhone, kDesktop]) {
      await page.setViewportSize(viewport);
      await open(page, server, "/modes", ".windows-card .window");
      const card = page.getByRole("region", { name: "Hours of the inverter output" });
      await card.getByRole("button", { name: "Add window 3" }).click();
      const third = card.getByRole("group", { name: "Window 3" });
      for (const day of ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"])
        await third.getByRole("button", { name: day }).click();
      await third.getByLabel("From").fill("12:30");
      await third.getByLabel("To").fill("14:00");
      await third.getByText("Sat, Sun 12:30–14:00").waitFor();
      await card.getByRole("img", { name: /Sat, Sun 12:30–14:00/ }).waitFor();
      await card.getByText(/Kept for when time of use is switched on\. All 3 packs/).waitFor();
      await third.getByRole("button", { name: "Saturday" }).click();
      await third.getByRole("button", { name: "Sunday" }).click();
      await card.getByText("Choose at least one day").waitFor();
      assert.equal(await card.getByRole("button", { name: "Save hours" }).isDisabled(), true);
      await third.getByRole("button", { name: "Sunday" }).click();
      const sent = page.waitForRequest((request) => request.method() === "PUT");
      await card.getByRole("button", { name: "Save hours" }).click();
      assert.deepEqual((await sent).postDataJSON(), {
        scope: "own",
        section: "schedule",
        values: { window_3: "12:30-14:00 7" },
      });
      await card.getByText("Saved, and in force.").waitFor();
      await third.getByRole("button", { name: "Remove window 3" }).click();
      await card.getByRole("button", { name: "Save hours" }).click();
      await third.waitFor({ state: "detached" });
      await card.getByText("Saved, and in force.").waitFor();
      assert.equal(server.box.pack.value_of("schedule", "window_3"), "");
    }
  });
});

test("the order of shedding is sorted by hand, and saved as what changed", async () => {
  await with_pack({}, async (page, server) => {
    await open(page, server, "/modes", ".shed li");
    const card = page.getByRole("region", { name: "Switched off first" });
    const names = () => card.locator(".shed .shed-name").allInnerTexts();
    assert.deepEqual(await names(), ["Water heater", "Pool pump", "Inverter output"]);
    await card.getByRole("button", { name: "Pool pump: earlier" }).click();
    await card.getByRole("button", { name: "Inverter output: never" }).click();
    assert.deepEqual(await names(), ["Pool pump", "Water heater"]);
    await card.getByText("Eco will switch off pool pump, then water heater.").waitFor();
    await card.getByRole("button", { name: "Save order" }).click();
    await card.getByText("Saved, and in force.").waitFor();
    assert.deepEqual(
      ["pool_pump", "water_heater", "inverter_output"].map((name) => server.box.pack.value_of("loads", `shed_${name}`)),
      [1, 2, 0],
    );
  });
});

test("relays by hand: chosen, confirmed, ended; a refused order shows who holds the relay", async () => {
  await with_pack({}, async (page, server) => {
    for (const viewport of [kDesktop, kPhone]) {
      await page.setViewportSize(viewport);
      await open(page, server, "/modes", "[data-relay]");
      const pump = page.locator('[data-relay="pool_pump"]');
      await pump.getByRole("button", { name: "Open", exact: true }).click();
      await pump.getByText(/Pool pump is opened for 30.min\./).waitFor();
      await pump.getByLabel("For").selectOption({ label: "1 h" });
      const sent = page.waitForRequest((request) => request.url().endsWith("/api/v1/relay"));
      await pump.getByRole("button", { name: "Set open" }).click();
      assert.deepEqual((await sent).postDataJSON(), { relay: "pool_pump", order: "open", minutes: 60 });
      await pump.getByText(/Ordered open, 1.h 00.min left|Ordered open, 59.min left/).waitFor();
      await pump.getByText("Ordered by a person.").waitFor();
      assert.equal(await pump.getByRole("button", { name: "Open", exact: true }).getAttribute("aria-pressed"), "true");
      await pump.getByRole("button", { name: "Auto" }).click();
      await pump.getByRole("button", { name: "End the order" }).click();
      await pump.getByText(/Ordered open/).waitFor({ state: "detached" });
      const grid = page.locator('[data-relay="grid"]');
      await grid.getByRole("button", { name: "Closed", exact: true }).click();
      await grid.getByRole("button", { name: "Set closed" }).click();
      await grid
        .getByRole("alert")
        .getByText("Refused: Grid is held by Self-consumption; switch that mode off instead.")
        .waitFor();
      assert.equal(server.box.pack.orders.size, 0);
    }
  });
});

test("a hindered relay tells why and for how long; a contact that does not follow is red", async () => {
  await with_pack({ hindered: "grid", relay_stuck: "pool_pump" }, async (page, server) => {
    await open(page, server, "/modes", "[data-relay]");
    const grid = await text_of(page.locator('[data-relay="grid"]'));
    assert.match(grid, /Closed requested: open/);
    assert.match(grid, /Should be open: it was closed only just now, and stays so for its minimum time, 4\d s more\./);
    const pump = page.locator('[data-relay="pool_pump"]');
    assert.equal(await pump.locator(".relay-head .pill").getAttribute("data-tone"), "bad");
    assert.match(await text_of(pump), /The contact is open, although it is told to be closed\./);
  });
});

test("the import counter: how much, used up until when, and counted from zero after a question", async () => {
  await with_pack({}, async (page, server) => {
    await open(page, server, "/modes", ".import-card .fill");
    const card = page.getByRole("region", { name: "Taken from the grid" });
    assert.match(await text_of(card), /3\.42 of 10\.0 kWh/);
    server.box.pack.counted_kwh = 10.2;
    server.box.pack.settle();
    await card.getByText("Used up").waitFor();
    assert.match(await text_of(card), /The grid stays open until 05:00( tomorrow)?, whatever else asks for it/);
    await card.getByRole("button", { name: "Count from zero" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Count from zero" }).click();
    await card.getByText("Used up").waitFor({ state: "detached" });
    assert.match(await text_of(card), /0\.00 of 10\.0 kWh/);
  });
});

test("the network: every node with its figures, the master's crown, silence and alarms; bus and commands", async () => {
  await with_pack({}, async (page, server) => {
    await open(page, server, "/network", "[data-pack]");
    const own = page.getByRole("region", { name: "This pack" });
    assert.match(await text_of(own), /Has its number Commands sealed.*Number on the bus 12 Hardware 0000a1b2c3d4e5f6/);
    assert.match(await text_of(own), /Master this pack Term 3 Settings the same on all packs/);
    const node = (number) => page.locator(`[data-pack="${number}"]`);
    assert.match(await text_of(node(kSelfNode)), /^Pack 12 master this one Well Energy pack 0\.1/);
    assert.match(await text_of(node(9)), /heard \d s ago.*Charge 58\.5 % Charging 410 W Sun 710 W/);
    assert.match(await text_of(node(9)), /Self-consumption, Import limit Grid open \(Self-consumption\)/);
    assert.equal(await page.locator(".pack-crown").count(), 1);
    assert.match(await text_of(page.getByRole("region", { name: "Bus of the packs" })), /Load: 1\.6 %.*vcan0.*128 400/);
    assert.match(await text_of(page.getByRole("region", { name: "Commands over the bus" })), /Accepted 4 Refused 1/);
    server.box.options.pack_away = 9;
    push(server);
    await node(9).locator('.pill:has-text("Silent")').waitFor();
    assert.equal(await node(9).getAttribute("data-stale"), "");
    lose_bms(server, 30);
    await node(kSelfNode).getByText("BMS silent").waitFor();
    assert.equal(await node(kSelfNode).getAttribute("data-tone"), "bad");
    await own.getByRole("button", { name: "Let it blink" }).click();
    await own.getByText("blink for 10 s").waitFor();
    assert.ok(server.box.pack.identify_until_s > server.box.time_s);
  });
});

test("a pack network that anyone may command is told in red on every page", async () => {
  await with_pack({ pack_security: "plain" }, async (page, server) => {
    for (const path of ["/", "/modes", "/events"]) {
      await open(page, server, path, ".plain-band");
      assert.equal(await text_of(page.locator(".plain-band")), "Pack network is not sealed");
    }
    await open(page, server, "/network", '.pill[data-tone="bad"]');
    await page.getByText("Anyone with access to the bus can switch modes and relays").waitFor();
  });
});

test("settings show what all packs share; events can be filtered by the new sources", async () => {
  await with_pack({}, async (page, server) => {
    await open(page, server, "/settings", '[data-scope="own"] .setting');
    assert.match(await text_of(page.locator('[data-scope="own"]')), /^All packs on this bus .*Modes Synchronised/);
    assert.equal(await page.getByLabel("Reset of the energy counter").inputValue(), "05:00");
    await page.getByRole("group", { name: "Window 1" }).waitFor();
    await open(page, server, "/events", ".event");
    const sources = await page.getByLabel("Source").locator("option").allInnerTexts();
    for (const name of ["Energy", "Pack network", "Pack"]) assert.ok(sources.includes(name), name);
    assert.ok(!sources.includes("Radio link"));
    await page.getByLabel("Source").selectOption("packnet");
    await checks.wait_until(page, () => document.querySelectorAll(".event").length === 2);
  });
});

test("who may only look sees everything and changes nothing", async () => {
  await with_pack({ login: "required", viewer_may_look: true }, async (page, server) => {
    await open(page, server, "/modes", "[data-mode]");
    await page.getByText("You can look, not change.").waitFor();
    for (const name of ["Backup", "Eco"]) assert.equal(await page.getByRole("switch", { name }).isDisabled(), true);
    const buttons = page.locator(".relay-order button, .days button, .shed button, .import-card button");
    for (const button of await buttons.all()) assert.equal(await button.isDisabled(), true);
    await open(page, server, "/network", "[data-pack]");
    assert.equal(await page.getByRole("button", { name: "Let it blink" }).isDisabled(), true);
  });
});

test("where motion is not wanted nothing moves, and words tell the direction", async () => {
  await with_pack({}, async (page, server) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await open(page, server, "/", ".flow-dots");
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    assert.match(await text_of(page.locator(".energy-battery")), /Charging 1180 W/);
  });
});
