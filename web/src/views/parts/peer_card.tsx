// SPDX-License-Identifier: Apache-2.0
// One other box on the radio: who it is, how the link to it stands and stood, what waits for it or came from it, and which
// frames were rejected.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { ApiError, forget_peer } from "../../api/client";
import type { Peer, PeerQueue, PeerReadings } from "../../api/types";
import { age, count, with_unit } from "../../lib/format";
import {
  describe_peer_state,
  describe_rssi,
  kRejected,
  kRejectedNames,
  name_of_peer,
  role_of_peers,
  title_of_peer,
} from "../../lib/link_words";
import { can_write, group_age_ms, is_connected, is_group_stale, running_s, state } from "../../state/store";
import { Card, Fact, Note, Pill, Unknown } from "./card";
import { Counters } from "./counters";
import { Dialog } from "./dialog";
import { LinkHistory, LinkStates } from "./link_states";

const forgetting = signal<string | undefined>(undefined); // node whose question is open
const is_busy = signal(false);
const failure = signal<string | undefined>(undefined);

const id_of = (peer: Peer) => `peer-${peer.node.replaceAll(":", "")}`;

function Part({ title, id, children }: { title: string; id: string; children: ComponentChildren }) {
  return (
    <section class="part" aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      {children}
    </section>
  );
}

const ago = (seconds: number | undefined) => (seconds === undefined ? undefined : `${age(seconds * 1000)} ago`);
const yes_no = (value: boolean | undefined, yes: string, no: string) =>
  value === undefined ? undefined : value ? yes : no;

function Known({ value, why }: { value: string | undefined; why: string }) {
  return value === undefined ? <Unknown why={why} /> : <span>{value}</span>;
}

function Identity({ peer }: { peer: Peer }) {
  const heard_s = running_s("link", peer.last_heard_ms === undefined ? undefined : peer.last_heard_ms / 1000);
  const rssi = describe_rssi(peer.rssi_dbm);
  const why = peer.state === "disconnected" ? "it is offline" : "it has not told yet";
  return (
    <dl class="facts identity small-facts">
      <Fact label="Address">
        <span class="node">{peer.node}</span>
      </Fact>
      <Fact label="Last heard">
        <Known value={ago(heard_s)} why="never heard since this box started" />
      </Fact>
      <Fact label="Last beacon">
        <Known value={ago(running_s("link", peer.beacon_age_s))} why="no beacon has been heard yet" />
      </Fact>
      <Fact label="Signal">
        <Known value={rssi && `${rssi}, ${with_unit(peer.rssi_dbm, 0, "dBm")}`} why={why} />
      </Fact>
      <Fact label="Its MQTT">
        <Known value={yes_no(peer.status?.mqtt_connected, "connected", "not connected")} why={why} />
      </Fact>
      <Fact label="Its Ethernet">
        <Known value={yes_no(peer.status?.ethernet_up, "up", "down")} why={why} />
      </Fact>
    </dl>
  );
}

function FillBar({ queue }: { queue: PeerQueue }) {
  const share = queue.capacity > 0 ? queue.size / queue.capacity : 0;
  const high = queue.capacity > 0 && queue.high_water !== undefined ? queue.high_water / queue.capacity : undefined;
  return (
    <div class="fill" data-tone={share >= 0.9 ? "bad" : share >= 0.5 ? "warn" : "good"}>
      {/* Drawn, because a browser's own meter cannot carry the mark of the highest fill. */}
      <meter class="sr-only" aria-label="Fill of the queue" min={0} max={queue.capacity} value={queue.size}>
        {queue.size} of {queue.capacity} readings
      </meter>
      <div class="fill-bar">
        <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
          <rect class="fill-level" width={Math.min(100, share * 100)} height="10" />
          {high !== undefined && high > 0 && (
            <path class="fill-high" d={`M${Math.min(99.5, high * 100)} 0V10`} vector-effect="non-scaling-stroke" />
          )}
        </svg>
      </div>
      <p>
        <strong>{count(queue.size)}</strong> of {count(queue.capacity)} places taken
        {queue.high_water !== undefined && <>; at most {count(queue.high_water)} since the start</>}
      </p>
    </div>
  );
}

function Queue({ queue, id }: { queue: PeerQueue; id: string }) {
  return (
    <Part title="Readings on their way" id={id}>
      <FillBar queue={queue} />
      <Counters
        list={[
          { label: "Added", value: queue.added },
          { label: "Sent", value: queue.sent },
          { label: "Acknowledged", value: queue.acked },
          { label: "Sent again", value: queue.retried },
          { label: "Dropped", value: queue.dropped, is_bad: true, help: "The oldest, because the queue was full" },
          { label: "Expired", value: queue.expired, is_bad: true, help: "Too old to be of use" },
          { label: "Overflows", value: queue.overflow_events, is_bad: true },
          { label: "Sender restarts", value: queue.watchdog_restarts, is_bad: true },
          { label: "Time to ack, mean", value: with_unit(queue.ack_ms_mean, 0, "ms") },
          { label: "Time to ack, longest", value: with_unit(queue.ack_ms_max, 0, "ms") },
        ]}
      />
      {(queue.dropped ?? 0) > 0 && (
        <p class="hint">Dropped readings were the oldest of a full queue: the link was away for too long.</p>
      )}
    </Part>
  );
}

function Readings({ readings, cells, id }: { readings: PeerReadings | undefined; cells: Peer["cells"]; id: string }) {
  return (
    <Part title="Readings received" id={id}>
      <Counters
        list={[
          { label: "Delivered", value: readings?.delivered, help: "Each once, in order" },
          { label: "Duplicates", value: readings?.duplicates, help: "Came again because an acknowledgement was lost" },
          { label: "Missing", value: readings?.missing, is_bad: true, help: "Asked for again, not come yet" },
          { label: "Last number", value: readings?.last_sequence },
          { label: "Its start", value: readings?.epoch, help: "Counts the starts of the transmitter" },
          { label: "Cell pictures", value: cells?.complete, help: "Complete sets of cell voltages" },
          {
            label: "Incomplete ones",
            value: cells?.incomplete,
            is_bad: true,
            help: "A part was lost; the next follows",
          },
        ]}
      />
    </Part>
  );
}

function Rejected({ peer, id }: { peer: Peer; id: string }) {
  const total = kRejectedNames.reduce((sum, name) => sum + (peer.rejected?.[name] ?? 0), 0);
  return (
    <Part title="Rejected frames" id={id}>
      {!peer.rejected ? (
        <p class="hint">Not counted yet.</p>
      ) : (
        <>
          <p class="hint">{total === 0 ? "None. Every frame was genuine." : "Dropped; nothing was changed by them."}</p>
          <ul class="rejected">
            {kRejectedNames.map((name) => {
              const number = peer.rejected?.[name];
              return (
                <li key={name} data-tone={number ? "warn" : undefined} data-name={name}>
                  <span class="rejected-count">{number === undefined ? "–" : count(number)}</span>
                  <span class="rejected-title">{kRejected[name].title}</span>
                  <span class="rejected-text">{kRejected[name].text}</span>
                </li>
              );
            })}
          </ul>
        </>
      )}
    </Part>
  );
}

async function forget(peer: Peer): Promise<void> {
  is_busy.value = true;
  failure.value = undefined;
  try {
    await forget_peer(peer.node);
    forgetting.value = undefined;
  } catch (error) {
    failure.value = error instanceof ApiError ? error.message : "Something unexpected happened in this page.";
  } finally {
    is_busy.value = false;
  }
}

function Forget({ peer, name }: { peer: Peer; name: string }) {
  const close = () => {
    forgetting.value = undefined;
    failure.value = undefined;
  };
  return (
    <div class="peer-actions">
      <button
        type="button"
        class="button danger-quiet"
        disabled={!can_write.value}
        onClick={() => {
          forgetting.value = peer.node;
        }}
      >
        Forget this {role_of_peers(state.value.link?.role).toLowerCase()}
      </button>
      {forgetting.value === peer.node && (
        <Dialog
          title={`Forget ${name}?`}
          action="Forget it"
          is_dangerous
          is_busy={is_busy.value}
          on_confirm={() => void forget(peer)}
          on_close={close}
        >
          <p>
            The key to it is deleted here, and the link ends at once. To use it again both boxes must be paired again,
            so forget this box on the other one as well.
          </p>
          <div role="alert">{failure.value && <Note tone="bad">{failure.value}</Note>}</div>
        </Dialog>
      )}
    </div>
  );
}

function PeerPills({ peer }: { peer: Peer }) {
  const status = describe_peer_state(peer.state);
  return (
    <>
      {peer.paired !== undefined && (
        <Pill tone={peer.paired ? "good" : "bad"}>{peer.paired ? "Paired" : "Not paired"}</Pill>
      )}
      <Pill tone={status.tone}>{status.title}</Pill>
    </>
  );
}

export function PeerCard({ peer }: { peer: Peer }) {
  const name = name_of_peer(peer, state.value.link?.role);
  const id = id_of(peer);
  const status = describe_peer_state(peer.state);
  const no_session = peer.has_session === false && peer.state !== "disconnected" ? " No session is open yet." : "";
  return (
    <Card
      title={title_of_peer(peer, state.value.link?.role)}
      id={id}
      class="peer-card"
      is_stale={is_group_stale("link")}
      age_ms={group_age_ms("link")}
      aside={<PeerPills peer={peer} />}
    >
      <LinkStates
        state={peer.state}
        since_s={running_s("link", peer.since_s)}
        text={is_connected.value ? status.text + no_session : ""}
      />
      <Identity peer={peer} />
      <div class="peer-parts">
        {peer.queue && <Queue queue={peer.queue} id={`${id}-queue`} />}
        {(peer.readings || peer.cells) && (
          <Readings readings={peer.readings} cells={peer.cells} id={`${id}-readings`} />
        )}
        <Rejected peer={peer} id={`${id}-rejected`} />
        <Part title="What happened" id={`${id}-history`}>
          <LinkHistory changes={peer.history ?? []} of="peer" />
        </Part>
      </div>
      {peer.paired !== false && <Forget peer={peer} name={name} />}
    </Card>
  );
}
