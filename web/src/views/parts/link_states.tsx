// SPDX-License-Identifier: Apache-2.0
// The four states of a link as a row, the present one marked; and the list of its changes, with times and reasons.
import type { LinkChange } from "../../api/types";
import { duration, humanise } from "../../lib/format";
import { describe_change, describe_peer_state, kLinkStates, short_time } from "../../lib/link_words";
import { page_now } from "../../state/store";

interface LinkStatesProps {
  state: string;
  since_s: number | undefined;
  text: string;
}

export function LinkStates({ state, since_s, text }: LinkStatesProps) {
  const { title, tone } = describe_peer_state(state);
  return (
    <div class="link-machine" data-tone={tone}>
      <ol class="link-states" aria-label="States of the link, from good to lost">
        {kLinkStates.map((name) => (
          <li key={name} data-state={name} aria-current={name === state ? "true" : undefined}>
            <span>{describe_peer_state(name).title}</span>
          </li>
        ))}
      </ol>
      <p class="link-since">
        <strong>
          {title}
          {since_s !== undefined && ` for ${duration(since_s)}`}
        </strong>
        {text && `: ${text}`}
      </p>
    </div>
  );
}

const kShownMax = 6; // the rest of the list opens

function ChangeRow({ change, of }: { change: LinkChange; of: "peer" | "bms" }) {
  return (
    <li class="change" data-tone={describe_peer_state(change.to).tone}>
      <time dateTime={change.time}>{short_time(change.time, page_now.value)}</time>
      <span class="change-states">
        {change.from !== change.to && (
          <>
            {humanise(change.from)}
            <span class="sr-only"> to </span>
            <span aria-hidden="true"> → </span>
          </>
        )}
        <strong class="change-to">{humanise(change.to)}</strong>
      </span>
      <span class="change-reason">{describe_change(change, of)}</span>
    </li>
  );
}

export function LinkHistory({ changes, of }: { changes: LinkChange[]; of: "peer" | "bms" }) {
  if (changes.length === 0) return <p class="hint">The link has not changed since this box started.</p>;
  const rows = changes.map((change, index) => <ChangeRow key={`${change.time} ${index}`} change={change} of={of} />);
  const older = rows.slice(kShownMax);
  return (
    <>
      <ol class="changes" aria-label="Changes of the link, the newest first">
        {rows.slice(0, kShownMax)}
      </ol>
      {older.length > 0 && (
        <details class="older">
          <summary>{older.length} earlier changes</summary>
          <ol class="changes">{older}</ol>
        </details>
      )}
    </>
  );
}
