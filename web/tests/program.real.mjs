// SPDX-License-Identifier: Apache-2.0
// The page against the real program: `amphora demo` with its emulated BMS on a serial line, gateway, inverter and broker.
// AMPHORA_PROGRAM=build/dev/bin/amphora npm run test:real
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { kDesktop, kPhone, open_browser } from "./support/browser.mjs";
import * as checks from "./support/checks.mjs";
import { open_program } from "./support/real_program.mjs";

const kFirstLoadBytesMax = 150_000;
const kOverVoltage = 315;
const kFullyCharged = 300;
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

async function with_page(body) {
  const page = await browser.context.newPage();
  page.setDefaultTimeout(checks.kPatienceMs);
  const errors = checks.watch_errors(page);
  try {
    await body(page);
    assert.deepEqual(errors, []);
  } finally {
    await page.close();
  }
}

const state_now = async () => (await fetch(`${program.url}/api/v1/state`)).json();
const settings_now = async () => (await fetch(`${program.url}/api/v1/bms/settings`)).json();
const setting_now = async (register) => (await settings_now()).settings.find((entry) => entry.register === register);
const value_on_bms = async (register) => (await setting_now(register)).value;

test("every page opens without an error, fits both screens, and is operable", async () => {
  await with_page(async (page) => {
    for (const viewport of [kPhone, kDesktop]) {
      await page.setViewportSize(viewport);
      for (const path of checks.kPages) {
        await checks.open_page(page, program.url, path);
        await checks.wait_for_connection(page, "live");
        await page.locator(".card").first().waitFor();
        await checks.assert_no_sideways_scroll(page, `${path} at ${viewport.width}`);
        await checks.assert_accessible(page, path);
        assert.equal(await page.locator("[role='alert'] .note").count(), 0, `${path} reports a failure`);
      }
    }
  });
});

test("the Overview shows what the API says, all of it on the first screen of a phone", async () => {
  await with_page(async (page) => {
    await page.setViewportSize(kPhone);
    await checks.open_page(page, program.url, "/");
    await checks.wait_for_connection(page, "live");
    await page.locator('.flow-inverter-phase[data-tone="good"]').waitFor();
    const { battery, limits } = await state_now();
    const shown_soc = Number(
      /charge ([\d.]+) percent/.exec(await page.locator(".vessel").getAttribute("aria-label"))[1],
    );
    assert.ok(Math.abs(shown_soc - battery.soc_percent) < 1, `${shown_soc} shown, ${battery.soc_percent} told`);
    assert.ok(limits.cvl_v > 0);
    for (const row of await page.locator(".limit").all()) {
      assert.match(await row.innerText(), /\d+\.\d\s[AV]/);
      assert.doesNotMatch(await row.innerText(), /no reason reported/);
    }
    await checks.assert_essentials_visible(page);
  });
});

test("cells move live, as many as the battery has", async () => {
  await with_page(async (page) => {
    await checks.open_page(page, program.url, "/cells");
    await page.locator(".cell-chart .bar").first().waitFor({ state: "attached" });
    const { battery } = await state_now();
    assert.equal(await page.locator(".cell-chart .bar").count(), battery.cells.count);
    await page.getByText("Cell voltages as a table").click();
    const table = () => page.locator(".table-behind tbody").innerText();
    const first = await table();
    await checks.wait_until(page, (text) => document.querySelector(".table-behind tbody").innerText !== text, first);
  });
});

test("the history is recorded, drawn, and comes as CSV", async () => {
  await with_page(async (page) => {
    await checks.open_page(page, program.url, "/history");
    await page.getByRole("button", { name: "1 hour" }).click();
    await page.locator(".u-over").first().waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "CSV" }).click(),
    ]);
    const lines = readFileSync(await download.path(), "utf8")
      .trim()
      .split(/\r?\n/);
    assert.match(lines[0], /soc_percent/);
    assert.ok(lines.length >= 2, "at least one row");
  });
});

test("events are listed, filtered, and appear by themselves", async () => {
  await with_page(async (page) => {
    await checks.open_page(page, program.url, "/events");
    await page.locator(".event").first().waitFor();
    await page.getByLabel("Words").fill("no event has these words");
    await page.getByText("No event matches.").waitFor();
    await page.getByLabel("Words").fill("");
    await page.locator(".event").first().waitFor();
    const newest = (await (await fetch(`${program.url}/api/v1/events?limit=1`)).json()).events[0];
    await page.getByText(newest.text).first().waitFor();
  });
});

async function open_bms_settings(page) {
  await checks.open_page(page, program.url, "/settings");
  await checks.wait_for_connection(page, "live");
  await page.locator(`#bms-${kOverVoltage}:enabled`).waitFor();
}

async function write_and_wait(page, register, value) {
  await page.locator(`#bms-${register}`).fill(String(value));
  await page.getByRole("button", { name: "Review and write" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Write and verify" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached", timeout: 2 * checks.kPatienceMs });
  return page.locator(`#bms-${register}-outcome`).innerText();
}

test("a setting is written to the BMS, read back, and told in the log", async () => {
  await with_page(async (page) => {
    await open_bms_settings(page);
    const { value: before, step } = await setting_now(kOverVoltage);
    const other = Number((before - 5 * step).toFixed(6));
    assert.match(await write_and_wait(page, kOverVoltage, other), /Written and read back/);
    assert.equal(await value_on_bms(kOverVoltage), other);
    await page.reload();
    await page.locator(`#bms-${kOverVoltage}:enabled`).waitFor();
    assert.equal(Number(await page.locator(`#bms-${kOverVoltage}`).inputValue()), other);
    assert.match(await write_and_wait(page, kOverVoltage, before), /Written and read back/);
    const { events } = await (await fetch(`${program.url}/api/v1/events?source=settings&limit=50`)).json();
    assert.ok(events.length > 0, "writes are in the log");
  });
});

test("a value out of range is refused at its field, and by the box if the page had not noticed", async () => {
  await with_page(async (page) => {
    // The page is told a wider range than there is, so that the refusal comes from the box.
    await page.route("**/api/v1/bms/settings", async (route) => {
      if (route.request().method() !== "GET") return route.continue();
      const response = await route.fetch();
      const answer = await response.json();
      const setting = answer.settings.find((entry) => entry.register === kOverVoltage);
      setting.max = 99_999;
      return route.fulfill({ response, json: answer });
    });
    await open_bms_settings(page);
    const before = await value_on_bms(kOverVoltage);
    await page.locator(`#bms-${kFullyCharged}`).fill("99999");
    assert.match(await page.locator(`#bms-${kFullyCharged}-outcome`).innerText(), /outside the range/);
    await page.getByRole("button", { name: "Discard" }).click();
    const outcome = await write_and_wait(page, kOverVoltage, 60_000);
    assert.match(outcome, /315/);
    assert.match(outcome, /On the BMS now/);
    assert.equal(await value_on_bms(kOverVoltage), before);
  });
});

test("a setting of the box is saved; one that cannot be is refused", async () => {
  await with_page(async (page) => {
    await checks.open_page(page, program.url, "/settings/box");
    await checks.wait_for_connection(page, "live");
    // The demo's boxes share what belongs to the battery; that is changed under "Both sides".
    await page.locator("#box-battery-charge_current_max_a:disabled").waitFor();
    const field = page.locator("#box-inverter-lost_hold_s:enabled");
    await field.waitFor();
    const before = await field.inputValue();
    await field.fill("-1");
    assert.match(await page.locator("#box-inverter-lost_hold_s-outcome").innerText(), /outside the range/);
    await field.fill(String(Number(before) - 1));
    await page.locator("section[aria-labelledby='section-inverter']").getByRole("button", { name: /^Save/ }).click();
    await page.getByText(/^Saved[.,]/).waitFor();
    await page.reload();
    await field.waitFor();
    assert.equal(Number(await field.inputValue()), Number(before) - 1);
  });
});

test("two clients are both live", async () => {
  await with_page(async (first) => {
    await with_page(async (second) => {
      for (const page of [first, second]) {
        await page.bringToFront();
        await checks.open_page(page, program.url, "/cells");
        await checks.wait_for_connection(page, "live");
        await page.getByText("Cell voltages as a table").click();
        const text = await page.locator(".table-behind tbody").innerText();
        await checks.wait_until(page, (old) => document.querySelector(".table-behind tbody").innerText !== old, text);
      }
    });
  });
});

test("the first load stays below its budget, as the program serves it", async () => {
  await with_page(async (page) => {
    const { total, files } = await checks.measure_first_load(page, program.url);
    console.log(`first load: ${total} bytes in ${files.length} files`);
    assert.ok(files.length >= 4, "the measurement saw the files");
    assert.ok(total < kFirstLoadBytesMax, `${total} bytes`);
  });
});

test("the page marks its values when the program stops, and is live again after a restart", async (t) => {
  if (!program.can_restart) {
    t.skip("AMPHORA_URL names a program that this test did not start and cannot restart");
    return;
  }
  await with_page(async (page) => {
    await checks.open_page(page, program.url, "/");
    await checks.wait_for_connection(page, "live");
    await program.stop();
    await checks.wait_for_connection(page, "offline");
    await page.locator(".flow-card[data-stale] .stale-badge").waitFor();
    await program.start();
    await checks.wait_for_connection(page, "live");
    await page.locator(".flow-card:not([data-stale])").waitFor();
  });
});
