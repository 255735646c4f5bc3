// SPDX-License-Identifier: Apache-2.0
// Transmitter and receiver: their pages, the state of the link, an unsealed radio, pairing, and values of a box that is away.
import assert from "node:assert/strict";
import { test } from "node:test";
import { kDesktop, kPhone } from "./support/browser.mjs";
import * as checks from "./support/checks.mjs";
import { use_browser } from "./support/fixture.mjs";
import { kReceiverNode, kTransmitterNode } from "./support/sim_link.mjs";

const { with_page } = use_browser();
const text_of = async (locator) => (await locator.first().innerText()).replaceAll(/[\u202f\s]+/g, " ");
const peer_card = (page) => page.locator(".peer-card");
const part = (page, title) => peer_card(page).getByRole("region", { name: title });

async function open_network(page, server) {
  await checks.open_page(page, server.url, "/network");
  await checks.wait_for_connection(page, "live");
  await peer_card(page).waitFor();
}

const kRoles = [
  { role: "transmitter" },
  { role: "transmitter", no_inverter: true, mode: "plain" },
  { role: "receiver", cells: 192 },
  { role: "bms-gateway", radio_link: true },
];

for (const options of kRoles) {
  test(`every page of a box opens, fits and is operable: ${JSON.stringify(options)}`, async () => {
    await with_page(options, async (page, server) => {
      const away = async (path) => {
        await checks.open_page(page, server.url, path);
        await checks.wait_for_connection(page, "live");
        await page.locator(".card").first().waitFor();
        await page.waitForLoadState("networkidle");
        await checks.assert_no_sideways_scroll(page, path);
        await checks.assert_accessible(page, path);
      };
      for (const viewport of [kPhone, kDesktop]) {
        await page.setViewportSize(viewport);
        server.box.options.peer_away = false;
        for (const path of checks.kLinkPages) await away(path);
        server.box.link.set_away(300);
        for (const path of checks.kLinkPages) await away(path);
      }
    });
  });
}

test("the navigation and the settings offer what a role has", async () => {
  const parts_of = async (page) =>
    (await page.getByRole("navigation", { name: "Which settings" }).getByRole("link").allInnerTexts()).join(", ");
  for (const [options, expected, tag] of [
    [{ role: "bms-gateway" }, "BMS, This box", "BMS gateway"],
    [{ role: "transmitter" }, "BMS, Both sides, Configuration", "Transmitter"],
    [{ role: "receiver" }, "Both sides, Configuration", "Receiver"],
  ]) {
    await with_page(options, async (page, server) => {
      await checks.open_page(page, server.url, "/settings");
      await checks.wait_for_connection(page, "live");
      await page.locator(".role-tag").waitFor();
      assert.equal(await text_of(page.locator(".role-tag")), tag);
      assert.equal(await parts_of(page), expected);
    });
  }
});

test("an unsealed radio is told in red on every page, until it is sealed", async () => {
  for (const role of ["transmitter", "receiver"]) {
    await with_page({ role, mode: "plain" }, async (page, server) => {
      const band = page.getByRole("link", { name: "Radio is not sealed" });
      for (const viewport of [kPhone, kDesktop]) {
        await page.setViewportSize(viewport);
        for (const path of checks.kLinkPages) {
          await checks.open_page(page, server.url, path);
          await band.waitFor();
          const is_red = await band.evaluate((element) => {
            const probe = document.createElement("i");
            probe.style.color = "var(--bad)";
            document.body.append(probe);
            const red = getComputedStyle(probe).color;
            probe.remove();
            return getComputedStyle(element).backgroundColor === red;
          });
          assert.equal(is_red, true, path);
          await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
          assert.ok((await band.boundingBox()).y >= 0, `${path}: seen however far one scrolls`);
        }
      }
      await checks.open_page(page, server.url, "/network");
      await page.getByText("Anyone in radio range can read what is sent").waitFor();
      server.box.options.mode = "sealed";
      await band.waitFor({ state: "detached" });
    });
  }
});

test("a gateway that is a transmitter too, with alarm and unsealed radio, shows all essentials on a phone", async () => {
  for (const more of [{}, { mode: "plain", alarms: ["high_voltage"] }]) {
    await with_page({ radio_link: true, power_w: 1500, ...more }, async (page, server) => {
      await page.setViewportSize(kPhone);
      await checks.open_page(page, server.url, "/");
      await checks.wait_for_connection(page, "live");
      await page.locator(".alarm-line").waitFor();
      await page.evaluate(() => document.fonts.ready);
      assert.equal(await page.locator(".status-row").count(), 4);
      await checks.assert_essentials_visible(page);
    });
  }
});

test("the network page tells the own box and the peer apart, and the state of the link with its history", async () => {
  await with_page({ role: "transmitter" }, async (page, server) => {
    await open_network(page, server);
    const own = await text_of(page.getByRole("region", { name: "This box" }));
    assert.match(own, new RegExp(kTransmitterNode));
    assert.doesNotMatch(own, new RegExp(kReceiverNode));
    assert.match(
      await text_of(peer_card(page)),
      new RegExp(`Receiver · Living room.*Paired Connected.*${kReceiverNode}`),
    );
    const current = peer_card(page).locator(".link-states [aria-current]");
    assert.equal(await text_of(current), "Connected");
    assert.match(await text_of(part(page, "What happened")), /Connected to → Degraded frames were not acknowledged/);
    for (const [seconds, title] of [
      [12, "Degraded"],
      [22, "Failing"],
      [200, "Disconnected"],
    ]) {
      server.box.link.set_away(seconds);
      await current.filter({ hasText: title }).waitFor();
      assert.match(await text_of(part(page, "What happened").locator(".change")), /nothing was heard for too long/);
    }
    assert.match(await text_of(peer_card(page)), /Its MQTT – unknown: it is offline/);
    await page.getByRole("region", { name: "Looking for the receiver" }).getByText("Searching").waitFor();
    server.box.options.peer_away = false;
    await current.filter({ hasText: "Connected" }).waitFor();
  });
});

test("queue: how full, how fast, what was lost", async () => {
  await with_page({ role: "transmitter", queue_dropped: 14 }, async (page, server) => {
    await open_network(page, server);
    const queue = part(page, "Readings on their way");
    assert.match(await text_of(queue), /3 of 250 places taken; at most 41/);
    assert.equal(await queue.locator("meter").getAttribute("value"), "3");
    assert.equal(await queue.locator("meter").getAttribute("max"), "250");
    assert.match(await text_of(queue), /Dropped 14 .*Time to ack, mean 9 ms/);
    server.box.link.set_away(400);
    await queue.getByText("250 of 250 places taken").waitFor();
    const share = await queue.locator(".fill-level").getAttribute("width");
    assert.equal(Number(share), 100);
  });
});

test("a receiver counts readings and cell pictures, and what it rejected, each with a sentence", async () => {
  await with_page({ role: "receiver" }, async (page, server) => {
    await open_network(page, server);
    assert.match(await text_of(part(page, "Readings received")), /Delivered 3\d{3} Duplicates 4 Missing 0/);
    const rejected = part(page, "Rejected frames");
    const line = (name) => rejected.locator(`[data-name="${name}"]`);
    assert.match(await text_of(line("altered")), /^0 Altered The seal did not fit/);
    server.box.link.rejected.altered = 3;
    server.box.link.rejected.replayed = 12_345;
    await line("altered").and(page.locator('[data-tone="warn"]')).waitFor();
    assert.match(await text_of(line("altered")), /^3 Altered/);
    assert.match(await text_of(line("replayed")), /^12 345 Replayed A genuine frame/);
  });
});

test("the radio tells what it can and what is wrong, with what to do", async () => {
  const radio = { send_status: "always_acked" };
  await with_page({ role: "transmitter", radio }, async (page, server) => {
    await open_network(page, server);
    const card = page.getByRole("region", { name: "Radio", exact: true });
    await card.getByText("calls every frame acknowledged").waitFor();
    server.box.options.radio = { state: "down", error: "wlan1: No such device" };
    await card.getByText("wlan1: No such device").waitFor();
    await card.getByText("Check that the adapter is plugged in").waitFor();
  });
});

test("a gateway's network page shows bus, BMS and control loop", async () => {
  await with_page({}, async (page, server) => {
    await checks.open_page(page, server.url, "/network");
    await checks.wait_for_connection(page, "live");
    assert.match(await text_of(page.getByRole("region", { name: "Inverter bus" })), /can0 .*Frames sent 1200/);
    const bms = page.getByRole("region", { name: "BMS", exact: true });
    assert.match(await text_of(bms), /Requests 900 .*Disconnected to → Connected it answered again/);
    assert.match(await text_of(page.getByRole("region", { name: "Control loop" })), /Longest delay 900 µs/);
    assert.equal(await page.getByRole("region", { name: "Pairing" }).count(), 0);
  });
});

test("a receiver shows the peer's battery live; when the peer is away all of it is grey, with its age", async () => {
  await with_page({ role: "receiver", power_w: 1180, cells: 192 }, async (page, server) => {
    for (const viewport of [kPhone, kDesktop]) {
      await page.setViewportSize(viewport);
      server.box.options.peer_away = false;
      await checks.open_page(page, server.url, "/");
      await page.locator('.flow-dots[data-direction="in"]').waitFor({ state: "attached" });
      assert.match(await text_of(page.locator(".watts")), /^1180 W/);
      assert.equal(await page.locator(".limit").count(), 0);
      assert.equal(await page.locator("[data-stale]").count(), 0);
      server.box.link.set_away(42);
      await page.locator(".flow-card[data-stale]").waitFor();
      assert.match(await text_of(page.locator(".flow-card .stale-badge")), /^last known, \d+ s ago$/);
      assert.equal(await page.locator(".flow-dots").count(), 0);
      assert.match(await text_of(page.locator(".status-list")), /Transmitter Disconnected Garage, heard \d+ s ago/);
      await checks.open_page(page, server.url, "/cells");
      await page.locator(".card[data-stale] .cell-chart").first().waitFor();
      assert.equal(await page.locator(".cell-chart .bar").count(), 192);
      assert.equal(await page.locator(".card[data-stale]").count(), 2);
      assert.match(await text_of(page.locator(".stale-badge")), /^last known, \d+ s ago$/);
    }
  });
});

test("192 cells on a phone: each bar is wide enough to see and to touch", async () => {
  await with_page({ role: "receiver", cells: 192 }, async (page, server) => {
    await page.setViewportSize(kPhone);
    await checks.open_page(page, server.url, "/cells");
    await page.locator(".cell-chart").first().waitFor();
    const widths = await page.locator(".bar rect").evaluateAll((bars) => bars.map((bar) => bar.width.baseVal.value));
    assert.equal(widths.length, 192);
    assert.ok(Math.min(...widths) >= 3.5, `${Math.min(...widths)} pixels`);
    const bar = await page.locator(".bar").nth(100).locator("rect").boundingBox();
    await page.mouse.move(bar.x + bar.width / 2, bar.y + bar.height / 2);
    await page.locator(".chart-readout").getByText("Cell 101:").waitFor();
  });
});

test("pairing on a transmitter: a big code with a countdown, then done; a new code on demand", async () => {
  await with_page({ role: "transmitter" }, async (page, server) => {
    const { link } = server.box;
    for (const viewport of [kPhone, kDesktop]) {
      await page.setViewportSize(viewport);
      await open_network(page, server);
      const card = page.getByRole("region", { name: "Pairing" });
      await card.getByRole("button", { name: /Pair a receiver|Show a new code/ }).click();
      await card.getByRole("img", { name: "Code: 4 0 7 1 2 9" }).waitFor();
      const size = await card
        .locator(".code")
        .evaluate((element) => Number.parseFloat(getComputedStyle(element).fontSize));
      assert.ok(size >= 40, `${size} pixels`);
      const left = () => text_of(card.locator(".code-left"));
      const before = await left();
      assert.match(before, /Valid for (5|4) min/);
      await checks.wait_until(
        page,
        (text) => document.querySelector(".code-left").innerText.replaceAll(/[\u202f\s]+/g, " ") !== text,
        before,
      );
      await checks.assert_no_sideways_scroll(page, "pairing");
      link.start_exchange(true);
      await card.getByText("Paired. From now on everything").waitFor();
      assert.equal(await card.locator(".code").count(), 0, "a used code is not shown");
    }
  });
});

test("pairing on a transmitter: a code that has expired is told, and one shown elsewhere is not made up", async () => {
  await with_page({ role: "transmitter" }, async (page, server) => {
    await open_network(page, server);
    const card = page.getByRole("region", { name: "Pairing" });
    await card.getByRole("button", { name: "Pair a receiver" }).click();
    await card.locator(".code").waitFor();
    await page.reload();
    await card.getByText("A code is shown in another browser, valid for").waitFor();
    assert.equal(await card.locator(".code").count(), 0);
    await card.getByRole("button", { name: "Show a new code" }).click();
    await card.locator(".code").waitFor();
    server.box.link.pairing_until_s = 0;
    await card.getByText("The code had expired. Show a new one").waitFor();
    await card.locator(".code").waitFor({ state: "detached" });
  });
});

test("pairing on a receiver: the code is checked, progress shown, and a failure clear", async () => {
  await with_page({ role: "receiver" }, async (page, server) => {
    for (const viewport of [kPhone, kDesktop]) {
      await page.setViewportSize(viewport);
      await open_network(page, server);
      const card = page.getByRole("region", { name: "Pairing" });
      const input = card.getByLabel("Code shown by the transmitter");
      const button = card.getByRole("button", { name: "Pair" });
      await input.fill("12 34");
      await button.click();
      await card.getByText("The code has 6 digits.").waitFor();
      assert.equal(await input.getAttribute("aria-invalid"), "true");
      await input.fill("000 000");
      await input.press("Enter");
      await card.getByText("The boxes are agreeing on a key").waitFor();
      assert.equal(await input.isDisabled(), true);
      await card.getByText("The code was wrong.").waitFor();
      assert.match(await text_of(card.locator(".pairing-outcome")), /2 tries are left/);
      await input.fill("407 129");
      await button.click();
      await card.locator('.pairing-steps [data-step="now"]').filter({ hasText: "Keys exchanged" }).waitFor();
      await card.getByText("Paired. From now on everything").waitFor();
      assert.equal(await card.locator('.pairing-steps [data-step="done"]').count(), 3);
      server.box.link.pairing = { state: "failed", reason: "too_many_tries", tries_left: 0 };
      await card.getByText("that code is void now").waitFor();
      server.box.link.pairing = { state: "idle" };
      await card.getByText("that code is void now").waitFor({ state: "detached" });
    }
  });
});

test("a peer is forgotten only after a question", async () => {
  await with_page({ role: "receiver" }, async (page, server) => {
    await open_network(page, server);
    await page.getByRole("button", { name: "Forget this transmitter" }).click();
    await page.getByRole("dialog").getByText("must be paired again").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(server.box.link.has_peer, true);
    await page.getByRole("button", { name: "Forget this transmitter" }).click();
    const sent = page.waitForRequest((request) => request.method() === "POST");
    await page.getByRole("dialog").getByRole("button", { name: "Forget it" }).click();
    assert.deepEqual((await sent).postDataJSON(), { action: "forget", node: kTransmitterNode });
    await page.getByText("No transmitter yet").waitFor();
    assert.equal(server.box.link.has_peer, false);
  });
});

test("a viewer can neither pair nor forget", async () => {
  await with_page({ role: "receiver", login: "required", viewer_may_look: true }, async (page, server) => {
    await open_network(page, server);
    assert.equal(await page.getByLabel("Code shown by the transmitter").isDisabled(), true);
    assert.equal(await page.getByRole("button", { name: "Forget this transmitter" }).isDisabled(), true);
  });
});
