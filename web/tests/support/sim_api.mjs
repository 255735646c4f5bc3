// SPDX-License-Identifier: Apache-2.0
// The REST part of the simulated box: the same paths, answers and refusals as the real one.
import { randomUUID } from "node:crypto";
import { Refusal } from "./refusal.mjs";

const kLevels = ["info", "notice", "warning", "error"];

// The BMS went away half way: the first change is on it, the one that failed and all after it are not.
class WriteFailure extends Refusal {
  constructor(box, changes) {
    super(502, "not_verified", `Register ${box.options.fail_write_register}: unreachable.`);
    let result = "verified";
    const settings = changes.map(({ register, value }) => {
      const setting = box.bms_settings.find((entry) => entry.register === register);
      if (result === "unreachable") result = "not_written";
      if (register === box.options.fail_write_register) result = "unreachable";
      if (result === "verified") setting.value = value;
      return { register, result, asked: value, value: setting.value };
    });
    this.body = { result: "failed", settings, ...this.body };
  }
}

async function body_of(request) {
  let text = "";
  for await (const part of request) text += part;
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    throw new Refusal(400, "not_json", "The body is not JSON.");
  }
}

function session_of(box, request) {
  const user = box.user_of(request);
  const { login, first_run, viewer_may_look } = box.options;
  const session = { login, first_run, csrf: box.csrf };
  if (user !== undefined) return { ...session, user, role: "owner" };
  if (login === "none") return { ...session, role: "owner" };
  return viewer_may_look ? { ...session, role: "viewer" } : session;
}

function open_session(box, response) {
  const id = randomUUID();
  box.sessions.add(id);
  response.setHeader("Set-Cookie", `amphora_session=${id}; HttpOnly; SameSite=Strict; Path=/`);
  return { result: "signed_in" };
}

function events_page(box, parameters) {
  const limit = Number(parameters.get("limit") ?? 200);
  const before = Number(parameters.get("before") ?? Number.POSITIVE_INFINITY);
  const least = kLevels.indexOf(parameters.get("level") ?? "info");
  const words = (parameters.get("q") ?? "").toLowerCase();
  const source = parameters.get("source");
  const found = box.events
    .filter((event) => event.id < before && kLevels.indexOf(event.level) >= least)
    .filter(
      (event) => (!source || event.source === source) && `${event.text} ${event.code}`.toLowerCase().includes(words),
    )
    .sort((a, b) => b.id - a.id);
  const events = found.slice(0, limit);
  return found.length > limit ? { events, next_before: events.at(-1).id } : { events };
}

function bms_settings(box) {
  if (box.silent_s >= 5) return { state: "unavailable", reason: "the BMS does not answer", settings: [] };
  return { state: "ready", read_at: new Date().toISOString(), settings: box.bms_settings };
}

function write_bms(box, { changes = [] }) {
  changes.forEach(({ register, value }, index) => {
    const setting = box.bms_settings.find((entry) => entry.register === register);
    const at = { field: `changes[${index}].value`, register, value };
    if (!setting) throw new Refusal(422, "unknown_register", `Register ${register} is not a setting.`, at);
    if (!setting.writable)
      throw new Refusal(
        422,
        "read_only",
        `Register ${register} (${setting.title.toLowerCase()}) cannot be written.`,
        at,
      );
    if (value < setting.min || value > setting.max) {
      throw new Refusal(
        422,
        "out_of_range",
        `Register ${register} (${setting.title.toLowerCase()}): ${value} ${setting.unit} is outside ${setting.min}–${setting.max} ${setting.unit}.`,
        { ...at, min: setting.min, max: setting.max },
      );
    }
    if (register === box.options.refuse_register) {
      throw new Refusal(
        502,
        "bms_refused",
        `Register ${register} (${setting.title.toLowerCase()}): the BMS refused ${value} ${setting.unit}.`,
        at,
      );
    }
  });
  if (changes.some(({ register }) => register === box.options.fail_write_register))
    throw new WriteFailure(box, changes);
  const written = changes.map(({ register, value }) => {
    box.bms_settings.find((entry) => entry.register === register).value = value;
    box.add_event("notice", "settings", "bms_setting_written", `Register ${register} written and read back.`, {
      register,
      value,
    });
    return { register, result: "verified", value };
  });
  return { result: "verified", settings: written };
}

function write_box(box, { section: name, values = {} }) {
  const section = box.sections.find((entry) => entry.name === name);
  if (!section) throw new Refusal(404, "unknown_section", `There is no section ${name}.`, { field: "section" });
  for (const [key, value] of Object.entries(values)) {
    const field = section.fields.find((entry) => entry.name === key);
    if (!field) throw new Refusal(422, "unknown_field", `${name} has no field ${key}.`, { field: `values.${key}` });
    if (key === "host" && value === "")
      throw new Refusal(422, "empty", "host: a broker needs a name or an address.", { field: "values.host" });
  }
  for (const [key, value] of Object.entries(values)) {
    const field = section.fields.find((entry) => entry.name === key);
    if (field.kind === "secret") field.is_set = value !== "";
    else field.value = value;
  }
  return { result: "saved", restart_needed: false };
}

function csv_of(box, parameters) {
  const names = parameters.get("series").split(",");
  const history = box.history(Number(parameters.get("from")), Number(parameters.get("to")), 600, names);
  const rows = history.time.map((time, i) =>
    [new Date(time).toISOString(), ...names.map((name) => history.series[name][i] ?? "")].join(","),
  );
  return `time,${names.join(",")}\n${rows.join("\n")}\n`;
}

function pack_of(box) {
  if (!box.pack) throw new Refusal(404, "no_pack", "This box is no energy pack.");
  return box.pack;
}

function link_of(box) {
  if (!box.link) throw new Refusal(404, "no_radio", "This box has no radio.");
  return box.link;
}

const kRoutes = {
  "GET state": ({ box }) => box.state(),
  "GET events": ({ box, parameters }) => events_page(box, parameters),
  "GET history": ({ box, parameters }) =>
    box.history(
      Number(parameters.get("from")),
      Number(parameters.get("to")),
      Number(parameters.get("points") ?? 600),
      parameters.get("series").split(","),
    ),
  "GET history/days": ({ box, parameters }) => ({ days: box.days(Number(parameters.get("days") ?? 31)) }),
  "GET bms/settings": ({ box }) => bms_settings(box),
  "PUT bms/settings": ({ box, body }) => write_bms(box, body),
  "POST bms/command": () => ({ result: "accepted" }),
  "GET box/settings": ({ box }) => ({ sections: box.sections }),
  "GET sections": ({ box }) => (box.pack ?? link_of(box)).scopes(),
  "PUT sections": ({ box, body }) => (box.pack ?? link_of(box)).write(body),
  "POST pairing": ({ box, body }) => link_of(box).pair(body),
  "POST relay": ({ box, body }) => pack_of(box).order(body),
  "POST grid_energy/reset": ({ box }) => pack_of(box).reset_grid_energy(),
  "POST identify": ({ box, body }) => pack_of(box).identify(body),
  "PUT box/settings": ({ box, body }) => write_box(box, body),
};

function handle_account({ box, request, response, body, route }) {
  if (route === "GET session") return session_of(box, request);
  if (route === "DELETE session") {
    box.sessions.clear();
    return { result: "signed_out" };
  }
  if (route === "POST setup") {
    if (!box.options.first_run) throw new Refusal(409, "not_first_run", "An account exists already.");
    box.account = { user: body.user, password: body.password };
    box.options.first_run = false;
    return open_session(box, response);
  }
  if (route === "POST session") {
    if (body.user !== box.account.user || body.password !== box.account.password) {
      throw new Refusal(401, "wrong_credentials", "User or password is wrong.");
    }
    return open_session(box, response);
  }
  return undefined;
}

async function answer(box, request, response, url) {
  const route = `${request.method} ${url.pathname.slice("/api/v1/".length)}`;
  const is_change = request.method !== "GET";
  const body = is_change ? await body_of(request) : {};
  const account = handle_account({ box, request, response, body, route });
  if (account !== undefined) return account;
  if (!box.may_look(request)) throw new Refusal(401, "login_required", "Sign in first.");
  if (is_change && session_of(box, request).role !== "owner")
    throw new Refusal(403, "not_owner", "Only the owner may change this.");
  if (is_change && request.headers["x-amphora-csrf"] !== box.csrf)
    throw new Refusal(403, "csrf_mismatch", "The page's token is outdated.");
  const handler = kRoutes[route];
  if (!handler) throw new Refusal(404, "not_found", `There is no ${url.pathname}.`);
  return handler({ box, parameters: url.searchParams, body });
}

export async function handle_api(box, request, response, url) {
  if (url.pathname === "/api/v1/history.csv") {
    response
      .writeHead(200, { "Content-Type": "text/csv", "Content-Disposition": 'attachment; filename="amphora.csv"' })
      .end(csv_of(box, url.searchParams));
    return;
  }
  try {
    const value = await answer(box, request, response, url);
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(value));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    response.writeHead(error.status, { "Content-Type": "application/json" }).end(JSON.stringify(error.body));
  }
}
