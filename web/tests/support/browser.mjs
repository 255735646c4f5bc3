// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium for tests and screenshots: headless, silent on the network, with a new profile each time.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const kDesktop = { width: 1280, height: 800 };
export const kPhone = { width: 390, height: 844 };

const kArguments = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

function executable_path() {
  const path = process.env.AMPHORA_CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(path))
    throw new Error(`${path} is missing: install Debian's package chromium, or set AMPHORA_CHROMIUM`);
  return path;
}

// A browser context with a profile of its own; close() ends it and removes the profile.
export async function open_browser(options = {}) {
  const profile = mkdtempSync(join(tmpdir(), "amphora-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: executable_path(),
    headless: true,
    args: kArguments,
    viewport: kDesktop,
    ...options,
  });
  return {
    context,
    page: context.pages()[0] ?? (await context.newPage()),
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
