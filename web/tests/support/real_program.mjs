// SPDX-License-Identifier: Apache-2.0
// The real program for tests: `amphora demo` on ports of its own and with a data folder of its own, stopped by its process
// id. AMPHORA_PROGRAM names the binary. With AMPHORA_URL alone a box that runs already is used, and cannot be restarted.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const kStartPatienceMs = 60_000; // against hanging; a start takes a second or two
const kStopPatienceMs = 20_000;
const kPollMs = 100;

// All that is assumed of the demo's energy packs: the line it prints for the page of each, and the command line of the
// emulated BMS of each.
const kPackLine = /pack (\d+) +(http:\S+?)\/?\s/g;
const bms_of_pack = (number) => new RegExp(`emulate.*modbus-bms.*/bms_${number}(?!\\d)`);

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function free_port() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// Ready: the API answers and the battery has been read.
async function is_ready(url) {
  try {
    const response = await fetch(`${url}/api/v1/state`);
    const state = await response.json();
    return response.ok && state.battery?.online === true && state.battery.cells !== undefined;
  } catch {
    return false;
  }
}

async function wait_until_ready(url, has_ended, log) {
  const give_up_at = Date.now() + kStartPatienceMs;
  while (!(await is_ready(url))) {
    if (has_ended()) throw new Error(`the program ended before its page could be read:\n${log()}`);
    if (Date.now() > give_up_at) throw new Error(`no battery on ${url} after ${kStartPatienceMs / 1000} s:\n${log()}`);
    await pause(kPollMs);
  }
}

// The process id of the first program below `ancestor` whose command line matches.
function find_descendant(ancestor, pattern) {
  const processes = new Map();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      // The name in brackets may hold spaces; the parent is the second field after it.
      const parent = Number(readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1).split(" ")[1]);
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      processes.set(Number(name), { parent, command });
    } catch {
      // It ended meanwhile.
    }
  }
  const is_below = (pid) => {
    const parent = processes.get(pid)?.parent;
    return parent !== undefined && (parent === ancestor || is_below(parent));
  };
  return [...processes.keys()].find((pid) => pattern.test(processes.get(pid).command) && is_below(pid));
}

class RealProgram {
  constructor(program, web_port, mqtt_port) {
    this.program = program;
    this.web_port = web_port;
    this.mqtt_port = mqtt_port;
    this.url = `http://127.0.0.1:${web_port}`;
    this.folder = mkdtempSync(join(tmpdir(), "amphora-web-test-"));
    this.can_restart = true;
    this.pack_urls = {}; // by the number of the pack, from 1
  }

  // Ends the emulated BMS of one pack, as pulling its plug would.
  kill_bms_of_pack(number) {
    const pid = find_descendant(this.child.pid, bms_of_pack(number));
    if (pid === undefined) throw new Error(`the demo runs no emulated BMS of pack ${number}`);
    process.kill(pid, "SIGKILL");
  }

  async start() {
    let log = "";
    const { program, web_port, mqtt_port, folder } = this;
    const options = ["demo", "--web-port", String(web_port), "--mqtt-port", String(mqtt_port), "--data", folder];
    const child = spawn(program, options, { stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    this.ended = new Promise((resolve) => child.once("exit", resolve));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => {
        log = (log + text).slice(-20_000);
        // The demo prints where its receiver is; its port is free, not chosen.
        for (const [, number, url] of log.matchAll(kPackLine)) this.pack_urls[Number(number)] = url;
        this.receiver_url ??= /receiver +(http:\S+?)\/? /.exec(log)?.[1];
      });
    }
    child.on("error", (error) => {
      log += String(error);
    });
    await wait_until_ready(
      this.url,
      () => child.exitCode !== null || child.pid === undefined,
      () => log,
    );
  }

  async stop() {
    const { child } = this;
    if (!child || child.exitCode !== null || child.pid === undefined) return;
    child.kill("SIGTERM");
    let is_too_late = false;
    const patience = setTimeout(() => {
      is_too_late = true;
      child.kill("SIGKILL");
    }, kStopPatienceMs);
    await this.ended;
    clearTimeout(patience); // it would keep the test's process waiting
    if (is_too_late) throw new Error(`the program did not end within ${kStopPatienceMs / 1000} s of SIGTERM`);
  }

  async close() {
    try {
      await this.stop();
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

export async function open_program() {
  const program = process.env.AMPHORA_PROGRAM;
  const url = process.env.AMPHORA_URL;
  if (program === undefined && url !== undefined) {
    await wait_until_ready(
      url,
      () => false,
      () => "",
    );
    return { url: url.replace(/\/$/, ""), can_restart: false, close: async () => {} };
  }
  if (program === undefined) throw new Error("set AMPHORA_PROGRAM to the program, or AMPHORA_URL to a running demo");
  const real = new RealProgram(program, await free_port(), await free_port());
  try {
    await real.start();
  } catch (error) {
    await real.close();
    throw error;
  }
  return real;
}
