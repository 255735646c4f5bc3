// SPDX-License-Identifier: Apache-2.0
// Which page is shown, by the part of the address after '#'. No history library: the browser's own back and forward do.
import { signal } from "@preact/signals";

function read_path(): string {
  const path = window.location.hash.replace(/^#/, "").replace(/\/+$/, "");
  return path === "" ? "/" : path;
}

export const path = signal(read_path());

window.addEventListener("hashchange", () => {
  path.value = read_path();
});

export function go_to(next: string): void {
  window.location.hash = next;
}
