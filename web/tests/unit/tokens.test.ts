// SPDX-License-Identifier: Apache-2.0
// The dark theme stands twice in the style sheet, once for the system's wish and once for the page's own button.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const text = readFileSync(new URL("../../src/styles/tokens.css", import.meta.url), "utf8");

function tokens_after(selector: string): string[] {
  const start = text.indexOf(selector);
  const block = text.slice(text.indexOf("{", start) + 1, text.indexOf("}", start));
  return [...block.matchAll(/(--[\w-]+): ([^;]+);/g)].map(([, name, value]) => `${name} ${value}`);
}

it("both dark themes are the same, and name every colour of the light one", () => {
  const chosen = tokens_after(':root[data-theme="dark"]');
  const wished = tokens_after(":root:not(");
  expect(chosen.length).toBeGreaterThan(20);
  expect(wished).toEqual(chosen);
  const names = (list: string[]) => list.map((line) => line.split(" ")[0]);
  const light = tokens_after(":root {").filter((line) => /^--[\w-]+ #/.test(line));
  expect(names(light).filter((name) => !names(chosen).includes(name))).toEqual([]);
});
