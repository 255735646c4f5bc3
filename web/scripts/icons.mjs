// SPDX-License-Identifier: Apache-2.0
// Draws the PNG icons of the installed app from public/icon.svg with the tests' browser. Run it by hand after a change of
// the drawing: `node scripts/icons.mjs`; the pictures are kept in the repository so that a build needs no browser.
import { readFileSync } from "node:fs";
import { open_browser } from "../tests/support/browser.mjs";

const folder = new URL("../public/", import.meta.url).pathname;
const drawing = readFileSync(`${folder}icon.svg`, "utf8");
// A maskable icon may be cut to a circle: no rounded corners of its own.
const full_bleed = drawing.replace('rx="112" ', "");

const kPictures = [
  { name: "icon-192.png", size: 192, svg: drawing },
  { name: "icon-512.png", size: 512, svg: drawing },
  { name: "icon-maskable-512.png", size: 512, svg: full_bleed },
];

const browser = await open_browser();
for (const { name, size, svg } of kPictures) {
  await browser.page.setViewportSize({ width: size, height: size });
  await browser.page.setContent(
    `<body style="margin:0">${svg.replace("<svg ", `<svg width="${size}" height="${size}" `)}</body>`,
  );
  await browser.page.screenshot({ path: `${folder}${name}`, omitBackground: true });
}
await browser.close();
