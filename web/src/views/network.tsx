// SPDX-License-Identifier: Apache-2.0
// Who this box is, whom it talks to by radio and by wire, how well, and what happened on each link.
import { duration, humanise } from "../lib/format";
import { describe_role, role_of_peers } from "../lib/link_words";
import { group_age_ms, is_group_stale, is_radio_open, peers, running_s, state } from "../state/store";
import { Card, Fact, Note, Pill, Unknown } from "./parts/card";
import { PairingCard } from "./parts/pairing_card";
import { PeerCard } from "./parts/peer_card";
import { DiscoveryCard, RadioCard } from "./parts/radio_card";
import { BmsLinkCard, ControlCard, InverterBusCard } from "./parts/wired_cards";

function ModePill({ mode }: { mode: string }) {
  if (mode === "sealed") return <Pill tone="good">Radio sealed</Pill>;
  return <Pill tone="bad">{mode === "plain" ? "Radio is not sealed" : humanise(mode)}</Pill>;
}

function ThisBoxCard() {
  const { box, link } = state.value;
  const why = "the box has not told yet";
  return (
    <Card
      title="This box"
      id="this-box-title"
      is_stale={is_group_stale("box")}
      age_ms={group_age_ms("box")}
      aside={link && <ModePill mode={link.mode} />}
    >
      {is_radio_open.value && (
        <Note tone="bad">
          Anyone in radio range can read what is sent, and can send in this box's name. Passwords are never sent this
          way. Pair the boxes and set the radio's mode to “sealed”.
        </Note>
      )}
      <dl class="facts identity small-facts">
        <Fact label="Name">{box?.name ?? <Unknown why={why} />}</Fact>
        <Fact label="Role">{box ? describe_role(box.role, link) : <Unknown why={why} />}</Fact>
        {link && (
          <Fact label="Address">{link.node ? <span class="node">{link.node}</span> : <Unknown why={why} />}</Fact>
        )}
        <Fact label="Version">{box?.version ?? <Unknown why={why} />}</Fact>
        <Fact label="Running for">{duration(running_s("box", box?.uptime_s))}</Fact>
      </dl>
    </Card>
  );
}

function NoPeers() {
  const { link } = state.value;
  const other = role_of_peers(link?.role).toLowerCase();
  return (
    <Card title={`No ${other} yet`} id="no-peer-title">
      <p class="hint">
        {link?.role === "receiver"
          ? "No transmitter has been paired or heard. Enter its code under Pairing."
          : "No receiver has been paired or found. Show a code under Pairing and enter it there."}
      </p>
    </Card>
  );
}

export function NetworkPage() {
  const { link, inverter, bms_link, control } = state.value;
  return (
    <div class="network">
      <ThisBoxCard />
      {link && peers.value.length === 0 && <NoPeers />}
      {peers.value.map((peer) => (
        <PeerCard key={peer.node} peer={peer} />
      ))}
      <div class="stack">
        {link && <PairingCard link={link} />}
        {link?.discovery && <DiscoveryCard discovery={link.discovery} />}
        {inverter && <InverterBusCard inverter={inverter} />}
        {!link && control && <ControlCard control={control} />}
      </div>
      <div class="stack">
        {link?.radio && <RadioCard radio={link.radio} />}
        {bms_link && <BmsLinkCard link={bms_link} />}
        {link && control && <ControlCard control={control} />}
      </div>
    </div>
  );
}
