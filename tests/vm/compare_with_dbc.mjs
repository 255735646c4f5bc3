// SPDX-License-Identifier: Apache-2.0
// node compare_with_dbc.mjs DBC CANDUMP DECODED
// Reads a log of the pack network with a DBC library that is not ours and compares each value with what
// `amphora decode packnet` made of the same line. The library decodes all signals of a frame; which of them the frame has
// is told by the mark of the multiplexer, as the library read it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { Can, Dbc } = require("candied");
const [dbcFile, logFile, decodedFile] = process.argv.slice(2);

const dbc = new Dbc().load(readFileSync(dbcFile, "utf8"));
const can = new Can();
can.database = dbc;
const lines = readFileSync(logFile, "utf8").trim().split("\n");
const decoded = readFileSync(decodedFile, "utf8").trim().split("\n").map((line) => JSON.parse(line));

// The DBC file lists the frames of node 1; others have the same layout.
const RANGES = [0x000, 0x080, 0x100, 0x180];
const frames = new Map();
let values = 0;
const fail = (index, text) => {
  console.error(`${text}\n  ${lines[index]}\n  ${JSON.stringify(decoded[index])}`);
  process.exit(1);
};

// A line cut off at its end, because candump was still writing, is no frame.
const count = Math.min(lines.length, decoded.length) - 1;
for (let index = 0; index < count; ++index) {
  const match = /\) \S+ ([0-9A-F]{3})#([0-9A-F]*)$/.exec(lines[index]);
  const id = match ? Number.parseInt(match[1], 16) : -1;
  const range = id & ~0x7f;
  if (!match || !RANGES.includes(range) || (id & 0x7f) === 0) {
    continue;
  }
  const bytes = match[2].match(/../g).map((byte) => Number.parseInt(byte, 16));
  const message = can.decode(can.createFrame(range + 1, bytes, false));
  if (!message) {
    fail(index, "the library knows no such message");
  }
  frames.set(message.name, (frames.get(message.name) ?? 0) + 1);
  const signals = dbc.messages.get(message.name).signals;
  for (const [name, bound] of message.boundSignals) {
    const signal = signals.get(name);
    const isOther = /^m\d+$/.test(signal.multiplex ?? "") && Number(signal.multiplex.slice(1)) !== bytes[0];
    const key = Object.keys(decoded[index]).find((one) => one === name || /^_[a-z]+$/.test(one.slice(name.length)) && one.startsWith(name));
    const ours = decoded[index][key];
    if (isOther || typeof ours !== "number") {
      continue;
    }
    if (Math.abs(bound.value - ours) > 1e-6) {
      fail(index, `${message.name}.${name}: the library reads ${bound.value}, we ${ours}`);
    }
    ++values;
  }
}
console.log(`${values} values of ${[...frames].map(([name, many]) => `${many} ${name}`).join(", ")}: as an independent library reads them`);
for (const name of ["pack_master_beacon", "pack_presence", "pack_telemetry", "pack_report"]) {
  if (!frames.has(name)) {
    console.error(`no ${name} in the log`);
    process.exit(1);
  }
}
process.exit(values >= 200 ? 0 : 1);
