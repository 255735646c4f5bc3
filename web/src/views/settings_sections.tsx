// SPDX-License-Identifier: Apache-2.0
// The state sections of both sides, apart: this box's, and what it knows of its peers'. Each tells its version, who changed
// it and when, and how far both sides agree. Of a peer that is away the last known values are shown, and cannot be edited.
import { useEffect } from "preact/hooks";
import { write_section } from "../api/client";
import type { SectionScope, StateSection } from "../api/types";
import { age, duration } from "../lib/format";
import { describe_sync, name_of_peer, role_of_peers, short_time } from "../lib/link_words";
import {
  beacon_age_s,
  changed_elsewhere,
  expect_version,
  is_scope_offline,
  load_sections,
  peer_of,
  scopes,
  section_key,
  sections_failure,
  watch_sections,
} from "../state/sections";
import { can_write, is_connected, is_pack, page_now, peers, state } from "../state/store";
import { Card, Failure, Loading, Note, Pill } from "./parts/card";
import { field_text, SectionForm } from "./parts/section_form";

// An id must not hold the colons of a node's name: they mean something in selectors.
const id_of = (scope: SectionScope, section?: StateSection) =>
  ["state", scope.scope.replaceAll(":", ""), section?.name].filter(Boolean).join("-");

function origin_text(section: StateSection): string {
  if (section.origin_is_self) return is_pack.value ? "by this pack" : "by this box";
  if (section.origin === undefined) return "";
  if (is_pack.value) return `by another pack (${section.origin})`;
  const peer = peers.value.find((entry) => entry.node === section.origin);
  return `by ${peer ? name_of_peer(peer, state.value.link?.role) : section.origin}`;
}

// With whom a section is shared.
function other_side(scope: SectionScope): string {
  if (is_pack.value) return "the other packs";
  return scope.scope === "own" ? `the ${role_of_peers(state.value.link?.role).toLowerCase()}` : "the transmitter";
}

function MetaLine({ section }: { section: StateSection }) {
  if (section.version === 0) return <p class="section-meta">Defaults; never changed.</p>;
  const changed =
    section.changed_at === undefined ? "changed" : `changed ${short_time(section.changed_at, page_now.value)}`;
  return (
    <p class="section-meta">
      {section.version !== undefined && <>Version {section.version}, </>}
      {changed} {origin_text(section)}
    </p>
  );
}

function ReadOnlyFields({ section }: { section: StateSection }) {
  return (
    <dl class="facts read-only-fields">
      {section.fields.map((field) => (
        <div class="fact" key={field.name}>
          <dt>{field.title}</dt>
          <dd>{field_text(field)}</dd>
        </div>
      ))}
    </dl>
  );
}

async function save(scope: SectionScope, section: StateSection, values: Record<string, unknown>): Promise<string> {
  const answer = await write_section(scope.scope, section.name, values);
  expect_version(scope.scope, section.name, answer.version);
  await load_sections();
  return answer.version === undefined ? "Saved." : `Saved as version ${answer.version}.`;
}

interface SectionCardProps {
  scope: SectionScope;
  section: StateSection;
  is_offline: boolean;
}

function SectionCard({ scope, section, is_offline }: SectionCardProps) {
  const sync = describe_sync(section, other_side(scope), page_now.value);
  const id = id_of(scope, section);
  const seconds = beacon_age_s(scope);
  const is_editable = can_write.value && !is_offline && scope.editable !== false;
  return (
    <Card
      title={section.title}
      id={`${id}-title`}
      class="setting-card"
      level={3}
      is_stale={is_offline || !is_connected.value}
      age_ms={seconds === undefined ? undefined : seconds * 1000}
      of_peer={is_offline}
      aside={
        <span title={sync.text} data-sync={section.sync}>
          <Pill tone={is_offline ? "neutral" : sync.tone}>{sync.title}</Pill>
        </span>
      }
    >
      {section.help && <p class="section-help">{section.help}</p>}
      <MetaLine section={section} />
      {section.sync === "conflict_resolved" && <Note tone="warn">{sync.text}</Note>}
      {section.read_only ? (
        <ReadOnlyFields section={section} />
      ) : (
        <SectionForm
          id={id}
          section={section}
          can_edit={is_editable}
          on_save={(values) => save(scope, section, values)}
          note={changed_elsewhere.value[section_key(scope.scope, section.name)]}
        />
      )}
    </Card>
  );
}

function OfflineNote({ scope }: { scope: SectionScope }) {
  const seconds = beacon_age_s(scope);
  return (
    <Note tone="warn">
      {seconds === undefined ? "No beacon has been heard yet." : `Last beacon ${Math.round(seconds)} s ago.`} These are
      the last known values. They cannot be changed now: {reason_text(scope)}
    </Note>
  );
}

// The box's reason as a sentence of its own.
function reason_text(scope: SectionScope): string {
  const reason = (scope.reason || "it does not answer").trim();
  return /[.!?]$/.test(reason) ? reason : `${reason}.`;
}

function ScopeHead({ scope, is_offline }: { scope: SectionScope; is_offline: boolean }) {
  const peer = peer_of(scope);
  const seconds = beacon_age_s(scope);
  const is_peer = scope.scope !== "own";
  return (
    <header class="scope-head">
      <h2 id={`${id_of(scope)}-title`}>{scope.title}</h2>
      {peer?.name && <span class="scope-name">{peer.name}</span>}
      {!is_peer && scope.node && <span class="node">{scope.node}</span>}
      {is_peer && (
        <Pill tone={is_offline ? "bad" : "good"}>
          {is_offline
            ? `Offline${seconds === undefined ? "" : `, last beacon ${age(seconds * 1000)} ago`}`
            : `Online${seconds === undefined ? "" : `, beacon ${duration(seconds)} ago`}`}
        </Pill>
      )}
    </header>
  );
}

function Scope({ scope }: { scope: SectionScope }) {
  const is_offline = is_scope_offline(scope);
  return (
    <section class="scope" aria-labelledby={`${id_of(scope)}-title`} data-scope={scope.scope}>
      <ScopeHead scope={scope} is_offline={is_offline} />
      {is_offline ? (
        <OfflineNote scope={scope} />
      ) : (
        scope.editable === false && <Note tone="neutral">Cannot be changed now: {reason_text(scope)}</Note>
      )}
      {scope.sections.map((section) => (
        <SectionCard key={section.name} scope={scope} section={section} is_offline={is_offline} />
      ))}
      {scope.sections.length === 0 && <p class="empty">Nothing has been received from it yet.</p>}
    </section>
  );
}

export function SectionsView() {
  useEffect(() => watch_sections(), []);
  const list = scopes.value;
  if (sections_failure.value && !list)
    return <Failure message={sections_failure.value} on_retry={() => void load_sections()} />;
  if (!list)
    return <Loading what={is_connected.value ? "Reading the sections." : "The sections are kept on the box."} />;
  return (
    <>
      {sections_failure.value && is_connected.value && (
        <Failure message={sections_failure.value} on_retry={() => void load_sections()} />
      )}
      {list.map((scope) => (
        <Scope key={scope.scope} scope={scope} />
      ))}
    </>
  );
}
