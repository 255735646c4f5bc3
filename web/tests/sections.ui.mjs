// SPDX-License-Identifier: Apache-2.0
// The settings that two boxes agree on: edited on either side, refused, in conflict, seen by two browsers, and of a peer
// that is away.
import assert from "node:assert/strict";
import { test } from "node:test";
import { kDesktop, kPhone } from "./support/browser.mjs";
import * as checks from "./support/checks.mjs";
import { use_browser } from "./support/fixture.mjs";
import { kReceiverNode, kTransmitterNode } from "./support/sim_link.mjs";

const { with_page, new_page } = use_browser();
const text_of = async (locator) => (await locator.first().innerText()).replaceAll(/[\u202f\s]+/g, " ");
const scope_of = (page, scope) => page.locator(`[data-scope="${scope}"]`);
const card_of = (page, scope, title) => scope_of(page, scope).getByRole("region", { name: title, exact: true });
const section_of = (server, scope, name) => server.box.link.sections[scope].find((entry) => entry.name === name);
const value_of = (server, scope, name, field) =>
  section_of(server, scope, name).fields.find((entry) => entry.name === field).value;

async function open_sections(page, server) {
  await checks.open_page(page, server.url, "/settings/sections");
  await checks.wait_for_connection(page, "live");
  await page.locator("[data-scope] .setting").first().waitFor();
}

test("a receiver's own sections and its peer's stand apart, each with version, origin, time and sync state", async () => {
  await with_page({ role: "receiver" }, async (page, server) => {
    for (const viewport of [kPhone, kDesktop]) {
      await page.setViewportSize(viewport);
      await open_sections(page, server);
      assert.match(await text_of(scope_of(page, "own")), /^This box .*Display .*Local/);
      assert.doesNotMatch(await text_of(scope_of(page, "own")), /Largest charge current/);
      const theirs = await text_of(scope_of(page, kTransmitterNode));
      assert.match(theirs, new RegExp(`^Transmitter ${kTransmitterNode} .*Online`));
      assert.match(
        await text_of(card_of(page, kTransmitterNode, "Battery")),
        /Battery Synchronised .*Version 3, changed .* by Garage/,
      );
      await card_of(page, kTransmitterNode, "Network").getByText("Defaults; never changed.").waitFor();
      const about = card_of(page, kTransmitterNode, "About");
      assert.match(await text_of(about), /Memory 2048 MB/);
      assert.equal(await about.locator("input").count(), 0, "nothing to edit in what cannot be edited");
    }
  });
});

test("an edit is saved with a new version, waits for the peer, and is then synchronised", async () => {
  await with_page({ role: "transmitter", sync_ms: 60_000 }, async (page, server) => {
    for (const [viewport, amperes] of [
      [kPhone, 60],
      [kDesktop, 70],
    ]) {
      await page.setViewportSize(viewport);
      await open_sections(page, server);
      const card = card_of(page, "own", "Battery");
      const version = section_of(server, "own", "battery").version;
      await card.getByLabel("Largest charge current").fill(String(amperes));
      const sent = page.waitForRequest((request) => request.method() === "PUT");
      await card.getByRole("button", { name: "Save battery" }).click();
      assert.deepEqual((await sent).postDataJSON(), {
        scope: "own",
        section: "battery",
        values: { charge_current_max_a: amperes },
      });
      await card.getByText(`Saved as version ${version + 1}.`).waitFor();
      await card.locator('[data-sync="waiting_for_peer"]').waitFor();
      assert.equal(value_of(server, "own", "battery", "charge_current_max_a"), amperes);
      assert.match(await text_of(card), new RegExp(`Version ${version + 1}, changed .* by this box`));
      for (const waiting of server.box.link.confirmations) waiting.at_s = 0;
      await card.locator('[data-sync="synchronised"]').waitFor();
      await card.getByText("Synchronised").waitFor();
    }
  });
});

test("what is typed wrong is told at the field; what the box refuses too, and nothing is lost", async () => {
  await with_page({ role: "transmitter" }, async (page, server) => {
    for (const viewport of [kPhone, kDesktop]) {
      await page.setViewportSize(viewport);
      await open_sections(page, server);
      const card = card_of(page, "own", "Battery");
      const field = card.getByLabel("Largest charge current");
      const outcome = async () => text_of(page.locator(`[id="${await field.getAttribute("id")}-outcome"]`));
      await field.fill("501");
      assert.match(await outcome(), /501 A is outside the range 0 to 500 A/);
      assert.equal(await card.getByRole("button", { name: "Save battery" }).isDisabled(), true);
      await field.fill("55");
      const reserve = card.getByLabel("Reserve");
      await reserve.fill("95");
      await card.getByRole("button", { name: "Save battery" }).click();
      await card.getByText("Nothing was saved: see the marked field.").waitFor();
      await card
        .locator(".setting", { has: page.getByLabel("Reserve") })
        .getByText("leaves nothing to use")
        .waitFor();
      assert.equal(await reserve.getAttribute("aria-invalid"), "true");
      assert.equal(await field.inputValue(), "55", "what was typed is not lost");
      assert.equal(value_of(server, "own", "battery", "charge_current_max_a"), 50, "all of a section or nothing");
      await card.getByRole("button", { name: "Discard" }).click();
      assert.equal(await reserve.inputValue(), "10");
    }
  });
});

test("each kind of field: address, switch, choice, secret", async () => {
  await with_page({ role: "transmitter" }, async (page, server) => {
    await open_sections(page, server);
    const network = card_of(page, "own", "Network");
    await network.getByLabel("Router", { exact: true }).fill("192.168.1.300");
    await network.getByText("is not an address").waitFor();
    await network.getByLabel("Router", { exact: true }).fill("192.168.1.254");
    await network.getByLabel("Address from the router").check();
    await network.getByRole("button", { name: "Save network" }).click();
    await network.getByText("Saved as version").waitFor();
    assert.equal(value_of(server, "own", "network", "gateway"), "192.168.1.254");
    assert.equal(value_of(server, "own", "network", "dhcp"), true);
    const battery = card_of(page, "own", "Battery");
    await battery.getByLabel("Chemistry").selectOption("nmc");
    await battery.getByRole("button", { name: "Save battery" }).click();
    await battery.getByText("Saved as version").waitFor();
    assert.equal(value_of(server, "own", "battery", "chemistry"), "nmc");
    const mqtt = card_of(page, "own", "MQTT");
    const password = mqtt.getByLabel("Password");
    assert.equal(await password.getAttribute("type"), "password");
    assert.equal(await password.inputValue(), "");
    await password.fill("new secret");
    const sent = page.waitForRequest((request) => request.method() === "PUT");
    await mqtt.getByRole("button", { name: "Save mqtt" }).click();
    assert.deepEqual((await sent).postDataJSON().values, { password: "new secret" });
    await mqtt.getByText("Saved as version").waitFor();
    assert.equal(await password.inputValue(), "");
  });
});

test("a conflict tells whose change won and when", async () => {
  await with_page({ role: "transmitter" }, async (page, server) => {
    await open_sections(page, server);
    const card = card_of(page, "own", "Battery");
    await card.locator('[data-sync="synchronised"]').waitFor();
    const more = { sync: "conflict_resolved", conflict_at: new Date().toISOString() };
    server.box.link.change_from_peer("own", "battery", { charge_current_max_a: 35 }, more);
    await card.getByText(/Conflict resolved: theirs \(\d+:\d+/).waitFor();
    await card.getByText("The newer change, made at the receiver, is in force on both.").waitFor();
    assert.equal(await card.getByLabel("Largest charge current").inputValue(), "35");
    await card.getByText("Changed just now by Living room.").waitFor();
  });
});

test("two browsers stay in step; an edit under way is kept and told of the change", async () => {
  await with_page({ role: "transmitter" }, async (page, server) => {
    const other = await new_page();
    await open_sections(page, server);
    await open_sections(other, server);
    await page.bringToFront();
    const here = card_of(page, "own", "Battery");
    await here.getByLabel("Largest charge current").fill("44");
    const there = card_of(other, "own", "Battery");
    await other.bringToFront();
    await there.getByLabel("Largest charge current").fill("66");
    await there.getByLabel("Reserve").fill("20");
    await there.getByRole("button", { name: "Save battery" }).click();
    await there.getByText("Saved as version 4.").waitFor();
    await page.bringToFront();
    await here.getByText("Changed meanwhile to 66").waitFor();
    await here.getByText("Changed just now in another browser.").waitFor();
    assert.equal(await here.getByLabel("Largest charge current").inputValue(), "44", "what was typed is not lost");
    assert.equal(await here.getByLabel("Reserve").inputValue(), "20", "what was not touched follows");
    await here.getByRole("button", { name: "Save battery" }).click();
    await here.getByText("Saved as version 5.").waitFor();
    await other.bringToFront();
    await checks.wait_until(
      other,
      () => document.querySelector("#state-own-battery-charge_current_max_a").value === "44",
    );
    await other.close();
  });
});

test("of a peer that is away the last known values are shown, grey, with age and reason, and cannot be edited", async () => {
  await with_page({ role: "receiver" }, async (page, server) => {
    for (const viewport of [kPhone, kDesktop]) {
      await page.setViewportSize(viewport);
      server.box.options.peer_away = false;
      await open_sections(page, server);
      const theirs = scope_of(page, kTransmitterNode);
      const card = card_of(page, kTransmitterNode, "Battery");
      const field = card.getByLabel("Largest charge current");
      await theirs.getByText("Online").waitFor();
      assert.equal(await field.isDisabled(), false);
      server.box.link.set_away(42);
      await theirs.locator(".card[data-stale]").nth(3).waitFor();
      await theirs.getByText("They cannot be changed now: the transmitter is offline.").waitFor();
      const note = await text_of(theirs.locator(".note"));
      assert.match(note, /^Last beacon (4[2-9]|5\d|6\d) s ago\. These are the last known values\./);
      assert.match(await text_of(card.locator(".stale-badge")), /^last known, \d+ (s|min) ago$/);
      await page.waitForFunction(
        () => document.querySelector("input#state-020000000001-battery-charge_current_max_a").disabled,
      );
      assert.equal(await field.inputValue(), "50");
      const before = Number(/Last beacon (\d+) s/.exec(note)[1]);
      await checks.wait_until(
        page,
        (seconds) =>
          Number(/Last beacon (\d+) s/.exec(document.querySelector("[data-scope] > .note").innerText)[1]) > seconds,
        before,
      );
      assert.equal(await scope_of(page, "own").locator("[data-stale]").count(), 0, "one's own are not away");
      assert.equal(await page.getByLabel("Time zone").isDisabled(), false);
      server.box.options.peer_away = false;
      await theirs.getByText("Online").waitFor();
      await field.and(page.locator(":enabled")).waitFor();
    }
  });
});

test("a refusal because the peer went away at that moment is told, and nothing typed is lost", async () => {
  await with_page({ role: "receiver" }, async (page, server) => {
    await open_sections(page, server);
    await page.route("**/api/v1/sections", async (route) => {
      if (route.request().method() === "PUT") server.box.link.set_away(31);
      return route.continue();
    });
    const card = card_of(page, kTransmitterNode, "Battery");
    await card.getByLabel("Largest charge current").fill("61");
    await card.getByRole("button", { name: "Save battery" }).click();
    await card.getByText("Nothing was saved: Transmitter").waitFor();
    await card.getByText("is offline; its last beacon was 31 s ago.").waitFor();
    assert.equal(await card.getByLabel("Largest charge current").inputValue(), "61");
    assert.equal(value_of(server, kTransmitterNode, "battery", "charge_current_max_a"), 50);
  });
});

test("a change by the other side appears by itself, with its origin", async () => {
  await with_page({ role: "receiver" }, async (page, server) => {
    await open_sections(page, server);
    const card = card_of(page, kTransmitterNode, "MQTT");
    server.box.link.change_from_peer(kTransmitterNode, "mqtt", { server: "new.home" });
    await checks.wait_until(page, () => document.querySelector("#state-020000000001-mqtt-server").value === "new.home");
    await card.getByText("Changed just now by Garage.").waitFor();
    assert.notEqual(section_of(server, kTransmitterNode, "mqtt").origin, kReceiverNode);
  });
});

test("a viewer sees the sections and can change none", async () => {
  await with_page({ role: "transmitter", login: "required", viewer_may_look: true }, async (page, server) => {
    await open_sections(page, server);
    assert.equal(await card_of(page, "own", "Battery").getByLabel("Largest charge current").isDisabled(), true);
    await page.getByText("You can look, not change.").waitFor();
  });
});
