// SPDX-License-Identifier: Apache-2.0
// Requests to the box. Every failure becomes an ApiError with a sentence a person can read: what the box answered, or
// that it did not answer. Nothing is retried here except a write that was refused for an outdated CSRF token, once.
import type { RelayOrder } from "./pack_types";
import type {
  BmsSettings,
  BmsWriteResult,
  BoxSection,
  BoxState,
  EventPage,
  History,
  HistoryDay,
  Problem,
  SectionScope,
  Session,
} from "./types";

export class ApiError extends Error {
  readonly status: number; // 0: no answer at all
  readonly problem: Problem;
  readonly body: unknown; // the whole answer, where it says more than the problem
  constructor(status: number, problem: Problem, body?: unknown) {
    super(problem.message);
    this.status = status;
    this.problem = problem;
    this.body = body;
  }
}

const kRequestTimeoutMs = 15_000;
// Writing and reading back takes the BMS about a second for each setting; the box itself gives up after a minute.
const kWriteTimeoutMs = 75_000;

let csrf_token = "";

function to_problem(status: number, body: unknown): Problem {
  const error = (body as { error?: Partial<Problem> } | null)?.error;
  if (error && typeof error.message === "string")
    return { ...error, code: error.code ?? "error", message: error.message };
  return { code: `http_${status}`, message: `The box answered with HTTP status ${status}.` };
}

async function send(method: string, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrf_token) headers["X-Amphora-CSRF"] = csrf_token;
  try {
    return await fetch(`/api/v1/${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(method === "GET" ? kRequestTimeoutMs : kWriteTimeoutMs),
    });
  } catch {
    throw new ApiError(0, {
      code: "no_answer",
      message:
        method === "GET" ? "The box does not answer." : "The box did not answer, so it is not known what was changed.",
    });
  }
}

async function request<T>(method: string, path: string, body?: unknown, is_retry = false): Promise<T> {
  const response = await send(method, path, body);
  const text = await response.text();
  let parsed: unknown = null;
  try {
    parsed = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(response.status, {
      code: "not_json",
      message: `The box's answer (HTTP ${response.status}) could not be read.`,
    });
  }
  if (response.ok) return parsed as T;
  const problem = to_problem(response.status, parsed);
  // After a restart the box has new tokens: fetch the current one and try once more.
  if (response.status === 403 && /csrf/i.test(problem.code) && !is_retry) {
    await fetch_session();
    return request<T>(method, path, body, true);
  }
  throw new ApiError(response.status, problem, parsed);
}

function query(values: Record<string, string | number | undefined>): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") parameters.set(key, String(value));
  }
  return parameters.toString();
}

export async function fetch_session(): Promise<Session> {
  const session = await request<Session>("GET", "session");
  csrf_token = session.csrf ?? "";
  return session;
}

export const fetch_state = () => request<BoxState>("GET", "state");

export async function sign_in(user: string, password: string): Promise<Session> {
  await request<unknown>("POST", "session", { user, password });
  return fetch_session();
}

export async function sign_out(): Promise<Session> {
  await request<unknown>("DELETE", "session");
  return fetch_session();
}

export async function set_up(user: string, password: string): Promise<Session> {
  await request<unknown>("POST", "setup", { user, password });
  return fetch_session();
}

export interface EventFilter {
  level?: string;
  source?: string;
  q?: string;
  before?: number;
  limit?: number;
}

export const fetch_events = (filter: EventFilter) =>
  request<EventPage>("GET", `events?${query({ ...filter } as Record<string, string | number | undefined>)}`);

export interface HistoryQuery {
  from: number;
  to: number;
  points?: number;
  series: string[];
}

const history_query = (q: HistoryQuery) =>
  query({ from: Math.round(q.from), to: Math.round(q.to), points: q.points, series: q.series.join(",") });

export const fetch_history = (q: HistoryQuery) => request<History>("GET", `history?${history_query(q)}`);
export const history_csv_url = (q: HistoryQuery) => `/api/v1/history.csv?${history_query(q)}`;
export const fetch_days = (days: number) => request<{ days: HistoryDay[] }>("GET", `history/days?${query({ days })}`);

export const fetch_bms_settings = () => request<BmsSettings>("GET", "bms/settings");
export const write_bms_settings = (changes: { register: number; value: number }[]) =>
  request<BmsWriteResult>("PUT", "bms/settings", { changes });
export const send_bms_command = (command: string) => request<{ result: string }>("POST", "bms/command", { command });

export const fetch_box_settings = () => request<{ sections: BoxSection[] }>("GET", "box/settings");
export const write_box_settings = (section: string, values: Record<string, unknown>) =>
  request<{ result: string; restart_needed?: boolean }>("PUT", "box/settings", { section, values });

export const fetch_sections = () => request<{ scopes: SectionScope[] }>("GET", "sections");
export const write_section = (scope: string, section: string, values: Record<string, unknown>) =>
  request<{ result: string; version?: number }>("PUT", "sections", { scope, section, values });

export const show_pairing_code = () =>
  request<{ code: string; expires_s: number }>("POST", "pairing", { action: "show_code" });
export const enter_pairing_code = (code: string) =>
  request<{ result: string }>("POST", "pairing", { action: "enter_code", code });
export const forget_peer = (node: string) =>
  request<{ result?: string }>("POST", "pairing", { action: "forget", node });

// minutes: how long the order stands. An order "auto" ends one, and has none.
export const order_relay = (relay: string, order: RelayOrder, minutes?: number) =>
  request<unknown>("POST", "relay", minutes === undefined ? { relay, order } : { relay, order, minutes });
export const reset_grid_energy = () => request<unknown>("POST", "grid_energy/reset", {});
export const identify = (seconds: number) => request<unknown>("POST", "identify", { seconds });
