// SPDX-License-Identifier: Apache-2.0
// What surrounds every page: skip link, header with the state of the connection, navigation (a bar at the top, or at the
// bottom of a phone's screen), and a band that says when what is shown is not current.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { sign_out } from "../../api/client";
import { age } from "../../lib/format";
import { describe_role } from "../../lib/link_words";
import { path } from "../../lib/router";
import { set_theme, type Theme, theme } from "../../lib/theme";
import type { Tone } from "../../lib/words";
import { stop_live } from "../../state/live";
import {
  connection,
  forget_last_state,
  is_connected,
  is_from_storage,
  is_pack_network_open,
  is_radio_open,
  last_message_at,
  page_now,
  received,
  session,
  state,
} from "../../state/store";
import { pages_of } from "../pages";
import { Announcer, alarms } from "./alarms";
import { ClockIcon, Mark, OpenLockIcon, PersonIcon, ThemeIcon } from "./icons";

function last_known_age(): number | undefined {
  const times = Object.values(received.value.at);
  const newest = last_message_at.value ?? (times.length > 0 ? Math.max(...times) : undefined);
  return newest === undefined ? undefined : Math.max(0, page_now.value - newest);
}

interface ConnectionText {
  tone: Tone;
  short: string;
  long: string;
}

function describe_connection(): ConnectionText {
  const old = last_known_age();
  const since = old === undefined ? "" : ` · ${age(old)}`;
  switch (connection.value) {
    case "live":
      return { tone: "good", short: "Live", long: "Live connection to the box" };
    case "polling":
      return { tone: "warn", short: "Every 2 s", long: "No live connection; values are asked for every 2 seconds" };
    case "connecting":
      return { tone: "busy", short: `Connecting${since}`, long: "Connecting to the box" };
    default:
      return { tone: "bad", short: `Offline${since}`, long: "The box does not answer" };
  }
}

function ConnectionState() {
  const { tone, short, long } = describe_connection();
  return (
    <span class="connection" data-tone={tone} title={long} data-connection={connection.value}>
      <span class="connection-dot" aria-hidden="true" />
      <span class="sr-only">{long}. </span>
      <span aria-hidden="true">{short}</span>
    </span>
  );
}

const kNextTheme: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const kThemeName: Record<Theme, string> = { auto: "as the system", light: "light", dark: "dark" };

function ThemeButton() {
  const next = kNextTheme[theme.value];
  return (
    <button
      type="button"
      class="icon-button"
      title={`Colours: ${kThemeName[theme.value]}`}
      aria-label={`Colours: ${kThemeName[theme.value]}. Change to ${kThemeName[next]}`}
      onClick={() => set_theme(next)}
    >
      <ThemeIcon />
    </button>
  );
}

async function leave(): Promise<void> {
  try {
    session.value = await sign_out();
    stop_live();
    forget_last_state();
    window.location.reload();
  } catch {
    // Still signed in: the button stays.
  }
}

function Account() {
  const current = session.value;
  if (!current || current.login === "none") return null;
  if (!current.user) {
    return (
      <a class="button small" href="#/sign-in">
        Sign in
      </a>
    );
  }
  return (
    <button type="button" class="icon-button" title={`Signed in as ${current.user}`} onClick={() => void leave()}>
      <PersonIcon />
      <span class="sr-only">Sign out {current.user}</span>
    </button>
  );
}

function Navigation() {
  const current = path.value;
  return (
    <nav class="nav" aria-label="Pages">
      {pages_of(state.value.box?.role).map((page) => {
        const is_here = page.path === "/" ? current === "/" : current.startsWith(page.path);
        const { PageIcon } = page;
        return (
          <a key={page.path} href={`#${page.path}`} aria-current={is_here ? "page" : undefined}>
            <PageIcon />
            <span>{page.title}</span>
            {page.path === "/events" && alarms.value.length > 0 && (
              <span class="nav-badge">
                {alarms.value.length}
                <span class="sr-only"> alarms in force</span>
              </span>
            )}
          </a>
        );
      })}
    </nav>
  );
}

function OldBand() {
  if (is_connected.value || last_known_age() === undefined) return null;
  // A short gap while reconnecting is told by the header alone.
  if (connection.value === "connecting" && !is_from_storage.value && (last_known_age() ?? 0) < 3_000) return null;
  return (
    <p class="old-band" role="status">
      <ClockIcon />
      <span>
        {connection.value === "offline" ? "The box does not answer." : "Connecting."} Last known values,{" "}
        {age(last_known_age())} old.
      </span>
    </p>
  );
}

// Anyone near could listen to an unsealed radio or speak on it, or command packs over an unsealed bus: red, on every page,
// until it is sealed.
function PlainBand() {
  return (
    <div role="status">
      {(is_radio_open.value || is_pack_network_open.value) && (
        <a class="plain-band" href="#/network">
          <OpenLockIcon />
          <strong>{is_radio_open.value ? "Radio is not sealed" : "Pack network is not sealed"}</strong>
        </a>
      )}
    </div>
  );
}

function RoleTag() {
  const { box, link } = state.value;
  if (!box) return null;
  return (
    <span class="role-tag" title={describe_role(box.role, link)}>
      {describe_role(box.role)}
    </span>
  );
}

export function Shell({ title, children }: { title: string; children: ComponentChildren }) {
  const main = useRef<HTMLElement>(null);
  const is_first = useRef(true);
  const name = state.value.box?.name ?? "Amphora";
  // A new page starts at its top, and is announced by its heading
  useEffect(() => {
    if (is_first.current) {
      is_first.current = false;
      return;
    }
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [title]);
  useEffect(() => {
    document.title = `${title} · ${name}`;
  }, [title, name]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the page
      </button>
      <div class="top-frame">
        <header class="top">
          <a class="brand" href="#/">
            <Mark />
            <span class="brand-text">
              <span class="brand-name">{name}</span>
              <RoleTag />
            </span>
            {state.value.box?.demo && <span class="demo-tag">Demo</span>}
          </a>
          <Navigation />
          <div class="top-side">
            <ConnectionState />
            <ThemeButton />
            <Account />
          </div>
        </header>
        <PlainBand />
      </div>
      <OldBand />
      <main class="page" id="main" tabIndex={-1} ref={main}>
        <h1 class="sr-only">{title}</h1>
        {children}
      </main>
      <Announcer />
    </>
  );
}
