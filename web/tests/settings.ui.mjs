// SPDX-License-Identifier: Apache-2.0
// Settings of the BMS and of the box: verified writes, refusals at the field, and who may write at all.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as checks from "./support/checks.mjs";
import { use_browser } from "./support/fixture.mjs";

const { with_page } = use_browser();

const row_of = (page, label) => page.locator(".setting", { has: page.getByLabel(label, { exact: false }) });
const setting_of = (server, register) => server.box.bms_settings.find((entry) => entry.register === register);

async function open_bms_settings(page, server) {
  await checks.open_page(page, server.url, "/settings");
  await checks.wait_for_connection(page, "live");
  await page.locator("#bms-315").waitFor();
}

async function review_and_write(page) {
  await page.getByRole("button", { name: "Review and write" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Write and verify" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

test("a change is reviewed, written, read back and shown", async () => {
  await with_page({}, async (page, server) => {
    await open_bms_settings(page, server);
    await page.locator("#bms-315").fill("4.18");
    await page.locator("#bms-331").selectOption("2");
    await page.locator(".save-bar").getByText("2 changes not written yet").waitFor();
    await page.getByRole("button", { name: "Review and write" }).click();
    const review = await page.getByRole("dialog").innerText();
    assert.match(review, /Over-voltage cut-off\s+4\.200\sV\s+4\.180\sV/);
    assert.match(review, /Load switch\s+FET\s+AIDO2/);
    assert.equal(setting_of(server, 315).value, 4.2, "nothing is written before it is confirmed");
    await page.getByRole("dialog").getByRole("button", { name: "Write and verify" }).click();
    await row_of(page, "Over-voltage cut-off").getByText("Written and read back: 4.180").waitFor();
    assert.equal(setting_of(server, 315).value, 4.18);
    assert.equal(setting_of(server, 331).value, 2);
    assert.equal(await page.locator("#bms-315").inputValue(), "4.180");
    assert.equal(await page.locator(".save-bar").count(), 0);
  });
});

test("a value out of range is told at the field and cannot be written", async () => {
  await with_page({}, async (page, server) => {
    await open_bms_settings(page, server);
    await page.locator("#bms-315").fill("5.0");
    await row_of(page, "Over-voltage cut-off").getByText("is outside the range 1.200 to 4.500").waitFor();
    assert.equal(await page.locator("#bms-315").getAttribute("aria-invalid"), "true");
    assert.match(await page.locator("#bms-315").getAttribute("aria-describedby"), /bms-315-outcome/);
    assert.equal(await page.getByRole("button", { name: "Review and write" }).isDisabled(), true);
    await page.getByRole("button", { name: "Discard" }).click();
    assert.equal(await page.locator("#bms-315").inputValue(), "4.200");
  });
});

test("a write that the BMS refuses is told at the field, with what is on the BMS now", async () => {
  await with_page({ refuse_register: 315 }, async (page, server) => {
    await open_bms_settings(page, server);
    await page.locator("#bms-315").fill("4.1");
    await review_and_write(page);
    const row = row_of(page, "Over-voltage cut-off");
    await row.getByText("the BMS refused 4.1 V").waitFor();
    assert.match(await row.locator(".setting-outcome").innerText(), /On the BMS now: 4\.200\sV/);
    await page.getByText("The write was refused.").waitFor();
    assert.equal(setting_of(server, 315).value, 4.2);
    assert.equal(await page.locator("#bms-315").inputValue(), "4.1", "what was typed is not lost");
  });
});

test("a write that breaks off half way is told register by register", async () => {
  await with_page({ fail_write_register: 317 }, async (page, server) => {
    await open_bms_settings(page, server);
    await page.locator("#bms-315").fill("4.18");
    await page.locator("#bms-317").fill("70");
    await page.locator("#bms-318").fill("30");
    await review_and_write(page);
    await row_of(page, "Over-voltage cut-off").getByText("Written and read back: 4.180").waitFor();
    await row_of(page, "Discharge over-current cut-off")
      .getByText("The BMS did not answer. On the BMS now: 60")
      .waitFor();
    const last = page.locator(".setting", { has: page.locator("#bms-318") });
    await last.getByText("Not written, because an earlier one failed").waitFor();
    assert.equal(await page.locator("#bms-315").inputValue(), "4.180");
    assert.equal(await page.locator("#bms-318").inputValue(), "30", "what was typed is not lost");
  });
});

test("flags are single boxes, and a read-only setting cannot be typed in", async () => {
  await with_page({}, async (page, server) => {
    await open_bms_settings(page, server);
    assert.equal(await page.getByLabel("Do not test the switches").isChecked(), true);
    await page.getByLabel("Use the charge restart level").check();
    await review_and_write(page);
    await page.locator(".field-good").waitFor();
    assert.equal(setting_of(server, 329).value, 6);
    await page.getByLabel("Discharge over-current time-out").selectOption("30");
    await review_and_write(page);
    await page.locator(".field-good").getByText("time-out: 30").waitFor();
    assert.equal(setting_of(server, 329).value, 30 * 256 + 6);
    assert.equal(await page.locator("#bms-307").isDisabled(), true);
  });
});

test("a BMS that is away: the page says why there are no settings, and reads them once it is back", async () => {
  await with_page({ bms_silent: true }, async (page, server) => {
    server.box.silent_s = 60;
    await checks.open_page(page, server.url, "/settings");
    await page.getByText("cannot be read from the BMS now: the BMS does not answer").waitFor();
    server.box.options.bms_silent = false;
    await page.locator("#bms-315").waitFor();
  });
});

test("a command asks before it does anything", async () => {
  await with_page({}, async (page, server) => {
    await open_bms_settings(page, server);
    await page.getByRole("button", { name: "Restart the BMS" }).click();
    await page.getByRole("dialog").getByText("may lose its supply").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Clear the BMS's events" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Clear the BMS's events" }).click();
    await page.getByText("accepted").waitFor();
  });
});

test("box settings: saved by section; a refusal stands at its field and nothing is saved", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/settings/box");
    await checks.wait_for_connection(page, "live");
    await page.getByLabel("Largest charge current").fill("60");
    await page.getByRole("button", { name: "Save battery" }).click();
    await page.getByText("Saved, and in force.").waitFor();
    const [battery, mqtt] = server.box.sections;
    assert.equal(battery.fields[0].value, 60);
    await page.getByLabel("Broker").fill("");
    await page.getByLabel("Publish on MQTT").uncheck();
    await page.getByRole("button", { name: "Save mqtt" }).click();
    await row_of(page, "Broker").getByText("a broker needs a name or an address").waitFor();
    assert.equal(mqtt.fields[0].value, true, "all of a section or nothing");
  });
});

test("a secret is never shown and can be replaced", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/settings/box");
    await checks.wait_for_connection(page, "live");
    const password = page.getByLabel("Password");
    assert.equal(await password.inputValue(), "");
    assert.equal(await password.getAttribute("type"), "password");
    await row_of(page, "Password").getByText("it is never shown").waitFor();
    const sent = page.waitForRequest((request) => request.method() === "PUT");
    await password.fill("new secret");
    await page.getByRole("button", { name: "Save mqtt" }).click();
    assert.deepEqual((await sent).postDataJSON(), { section: "mqtt", values: { password: "new secret" } });
  });
});

test("a viewer sees everything and can change nothing", async () => {
  await with_page({ login: "required", viewer_may_look: true }, async (page, server) => {
    await checks.open_page(page, server.url, "/settings");
    await page.locator("#bms-315").waitFor();
    assert.equal(await page.locator("#bms-315").isDisabled(), true);
    await page.getByText("You can look, not change.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Restart the BMS" }).isDisabled(), true);
  });
});

test("a token that the box has forgotten is renewed without losing the write", async () => {
  await with_page({}, async (page, server) => {
    await open_bms_settings(page, server);
    server.box.csrf = "token-after-restart";
    await page.locator("#bms-318").fill("25");
    await review_and_write(page);
    await row_of(page, "Charge over-current cut-off").getByText("Written and read back: 25").waitFor();
    assert.equal(setting_of(server, 318).value, 25);
  });
});
