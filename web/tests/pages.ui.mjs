// SPDX-License-Identifier: Apache-2.0
// Cells, History, Events, sign-in and first set-up.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { kPhone } from "./support/browser.mjs";
import * as checks from "./support/checks.mjs";
import { use_browser } from "./support/fixture.mjs";

const { with_page } = use_browser();

test("cells move live; lowest, highest and their difference belong together", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/cells");
    await page.locator(".cell-chart .bar").first().waitFor({ state: "attached" });
    assert.equal(await page.locator(".cell-chart .bar").count(), 16);
    const heights = () =>
      page.locator(".bar rect").evaluateAll((bars) => bars.map((bar) => bar.getAttribute("height")).join());
    const first = await heights();
    await checks.wait_until(
      page,
      (before) =>
        [...document.querySelectorAll(".bar rect")].map((bar) => bar.getAttribute("height")).join() !== before,
      first,
    );
    await page.getByText("Cell voltages as a table").click();
    const rows = await page
      .locator(".table-behind tbody tr")
      .evaluateAll((list) => list.map((row) => [...row.cells].map((cell) => cell.textContent)));
    assert.equal(rows.length, 16);
    const volts = rows.map((row) => Number.parseFloat(row[1]));
    const lowest = rows.findIndex((row) => row[3].includes("lowest"));
    assert.equal(volts[lowest], Math.min(...volts));
  });
});

test("192 cells fit on a phone, and a large difference is a warning", async () => {
  await with_page({ cells: 192, warnings: ["cell_imbalance"] }, async (page, server) => {
    await page.setViewportSize(kPhone);
    await checks.open_page(page, server.url, "/cells");
    await page.locator(".cell-chart").first().waitFor();
    assert.equal(await page.locator(".cell-chart .bar").count(), 192);
    await page.getByText("Give the battery time at a full charge").waitFor();
    await checks.assert_no_sideways_scroll(page, "192 cells");
  });
});

test("a sensor that is not connected is a dash, not a temperature", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/cells");
    const sensor = page.locator(".figure", { hasText: "Sensor 2" });
    await sensor.waitFor();
    assert.match(await sensor.innerText(), /–[\s\S]*no sensor/);
  });
});

test("history: charts, zoom by drag and by button, and the same range as CSV", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/history");
    await page.locator(".u-over").nth(3).waitFor();
    const range_of = (href) => {
      const parameters = new URL(href, server.url).searchParams;
      return Number(parameters.get("to")) - Number(parameters.get("from"));
    };
    const csv = page.getByRole("link", { name: "CSV" });
    const full = range_of(await csv.getAttribute("href"));
    assert.equal(full, 6 * 3_600_000);
    const box = await page.locator(".u-over").first().boundingBox();
    await page.mouse.move(box.x + box.width * 0.25, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + 30, { steps: 5 });
    await page.mouse.up();
    await checks.wait_until(
      page,
      (wide) => {
        const parameters = new URL(document.querySelector("a[download]").href).searchParams;
        return parameters.get("to") - parameters.get("from") < wide * 0.6;
      },
      full,
    );
    const dragged = range_of(await csv.getAttribute("href"));
    assert.ok(dragged > full * 0.4 && dragged < full * 0.6, `${dragged}`);
    await page.getByRole("button", { name: "Zoom out" }).click();
    assert.ok(range_of(await csv.getAttribute("href")) > dragged * 1.9);
    const [download] = await Promise.all([page.waitForEvent("download"), csv.click()]);
    const lines = readFileSync(await download.path(), "utf8")
      .trim()
      .split("\n");
    assert.match(lines[0], /^time,soc_percent,power_w/);
    assert.ok(lines.length > 10);
    await page.getByText("These values as a table").click();
    assert.ok((await page.locator(".history-card tbody tr").count()) > 10);
    await page.getByText("Days as a table").click();
    assert.equal(await page.locator("section[aria-labelledby='days-title'] tbody tr").count(), 31);
  });
});

test("events: filtered by level, source and words; new ones appear by themselves; older on request", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/events");
    await checks.wait_for_connection(page, "live");
    await page.locator(".event").first().waitFor();
    assert.equal(await page.locator(".event").count(), 100);
    server.box.add_event("error", "storage", "disk_full", "The disk is full; history is kept in memory.");
    await page.locator('.event[data-level="error"]').getByText("The disk is full").waitFor();
    await page.getByRole("button", { name: "Show older events" }).click();
    await checks.wait_until(page, () => document.querySelectorAll(".event").length > 140);
    await page.getByLabel("Level").selectOption({ label: "Warning or worse" });
    await checks.wait_until(page, () => document.querySelectorAll(".event").length === 2);
    server.box.add_event("info", "bms", "noise", "Not worth a warning.");
    server.box.add_event("warning", "bms", "cell_imbalance", "The cells have drifted apart.");
    await page.getByText("The cells have drifted apart.").waitFor();
    assert.equal(await page.getByText("Not worth a warning.").count(), 0);
    await page.getByLabel("Source").selectOption("inverter");
    await checks.wait_until(page, () => document.querySelectorAll(".event").length === 1);
    await page.getByLabel("Level").selectOption({ label: "All levels" });
    await page.getByLabel("Source").selectOption("");
    await page.getByLabel("Words").fill("read back");
    await checks.wait_until(page, () => document.querySelectorAll(".event").length === 1);
    await page.getByLabel("Words").fill("nothing has these words");
    await page.getByText("No event matches.").waitFor();
  });
});

test("sign-in: a wrong password is told, the right one opens the pages, a lost session asks again", async () => {
  await with_page({ login: "required" }, async (page, server) => {
    await page.goto(server.url);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await checks.assert_accessible(page, "sign-in");
    await page.getByLabel("User").fill("admin");
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("User or password is wrong.").waitFor();
    await page.getByLabel("Password").fill("amphora-test-password");
    await page.keyboard.press("Enter");
    await checks.wait_for_connection(page, "live");
    const cookies = await page.context().cookies(server.url);
    assert.ok(
      cookies.some((cookie) => cookie.name === "amphora_session" && cookie.httpOnly && cookie.sameSite === "Strict"),
    );
    server.box.sessions.clear();
    server.drop_clients();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  });
});

test("signing out leaves nothing of the battery in the browser", async () => {
  await with_page({ login: "required" }, async (page, server) => {
    await page.goto(server.url);
    await page.getByLabel("User").fill("admin");
    await page.getByLabel("Password").fill("amphora-test-password");
    await page.keyboard.press("Enter");
    await checks.wait_for_connection(page, "live");
    await page.getByRole("button", { name: "Sign out admin" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem("amphora.last_state")), null);
  });
});

test("first run: the owner's account is made, with its errors at the fields", async () => {
  await with_page({ login: "required", first_run: true }, async (page, server) => {
    await page.goto(server.url);
    await page.getByRole("heading", { name: "Welcome to Amphora" }).waitFor();
    await page.getByLabel("Password", { exact: true }).fill("short");
    await page.getByRole("button", { name: "Create the account" }).click();
    await page.getByText("fewer than 8 characters").waitFor();
    await page.getByLabel("Password", { exact: true }).fill("long enough for a box");
    await page.getByLabel("Password again").fill("something else");
    await page.getByRole("button", { name: "Create the account" }).click();
    await page.getByText("The two passwords differ.").waitFor();
    assert.equal(await page.getByLabel("Password again").getAttribute("aria-invalid"), "true");
    await page.getByLabel("Password again").fill("long enough for a box");
    await page.getByRole("button", { name: "Create the account" }).click();
    await checks.wait_for_connection(page, "live");
    assert.equal(server.box.account.user, "admin");
  });
});

test("the chosen theme stays, and charts follow it", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/");
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: "light" });
    const light = await background();
    await page.getByRole("button", { name: /Colours: as the system/ }).click();
    await page.getByRole("button", { name: /Colours: light/ }).click();
    const dark = await background();
    assert.notEqual(dark, light);
    await page.reload();
    await page.locator(".top").waitFor();
    assert.equal(await background(), dark);
  });
});

test("a box without login shows its pages at once, although it has no account", async () => {
  await with_page({ login: "none", first_run: true }, async (page, server) => {
    await checks.open_page(page, server.url, "/");
    await checks.wait_for_connection(page, "live");
    await page.locator(".flow-card").waitFor();
  });
});
