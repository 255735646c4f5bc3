// SPDX-License-Identifier: Apache-2.0
// Start of the app: last known values first, then who we are to the box, then the live connection.
import { render } from "preact";
import "./styles/index.css";
import { load_last_state } from "./state/store";
import { App } from "./views/app";

load_last_state();
const root = document.getElementById("app");
if (root) render(<App />, root);

// Browsers offer service workers on https and on this machine only; elsewhere the page works without.
if ("serviceWorker" in navigator && import.meta.env.PROD) {
  window.addEventListener("load", () => {
    navigator.serviceWorker.register("/service_worker.js").catch((error: unknown) => {
      console.warn("The page cannot be kept for offline use:", error);
    });
  });
}
