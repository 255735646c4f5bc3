// SPDX-License-Identifier: Apache-2.0
// Runs before the first paint, so that a chosen light or dark theme does not flash the other one.
try {
  const theme = localStorage.getItem("amphora.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is refused in some private windows: the system's theme is used then.
}
