// SPDX-License-Identifier: Apache-2.0
// The energy packs of `amphora demo` in real Chromium: their pages show what their APIs say, a mode switched on one page is
// on the others, and a pack that loses its BMS goes into its safe state and tells why.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { kDesktop, kPhone, open_browser } from "./support/browser.mjs";
import * as checks from "./support/checks.mjs";
import { open_program } from "./support/real_program.mjs";

// A BMS counts as lost after 10 s of silence; the rest is against hanging on a busy machine.
const kSafeStatePatienceMs = 90_000;

let program;
let browser;
let why_skipped;

before(async () => {
  program = await open_program();
  if (!program.can_restart) why_skipped = "a demo that runs already does not say where its packs are";
  browser = await open_browser();
});
after(async () => {
  await browser?.close();
  await program?.close();
});

const state_of = async (url) => (await fetch(`${url}/api/v1/state`)).json();

async function eventually(what, condition, patience_ms = checks.kPatienceMs) {
  const give_up_at = Date.now() + patience_ms;
  while (!(await condition())) {
    assert.ok(Date.now() < give_up_at, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// The page of a pack, once that pack has read its battery and hears the others.
async function url_of_pack(number) {
  await eventually(`the page of pack ${number}`, async () => program.pack_urls[number] !== undefined);
  const url = program.pack_urls[number];
  await eventually(`pack ${number} among the others`, async () => {
    const { energy, packs } = await state_of(url).catch(() => ({}));
    return energy?.battery_w !== undefined && (packs?.aggregate?.online ?? 0) >= 3;
  });
  return url;
}

async function open(url, path) {
  const page = await browser.context.newPage();
  page.setDefaultTimeout(checks.kPatienceMs);
  page.complaints = checks.watch_errors(page);
  await checks.open_page(page, url, path);
  await checks.wait_for_connection(page, "live");
  return page;
}

test("a pack's pages open without an error, fit both screens, and are operable", async (context) => {
  if (why_skipped) return context.skip(why_skipped);
  const url = await url_of_pack(1);
  const page = await open(url, "/");
  for (const viewport of [kPhone, kDesktop]) {
    await page.setViewportSize(viewport);
    for (const path of checks.kPackPages) {
      await checks.open_page(page, url, path);
      await page.locator(".card").first().waitFor();
      await checks.assert_no_sideways_scroll(page, `${path} at ${viewport.width}`);
      await checks.assert_accessible(page, path);
      assert.equal(await page.locator("[role='alert'] .note").count(), 0, `${path} reports a failure`);
    }
  }
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test("the watts on the Overview add up, and one node of all leads", async (context) => {
  if (why_skipped) return context.skip(why_skipped);
  const page = await open(await url_of_pack(1), "/");
  await checks.wait_until(page, () => /^\d/.test(document.querySelector(".energy-battery .watts")?.textContent ?? ""));
  // Read in one go: the next moment's figures are others.
  const shown = await page.evaluate(() => {
    const number = (selector) => {
      const text = document.querySelector(selector).textContent;
      return Number.parseFloat(text) * (text.includes("kW") ? 1000 : 1);
    };
    const battery = number(".energy-battery .watts");
    const grid = number('[data-node="grid"] .energy-watts');
    const direction = document.querySelector(".energy-battery").dataset.direction;
    const word = document.querySelector('[data-node="grid"] .energy-word').textContent;
    const ins = number('[data-node="sun"] .energy-watts') + (word === "export" ? 0 : grid);
    const outs = number('[data-node="home"] .energy-watts') + (word === "export" ? grid : 0);
    return {
      in: ins + (direction === "in" ? 0 : battery),
      out: outs + (direction === "in" ? battery : 0),
      rest: Number(/(\d+) W (losses|unmeasured)/.exec(document.querySelector(".sum-rest")?.textContent)?.[1] ?? 0),
      // A trickle has no direction on the screen, so its side is not known here.
      trickle: (direction === "none" ? 2 * battery : 0) + (word === "" ? 2 * grid : 0),
    };
  });
  const difference = Math.abs(Math.abs(shown.in - shown.out) - shown.rest);
  assert.ok(difference <= shown.trickle, JSON.stringify(shown));
  await checks.open_page(page, program.pack_urls[1], "/network");
  await page.locator("[data-pack]").first().waitFor();
  assert.ok((await page.locator("[data-pack]").count()) >= 3);
  assert.equal(await page.locator("[data-pack] .pack-crown").count(), 1);
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test("a mode switched on the page of pack 1 is on the page of pack 3", async (context) => {
  if (why_skipped) return context.skip(why_skipped);
  const first = await open(await url_of_pack(1), "/modes");
  const third = await open(await url_of_pack(3), "/modes");
  const backup_of = (page) => page.getByRole("switch", { name: "Backup" });
  for (const page of [first, third]) await backup_of(page).waitFor();
  const took = [];
  for (const [from, to] of [
    [first, third],
    [third, first],
  ]) {
    const on = !(await backup_of(from).isChecked());
    await backup_of(from).click();
    const began = Date.now();
    await from
      .getByRole("dialog")
      .getByRole("button", { name: on ? "Switch on" : "Switch off" })
      .click();
    await eventually("the mode on the other page", async () => (await backup_of(to).isChecked()) === on);
    await to.locator('[data-mode="backup"] .pill').waitFor({ state: on ? "visible" : "detached" });
    took.push(Date.now() - began);
  }
  for (const page of [first, third]) {
    assert.deepEqual(page.complaints, []);
    await page.close();
  }
  console.log(`from a click on one pack's page to the switch on another's: ${took.join(" and ")} ms`);
});

test("without its BMS pack 2 is in its safe state and tells why, and the others see its alarm", async (context) => {
  if (why_skipped) return context.skip(why_skipped);
  const url = await url_of_pack(2);
  const { packs } = await state_of(url);
  const page = await open(url, "/");
  const other = await open(await url_of_pack(1), "/network");
  page.setDefaultTimeout(kSafeStatePatienceMs);
  other.setDefaultTimeout(kSafeStatePatienceMs);
  program.kill_bms_of_pack(2);
  await page.locator('.safety-banner[data-tone="bad"]').getByText("Safe state: BMS is silent.").waitFor();
  await page.locator(".grid-line").getByText("held by Safety").waitFor();
  await page.locator(".energy-battery[data-stale]").waitFor();
  await other.locator(`[data-pack="${packs.node}"][data-tone="bad"]`).waitFor();
  const { modes } = await state_of(url);
  assert.deepEqual(
    modes.relays.map((relay) => [relay.name, relay.requested]).filter(([name]) => name !== "inverter_output"),
    modes.relays
      .filter((relay) => relay.name !== "inverter_output")
      .map((relay) => [relay.name, relay.name === "grid" ? "closed" : "open"]),
  );
  for (const one of [page, other]) {
    assert.deepEqual(one.complaints, []);
    await one.close();
  }
});
