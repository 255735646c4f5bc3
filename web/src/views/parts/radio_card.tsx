// SPDX-License-Identifier: Apache-2.0
// This box's radio, and how a transmitter looks for its receiver.
import type { Discovery, LinkRadio } from "../../api/types";
import { with_unit } from "../../lib/format";
import { describe_send_status, radio_advice } from "../../lib/link_words";
import { group_age_ms, is_group_stale } from "../../state/store";
import { Card, Fact, Note, Pill, Unknown } from "./card";
import { Counters } from "./counters";

const kWhy = "the radio has not told yet";

export function RadioCard({ radio }: { radio: LinkRadio }) {
  const is_up = radio.state === "up";
  const send_status = describe_send_status(radio.send_status);
  const advice = radio_advice(radio);
  return (
    <Card
      title="Radio"
      id="radio-title"
      is_stale={is_group_stale("link")}
      age_ms={group_age_ms("link")}
      aside={<Pill tone={is_up ? "good" : "bad"}>{is_up ? "Up" : "Down"}</Pill>}
    >
      {advice !== undefined && (
        <Note tone="bad">
          <strong>{radio.error ?? "The radio is down."}</strong>
          <br />
          {advice}
        </Note>
      )}
      <dl class="facts small-facts">
        <Fact label="Interface">{radio.interface ?? <Unknown why={kWhy} />}</Fact>
        <Fact label="Driver">{radio.driver ?? <Unknown why={kWhy} />}</Fact>
        <Fact label="Channel">{radio.channel ?? <Unknown why="no channel is chosen yet" />}</Fact>
        <Fact label="Send status">{send_status?.title ?? <Unknown why={kWhy} />}</Fact>
      </dl>
      {send_status?.text && (
        <p class="hint" data-tone={send_status.tone}>
          {send_status.text}
        </p>
      )}
      <Counters
        list={[
          { label: "Frames sent", value: radio.frames_sent },
          { label: "Frames received", value: radio.frames_received },
          { label: "Not acknowledged", value: radio.no_ack, help: "Sent; nobody confirmed" },
          { label: "Not sent", value: radio.not_sent, is_bad: true, help: "The system did not put them on the air" },
          { label: "Malformed", value: radio.malformed, is_bad: true, help: "Received, but no frame of ours" },
        ]}
      />
    </Card>
  );
}

export function DiscoveryCard({ discovery }: { discovery: Discovery }) {
  return (
    <Card
      title="Looking for the receiver"
      id="discovery-title"
      is_stale={is_group_stale("link")}
      age_ms={group_age_ms("link")}
      aside={
        <Pill tone={discovery.searching ? "busy" : "good"}>{discovery.searching ? "Searching" : "Not needed"}</Pill>
      }
    >
      <p class="hint">
        {discovery.searching
          ? "All channels are tried, the last good one first; pauses grow while nobody answers."
          : "The receiver is known; a search starts by itself when it is lost."}
      </p>
      <Counters
        list={[
          { label: "Sweeps", value: discovery.sweeps, help: "Rounds over the channels" },
          { label: "Probes sent", value: discovery.probes_sent },
          { label: "Times found", value: discovery.found },
          { label: "Last search took", value: with_unit(discovery.last_took_ms, 0, "ms") },
        ]}
      />
    </Card>
  );
}
