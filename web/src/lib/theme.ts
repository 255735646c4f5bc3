// SPDX-License-Identifier: Apache-2.0
// Light, dark, or as the system says. public/theme.js applies the stored choice before the first paint.
import { signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";
const kKey = "amphora.theme";

function read_theme(): Theme {
  const set = document.documentElement.dataset.theme;
  return set === "light" || set === "dark" ? set : "auto";
}

export const theme = signal<Theme>(read_theme());
// Changes whenever colours change, whoever changed them: charts drawn on a canvas repaint on it.
export const colour_epoch = signal(0);

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colour_epoch.value += 1;
});

export function set_theme(next: Theme): void {
  theme.value = next;
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    if (next === "auto") localStorage.removeItem(kKey);
    else localStorage.setItem(kKey, next);
  } catch {
    // Not stored: the choice lasts for this visit.
  }
  colour_epoch.value += 1;
}

export const colour = (token: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();
