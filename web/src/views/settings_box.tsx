// SPDX-License-Identifier: Apache-2.0
// The settings of this box that stand in its configuration, one form for each section.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, fetch_box_settings, write_box_settings } from "../api/client";
import type { BoxSection } from "../api/types";
import { can_write, is_connected } from "../state/store";
import { Card, Failure, Loading, Note } from "./parts/card";
import { SectionForm } from "./parts/section_form";

const sections = signal<BoxSection[] | undefined>(undefined);
const failure = signal<string | undefined>(undefined);

async function load(): Promise<void> {
  try {
    sections.value = (await fetch_box_settings()).sections;
    failure.value = undefined;
  } catch (error) {
    failure.value = error instanceof ApiError ? error.message : "The settings could not be read.";
  }
}

async function save(section: BoxSection, values: Record<string, unknown>): Promise<string> {
  const answer = await write_box_settings(section.name, values);
  await load();
  return answer.restart_needed ? "Saved. In force after the next start of the box." : "Saved, and in force.";
}

function SectionCard({ section }: { section: BoxSection }) {
  return (
    <Card title={section.title} id={`section-${section.name}`} class="setting-card">
      {section.help && <p class="section-help">{section.help}</p>}
      {section.restart_needed && <Note tone="neutral">Saved changes are waiting for the next start of the box.</Note>}
      <SectionForm
        id={`box-${section.name}`}
        section={section}
        can_edit={can_write.value}
        on_save={(values) => save(section, values)}
      />
    </Card>
  );
}

export function BoxSettingsView() {
  const connected = is_connected.value;
  useEffect(() => {
    if (connected) void load();
  }, [connected]);
  if (failure.value && !sections.value) return <Failure message={failure.value} on_retry={() => void load()} />;
  if (!sections.value)
    return <Loading what={connected ? "Reading the settings." : "The settings are kept on the box."} />;
  return (
    <>
      {sections.value.map((section) => (
        <SectionCard key={section.name} section={section} />
      ))}
    </>
  );
}
