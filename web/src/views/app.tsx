// SPDX-License-Identifier: Apache-2.0
// Which view is due: first set-up, sign-in, or the pages. The box decides what a visitor without a login may see; this
// only asks it. While the box does not answer, the last known values are shown.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { fetch_session } from "../api/client";
import { path } from "../lib/router";
import { start_live, stop_live } from "../state/live";
import { connection, is_from_storage, session, state } from "../state/store";
import { page_at } from "./pages";
import { Shell } from "./parts/shell";
import { SetUp, SignIn } from "./sign_in";

const is_unreachable = signal(false);
const kRetryMs = 2_000;

function use_session(): void {
  const known = session.value !== undefined;
  useEffect(() => {
    if (known) return;
    let timer: number | undefined;
    const ask = async () => {
      try {
        session.value = await fetch_session();
        is_unreachable.value = false;
      } catch {
        is_unreachable.value = true;
        connection.value = "offline";
        timer = window.setTimeout(() => void ask(), kRetryMs);
      }
    };
    void ask();
    return () => window.clearTimeout(timer);
  }, [known]);
}

// A box that needs a login and gave no role shows nothing without one.
function may_look(): boolean {
  const s = session.value;
  return s !== undefined && !s.first_run && (s.login === "none" || s.user !== undefined || s.role !== undefined);
}

function Starting() {
  return (
    <main class="starting">
      <p role="status">{is_unreachable.value ? "The box does not answer. Trying again." : "Connecting to the box."}</p>
    </main>
  );
}

export function App() {
  use_session();
  const may = may_look();
  useEffect(() => {
    if (may) start_live();
    else stop_live();
  }, [may]);
  const s = session.value;
  if (s?.first_run) return <SetUp />;
  if (s && (!may || (path.value === "/sign-in" && s.login === "required" && !s.user)))
    return <SignIn can_go_back={may} />;
  if (!s && !is_from_storage.value) return <Starting />;
  const page = page_at(path.value, state.value.box?.role);
  return (
    <Shell title={page.title}>
      <page.View key={page.path} />
    </Shell>
  );
}
