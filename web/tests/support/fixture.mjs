// SPDX-License-Identifier: Apache-2.0
// One browser for a file of tests; for each test a page and a simulated box of its own, and no error left unnoticed.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { start_dev_server } from "../dev_server.mjs";
import { open_browser } from "./browser.mjs";
import { watch_errors } from "./checks.mjs";

export function use_browser() {
  const used = { browser: undefined };
  before(async () => {
    used.browser = await open_browser();
  });
  after(() => used.browser?.close());

  used.new_page = () => used.browser.context.newPage();
  used.with_page = async (options, body) => {
    const server = await start_dev_server(0, options);
    const page = await used.new_page();
    const errors = watch_errors(page);
    try {
      await body(page, server);
      assert.deepEqual(errors, []);
    } finally {
      await page.close();
      await server.close();
    }
  };
  return used;
}
