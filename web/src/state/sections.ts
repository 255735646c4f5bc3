// SPDX-License-Identifier: Apache-2.0
// The state sections as the box has them: its own, and its copies of its peers'. The live connection only tells that
// something changed; then everything is read again, so two browsers and two boxes show the same.
import { computed, effect, signal } from "@preact/signals";
import { ApiError, fetch_sections } from "../api/client";
import type { Peer, SectionScope, StateSection } from "../api/types";
import { name_of_peer } from "../lib/link_words";
import { is_connected, page_now, peers, received, running_s, state } from "./store";

export const scopes = signal<SectionScope[] | undefined>(undefined);
export const sections_failure = signal<string | undefined>(undefined);
// What another browser or another box changed since this page was opened, by "scope/section", for a note at the section.
export const changed_elsewhere = signal<Record<string, string>>({});

// Ages and sync states move without a new revision if a notice was lost on its way; then this finds them.
const kRereadMs = 10_000;

let fetched_at = 0;
let newest_request = 0;
const expected = new Map<string, number>(); // versions that this page itself wrote

export const section_key = (scope: string, section: string) => `${scope}/${section}`;

function origin_text(section: StateSection): string {
  if (section.origin_is_self) return "in another browser";
  if (state.peek().packs !== undefined)
    return section.origin === undefined ? "on another pack" : `on another pack (${section.origin})`;
  const peer = peers.peek().find((entry) => entry.node === section.origin);
  if (peer) return `by ${name_of_peer(peer, state.peek().link?.role)}`;
  return section.origin === undefined ? "on the other side" : `by ${section.origin}`;
}

function note_changes(before: SectionScope[], after: SectionScope[]): void {
  const old_versions = new Map(
    before.flatMap((scope) =>
      scope.sections.map((section) => [section_key(scope.scope, section.name), section.version] as const),
    ),
  );
  const notes = { ...changed_elsewhere.value };
  for (const scope of after) {
    for (const section of scope.sections) {
      const key = section_key(scope.scope, section.name);
      const old = old_versions.get(key);
      if (old === undefined || section.version === undefined || section.version === old) continue;
      if (expected.get(key) === section.version) delete notes[key];
      else notes[key] = `Changed just now ${origin_text(section)}.`;
    }
  }
  changed_elsewhere.value = notes;
}

// Called before the answer to a write of this page can be overtaken by its own notice.
export function expect_version(scope: string, section: string, version: number | undefined): void {
  if (version !== undefined) expected.set(section_key(scope, section), version);
}

export async function load_sections(): Promise<void> {
  newest_request += 1;
  const request = newest_request;
  try {
    const answer = await fetch_sections();
    if (request !== newest_request) return; // a later request asks for something newer
    note_changes(scopes.value ?? [], answer.scopes);
    fetched_at = Date.now();
    scopes.value = answer.scopes;
    sections_failure.value = undefined;
  } catch (error) {
    if (request !== newest_request) return;
    sections_failure.value = error instanceof ApiError ? error.message : "The sections could not be read.";
  }
}

// Everything whose change means that the sections may have changed.
const version_of_all = computed(() => {
  const link_states = peers.value.map((peer) => `${peer.node} ${peer.state} ${peer.has_session}`).join();
  return `${is_connected.value} ${state.value.sections?.revision ?? ""} ${link_states}`;
});

// Reads now and on every change until the returned function is called.
export function watch_sections(): () => void {
  const stop = effect(() => {
    version_of_all.value;
    if (is_connected.peek()) void load_sections();
  });
  const timer = setInterval(() => {
    if (is_connected.peek() && document.visibilityState === "visible") void load_sections();
  }, kRereadMs);
  return () => {
    stop();
    clearInterval(timer);
  };
}

export const peer_of = (scope: SectionScope): Peer | undefined =>
  scope.scope === "own" ? undefined : peers.value.find((peer) => peer.node === scope.scope);

// The link's state is newer than the sections' answer; whichever says that the peer is away is believed.
export function is_scope_offline(scope: SectionScope): boolean {
  return scope.online === false || peer_of(scope)?.state === "disconnected";
}

export function beacon_age_s(scope: SectionScope): number | undefined {
  const live = peer_of(scope)?.beacon_age_s;
  if (live !== undefined && received.value.at.link !== undefined) return running_s("link", live);
  if (scope.beacon_age_s === undefined) return undefined;
  return scope.beacon_age_s + Math.max(0, page_now.value - fetched_at) / 1000;
}
