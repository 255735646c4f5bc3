// SPDX-License-Identifier: Apache-2.0
// The words for the radio link: states and why they changed, what was rejected, what a driver can tell, what to do about an
// error, how far two sides agree. A name that is not listed here is shown as it stands.
import type { Link, LinkChange, LinkRadio, Peer, RejectedName, StateSection } from "../api/types";
import { date_and_minute, humanise, minute_of_day } from "./format";
import type { Status, Tone } from "./words";

export type LinkState = "connected" | "degraded" | "failing" | "disconnected";
export const kLinkStates: LinkState[] = ["connected", "degraded", "failing", "disconnected"];

const kPeerStates: Record<LinkState, Status> = {
  connected: { tone: "good", title: "Connected", text: "Heard regularly." },
  degraded: { tone: "warn", title: "Degraded", text: "Silent for a while, or frames stay unacknowledged." },
  failing: { tone: "bad", title: "Failing", text: "Silent for long; readings wait." },
  disconnected: { tone: "bad", title: "Disconnected", text: "Given up; it is looked for." },
};

export function describe_peer_state(state: string): Status {
  return kPeerStates[state as LinkState] ?? { tone: "neutral", title: humanise(state), text: "" };
}

const kRoles: Record<string, string> = {
  "bms-gateway": "BMS gateway",
  transmitter: "Transmitter",
  receiver: "Receiver",
  pack: "Energy pack",
};
export const describe_role = (role: string, link?: Link) =>
  `${kRoles[role] ?? humanise(role)}${role === "bms-gateway" && link ? " and transmitter" : ""}`;

// What a peer is called: by its name, else by what it is to this box.
export const role_of_peers = (own_role: string | undefined) => (own_role === "receiver" ? "Transmitter" : "Receiver");
export const name_of_peer = (peer: Peer, own_role: string | undefined) =>
  peer.name ? peer.name : `${role_of_peers(own_role)} ${peer.node}`;
export const title_of_peer = (peer: Peer, own_role: string | undefined) =>
  `${role_of_peers(own_role)} · ${peer.name ? peer.name : peer.node}`;

const kChangeReasons: Record<string, string> = {
  sign_of_life: "it was heard again",
  silence: "nothing was heard for too long",
  reported: "frames were not acknowledged",
  never_seen: "not heard since this box started",
};
const kBmsChangeReasons: Record<string, string> = {
  ...kChangeReasons,
  sign_of_life: "it answered again",
  silence: "no answer for too long",
  reported: "the line reported a failure",
};

export function describe_change(change: LinkChange, of: "peer" | "bms"): string {
  if (change.reason === undefined) return "no reason was told";
  const words = of === "bms" ? kBmsChangeReasons : kChangeReasons;
  return words[change.reason] ?? humanise(change.reason).toLowerCase();
}

export const kRejectedNames: RejectedName[] = ["altered", "replayed", "unsealed", "other_session", "malformed"];

export const kRejected: Record<RejectedName, { title: string; text: string }> = {
  altered: { title: "Altered", text: "The seal did not fit: changed on the way, or made without the key." },
  replayed: { title: "Replayed", text: "A genuine frame that had been received before was sent again." },
  unsealed: { title: "Unsealed", text: "Sent in the open, which a sealed link does not accept." },
  other_session: { title: "Of another session", text: "Left over from before one of the two boxes restarted." },
  malformed: { title: "Malformed", text: "Too short, too long or of no known kind." },
};

const kSendStatus: Record<string, Status> = {
  real: { tone: "good", title: "Real", text: "The driver tells of each frame whether it was acknowledged." },
  always_acked: {
    tone: "warn",
    title: "Always “acknowledged”",
    text: "The driver calls every frame acknowledged, even if nobody heard it. A lost peer is noticed by its silence only, which takes longer.",
  },
  always_failed: {
    tone: "warn",
    title: "Always “failed”",
    text: "The driver calls every frame lost, even if it arrived. Acknowledgements are ignored; a lost peer is noticed by its silence.",
  },
  none: {
    tone: "warn",
    title: "None",
    text: "The driver does not tell what became of a frame. A lost peer is noticed by its silence only.",
  },
};

export function describe_send_status(name: string | undefined): Status | undefined {
  if (name === undefined) return undefined;
  return kSendStatus[name] ?? { tone: "neutral", title: humanise(name), text: "" };
}

// What to do about an error of the radio, by the words of the error: the operating system says the same thing for each cause.
const kRadioAdvice: [RegExp, string][] = [
  [
    /regulat/i,
    "The adapter may not send on this channel. Set the country of the regulatory domain, or name other channels in the configuration.",
  ],
  [
    /permi|not allowed|privilege|capabilit/i,
    "The program may not use the radio. Start it as the installed service, which has the rights CAP_NET_RAW and CAP_NET_ADMIN.",
  ],
  [
    /no such|not found|does not exist|missing|unplug/i,
    "There is no such interface. Check that the adapter is plugged in and that its name in the configuration (radio, interface) is right.",
  ],
  [/busy|in use/i, "Another program uses the adapter. Stop network managers on this interface, or name another one."],
  [
    /monitor|mode/i,
    "The adapter is not in monitor mode. Set its type to monitor; if it refuses, its driver cannot be used.",
  ],
  [/down|not up/i, "The interface is switched off. Set it up, or restart the service, which does so."],
];
const kGeneralRadioAdvice = "Check the adapter and its interface, then restart the service.";

export function radio_advice(radio: LinkRadio): string | undefined {
  if (radio.state === "up" && !radio.error) return undefined;
  return kRadioAdvice.find(([pattern]) => pattern.test(radio.error ?? ""))?.[1] ?? kGeneralRadioAdvice;
}

// How strong the other side is heard. The steps are those of Wi-Fi receivers at 1 Mbit/s.
export function describe_rssi(dbm: number | undefined): string | undefined {
  if (dbm === undefined) return undefined;
  if (dbm >= -60) return "strong";
  if (dbm >= -75) return "good";
  if (dbm >= -85) return "weak";
  return "very weak";
}

const kPairingFailures: Record<string, string> = {
  wrong_code: "The code was wrong. Look at the transmitter's page again and type all six digits.",
  expired: "The code had expired. Show a new one on the transmitter.",
  too_many_tries: "Too many wrong codes. For safety that code is void now: show a new one on the transmitter.",
  no_answer: "The other box did not answer. Bring the boxes closer together and try again.",
  timeout: "The other box did not answer in time. Bring the boxes closer together and try again.",
  radio_down: "The radio is not working, so nothing can be paired.",
};

export function describe_pairing_failure(reason: string | undefined): string {
  if (reason === undefined) return "Pairing failed, and no reason was told. Try again.";
  return kPairingFailures[reason] ?? `Pairing failed: ${humanise(reason).toLowerCase()}. Try again.`;
}

export interface SyncText {
  tone: Tone;
  title: string;
  text: string;
}

// peer: what the other side is called, in a sentence. now: to write a time of today without its date.
export function describe_sync(section: StateSection, peer: string, now: number): SyncText {
  switch (section.sync) {
    case "synchronised":
      return { tone: "good", title: "Synchronised", text: `Here and at ${peer} it is the same.` };
    case "waiting_for_peer":
      return { tone: "busy", title: "Waiting for peer", text: `Kept here; ${peer} has not confirmed it yet.` };
    case "conflict_resolved": {
      const whose = section.origin_is_self ? "ours" : "theirs";
      const at = section.conflict_at === undefined ? "" : ` (${short_time(section.conflict_at, now)})`;
      return {
        tone: "warn",
        title: `Conflict resolved: ${whose}${at}`,
        text: `Both sides had changed it while apart. The newer change, ${section.origin_is_self ? "made here" : `made at ${peer}`}, is in force on both.`,
      };
    }
    case "local":
      return { tone: "neutral", title: "Local", text: "Belongs to this box alone." };
    default:
      return { tone: "neutral", title: humanise(section.sync), text: "" };
  }
}

// Of today: the time; of another day: the date, too.
export function short_time(time: string, now: number): string {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return "–";
  return at.toDateString() === new Date(now).toDateString() ? minute_of_day(time) : date_and_minute(at.getTime());
}
