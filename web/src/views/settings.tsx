// SPDX-License-Identifier: Apache-2.0
// Settings of the BMS and of this box, kept apart because they live in different places and are written differently.
import { path } from "../lib/router";
import { is_connected, session } from "../state/store";
import { Note } from "./parts/card";
import { BmsSettingsView } from "./settings_bms";
import { BoxSettingsView } from "./settings_box";

const kParts = [
  { path: "/settings", title: "BMS" },
  { path: "/settings/box", title: "This box" },
];

function WriteNote() {
  const current = session.value;
  if (!is_connected.value) {
    return <Note tone="neutral">The box does not answer, so nothing can be changed now.</Note>;
  }
  if (current && current.login === "required" && current.role !== "owner") {
    return (
      <Note tone="neutral">
        You can look, not change. <a href="#/sign-in">Sign in as the owner</a> to change settings.
      </Note>
    );
  }
  return null;
}

export function SettingsPage() {
  const is_box = path.value.startsWith("/settings/box");
  return (
    <div class="stack settings">
      <nav class="segmented" aria-label="Which settings">
        {kParts.map((part) => (
          <a
            key={part.path}
            href={`#${part.path}`}
            aria-current={(part.path === "/settings/box") === is_box ? "page" : undefined}
          >
            {part.title}
          </a>
        ))}
      </nav>
      <WriteNote />
      {is_box ? <BoxSettingsView /> : <BmsSettingsView />}
    </div>
  );
}
