// SPDX-License-Identifier: Apache-2.0
// Settings, apart by where they live: inside the BMS, in this box's configuration, and the sections that two boxes agree on.
import type { ComponentChildren } from "preact";
import { path } from "../lib/router";
import { is_connected, is_pack, is_receiver, session, state } from "../state/store";
import { Note } from "./parts/card";
import { BmsSettingsView } from "./settings_bms";
import { BoxSettingsView } from "./settings_box";
import { SectionsView } from "./settings_sections";

interface Part {
  path: string;
  title: string;
  View: () => ComponentChildren;
}

const kBms: Part = { path: "/settings", title: "BMS", View: BmsSettingsView };
const kBox: Part = { path: "/settings/box", title: "This box", View: BoxSettingsView };
// Beside the sections "This box" would say two things.
const kConfiguration: Part = { ...kBox, title: "Configuration" };
const kSections: Part = { path: "/settings/sections", title: "Both sides", View: SectionsView };
const kPackSections: Part = { ...kSections, title: "All packs" };

// The first is what the page opens with. A box with a radio has sections, and so has a pack; a receiver has no BMS of its
// own, and of a pack's only the TinyBMS has settings that can be reached.
function parts(): Part[] {
  if (is_pack.value) {
    const has_bms = state.value.battery?.driver === "tinybms";
    return has_bms ? [kBms, kPackSections, kConfiguration] : [kPackSections, kConfiguration];
  }
  if (is_receiver.value) return [kSections, kConfiguration];
  return state.value.link === undefined ? [kBms, kBox] : [kBms, kSections, kConfiguration];
}

export function WriteNote() {
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
  const list = parts();
  const shown = list.find((part) => part.path === path.value) ?? list[0] ?? kBox;
  return (
    <div class="stack settings">
      <nav class="segmented" aria-label="Which settings">
        {list.map((part) => (
          <a key={part.path} href={`#${part.path}`} aria-current={part === shown ? "page" : undefined}>
            {part.title}
          </a>
        ))}
      </nav>
      <WriteNote />
      <shown.View />
    </div>
  );
}
