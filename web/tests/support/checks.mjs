// SPDX-License-Identifier: Apache-2.0
// Checks that hold for every page, whoever serves it: shared by the tests against the simulated box and the real program.
import assert from "node:assert/strict";

export const kPages = ["/", "/cells", "/history", "/network", "/settings", "/settings/box", "/events"];
// Of a box with a radio link.
export const kLinkPages = [...kPages, "/settings/sections"];
// Of an energy pack.
export const kPackPages = ["/", "/modes", "/cells", "/history", "/network", "/settings", "/settings/box", "/events"];

// Bounds against hanging only; nothing is decided by how long something took.
export const kPatienceMs = 30_000;

// Collects what must stay empty: script errors, and anything the content security policy blocked.
export function watch_errors(page) {
  const errors = [];
  page.on("pageerror", (error) => errors.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && /Content.Security.Policy|Refused to/i.test(text)) errors.push(text);
  });
  return errors;
}

export async function open_page(page, url, path) {
  await page.goto(`${url}/#${path}`);
  await page.locator("main h1").waitFor({ state: "attached", timeout: kPatienceMs });
}

export async function wait_for_connection(page, name) {
  await page.locator(`[data-connection="${name}"]`).waitFor({ timeout: kPatienceMs });
}

export async function wait_until(page, condition, argument) {
  await page.waitForFunction(condition, argument, { timeout: kPatienceMs });
}

// No sideways scrolling: neither the document nor anything outside a scrolled table is wider than the screen.
export async function assert_no_sideways_scroll(page, name) {
  const wide = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const is_scrolled = (element) =>
      element.closest(".table-scroll, .chart-frame, .one-line, svg, .sr-only, .skip") !== null;
    const outside = [...document.querySelectorAll("body *")]
      .filter((element) => !is_scrolled(element) && element.getBoundingClientRect().right > width + 1)
      .map((element) => `${element.tagName}.${element.className}`);
    return { document: document.documentElement.scrollWidth - width, outside };
  });
  assert.equal(wide.document, 0, `${name} scrolls sideways`);
  assert.deepEqual(wide.outside, [], `${name} has parts beyond the screen's right edge`);
}

// What must be seen on a phone without scrolling: newest alarm, flow with charge and watts, time, limits, who is connected.
const kEssentials = [
  ".alarm-line",
  ".vessel",
  ".watts",
  ".flow-facts",
  ".flow-inverter-phase",
  ".limit:last-child",
  ".status-row:last-child",
  ".connection",
];

export async function assert_first_screen(page, selectors) {
  const hidden = await page.evaluate((list) => {
    const bottom = document.querySelector(".nav").getBoundingClientRect().top;
    return list.filter((selector) => {
      const box = document.querySelector(selector)?.getBoundingClientRect();
      return box === undefined || box.width === 0 || box.top < 0 || box.bottom > Math.max(bottom, 0) + 1;
    });
  }, selectors);
  assert.deepEqual(hidden, [], "not seen on the first screen");
}
export const assert_essentials_visible = (page) => assert_first_screen(page, kEssentials);

// One heading of the first level, the landmarks, and a name for everything that can be operated.
export async function assert_accessible(page, name) {
  const problems = await page.evaluate(() => {
    const found = [];
    const count = (selector) => document.querySelectorAll(selector).length;
    if (count("h1") !== 1) found.push(`${count("h1")} first headings`);
    if (count("main") !== 1) found.push(`${count("main")} main landmarks`);
    if (document.documentElement.lang === "") found.push("no language");
    const name_of = (element) =>
      element.getAttribute("aria-label") ??
      (element.getAttribute("aria-labelledby") ?? "")
        .split(" ")
        .map((id) => document.getElementById(id)?.textContent ?? "")
        .join(" ");
    for (const element of document.querySelectorAll("a[href], button, input, select, summary, [role='img']")) {
      const labels = [...(element.labels ?? [])].map((label) => label.textContent).join(" ");
      const text = `${name_of(element)} ${labels} ${element.textContent} ${element.title ?? ""}`.trim();
      if (text === "") found.push(`no name: ${element.outerHTML.slice(0, 80)}`);
    }
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    for (const id of new Set(ids))
      if (ids.filter((other) => other === id).length > 1) found.push(`id used twice: ${id}`);
    return found;
  });
  assert.deepEqual(problems, [], name);
}

// The bytes of a first visit as they crossed the wire, by the browser's own account.
export async function measure_first_load(page, url) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  const paths = new Map();
  const sizes = new Map();
  session.on("Network.responseReceived", ({ requestId, response }) =>
    paths.set(requestId, new URL(response.url).pathname),
  );
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => sizes.set(requestId, encodedDataLength));
  await open_page(page, url, "/");
  await page.locator(".watts").waitFor({ timeout: kPatienceMs });
  await page.evaluate(() => document.fonts.ready);
  await page.waitForLoadState("networkidle");
  const files = [...paths]
    .map(([id, path]) => [path, sizes.get(id) ?? 0])
    .filter(([path]) => !path.startsWith("/api/"));
  return { total: files.reduce((sum, [, size]) => sum + size, 0), files };
}
