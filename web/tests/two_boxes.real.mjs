// SPDX-License-Identifier: Apache-2.0
// Both boxes of `amphora demo` in real Chromium: what is changed on either page is shown on the other.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { kDesktop, kPhone, open_browser } from "./support/browser.mjs";
import * as checks from "./support/checks.mjs";
import { open_program } from "./support/real_program.mjs";

let program;
let browser;

before(async () => {
  program = await open_program();
  browser = await open_browser();
});
after(async () => {
  await browser?.close();
  await program?.close();
});

const state_of = async (url) => (await fetch(`${url}/api/v1/state`)).json();
async function eventually(what, condition) {
  const give_up_at = Date.now() + checks.kPatienceMs;
  while (!(await condition())) {
    assert.ok(Date.now() < give_up_at, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function open(url, path) {
  const page = await browser.context.newPage();
  page.setDefaultTimeout(checks.kPatienceMs);
  page.complaints = checks.watch_errors(page);
  await checks.open_page(page, url, path);
  await checks.wait_for_connection(page, "live");
  return page;
}
const scope_of = (page, scope) => page.locator(`[data-scope="${scope}"]`);
const charge_current_of = (page, scope) =>
  scope_of(page, scope).getByRole("region", { name: "Battery", exact: true }).getByLabel("Largest charge current");

test("the receiver shows the battery it hears, on every page and both screens", async () => {
  const url = program.receiver_url;
  await eventually("the link", async () => (await state_of(url).catch(() => ({}))).battery?.online === true);
  for (const viewport of [kPhone, kDesktop]) {
    for (const path of checks.kLinkPages) {
      const page = await open(url, path);
      await page.setViewportSize(viewport);
      await page.locator(".card").first().waitFor();
      await checks.assert_no_sideways_scroll(page, `${path} at ${viewport.width}`);
      await checks.assert_accessible(page, path);
      assert.equal(await page.locator("[role='alert'] .note").count(), 0, `${path} reports a failure`);
      assert.deepEqual(page.complaints, []);
      await page.close();
    }
  }
  assert.equal((await state_of(url)).box.role, "receiver");
});

test("a setting changed on either page is on the other", async () => {
  const transmitter = (await state_of(program.receiver_url)).link.peers[0].node;
  const battery_side = await open(program.url, "/settings/sections");
  const house_side = await open(program.receiver_url, "/settings/sections");
  const took = [];
  for (const [from, from_scope, to, to_scope, amperes] of [
    [battery_side, "own", house_side, transmitter, 37],
    [house_side, transmitter, battery_side, "own", 38],
  ]) {
    await charge_current_of(from, from_scope).fill(String(amperes));
    const began = Date.now();
    await scope_of(from, from_scope).getByRole("button", { name: "Save battery" }).click();
    await eventually(
      `${amperes} A on the other page`,
      async () => (await charge_current_of(to, to_scope).inputValue()) === String(amperes),
    );
    took.push(Date.now() - began);
  }
  assert.deepEqual(battery_side.complaints, []);
  assert.deepEqual(house_side.complaints, []);
  console.log(`from a click on one page to the value on the other: ${took.join(" and ")} ms`);
});
