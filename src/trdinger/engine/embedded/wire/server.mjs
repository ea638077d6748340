// The embedded TimescaleDB's server: 127.0.0.1, PostgreSQL's wire protocol, one client at a time.
// Says where it is in <home>/server.json; ends with code 0 on SIGTERM, SIGINT, when its leases are gone or it idled
// too long, and loses nothing when it is killed. Holding the directory's lock is its starter's affair (server.py).
//
// node server.mjs --home DIR --package-root DIR [--port N] [--patience SECONDS] [--idle-timeout SECONDS] [--bound]

import { randomBytes } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { Client } from "./client.mjs";
import { Engine } from "./engine.mjs";
import { CONTROL_KEEP, CONTROL_LEASE } from "./messages.mjs";
import { Turns } from "./turns.mjs";

const FIRST_LEASE = 60_000; // milliseconds a bound server waits for whoever started it
const LAST_LEASE = 200; // milliseconds after the last one went
// About how many bytes of a function of the engine run before V8 optimises it. With its own 1.8 million most of what a
// short command touches is compiled twice, 1.3 s of a core; long statements take as long as before. A V8 without this
// flag says so in the log and goes on.
const TIERING_BUDGET = 100_000_000;
const CLOSING = 20_000; // milliseconds for the checkpoint; later the log recovers what it would have written

const { values: options } = parseArgs({
  options: {
    home: { type: "string" },
    "package-root": { type: "string" },
    port: { type: "string", default: "0" },
    patience: { type: "string", default: "30" },
    "idle-timeout": { type: "string" },
    bound: { type: "boolean", default: false },
  },
});
setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`);
const started = new Date();
const identity = randomBytes(8).toString("hex");
const clients = new Map(); // by serial, those that the engine serves
const turns = new Turns(Number(options.patience) * 1000, give);
const engine = new Engine({ packageRoot: options["package-root"], directory: join(options.home, "pgdata") }, {
  output: (serial, bytes, sent) => (clients.has(serial) ? clients.get(serial).write(bytes, sent) : sent()),
  consumed: (serial, count) => clients.get(serial)?.consumed(count),
  refused: (serial) => clients.get(serial)?.finish(),
  ended: (serial) => handOver(serial),
  crashed,
});
const listener = createServer((socket) => new Client(socket, { enqueue, leave, input, cancel, control }));
const leases = new Set();
let bound = options.bound;
let stopping = false;
let idleTimer;
let leaseTimer;
let opened;

process.on("SIGTERM", () => stop("SIGTERM"));
process.on("SIGINT", () => stop("SIGINT"));
process.on("SIGHUP", () => {});
state({ state: "starting" });
try {
  opened = await engine.open();
  await listen();
} catch (error) {
  log(`did not start: ${error.stack ?? error}`);
  state({ state: "failed", code: error.code ?? null, reason: String(error.message ?? error).split("\n")[0] });
  process.exit(1);
}
state({ state: "ready" });
log(`ready on 127.0.0.1:${listener.address().port}, PostgreSQL ${opened.version}, TimescaleDB ${opened.extension}`);
watchIdle();
if (bound) leaseTimer = setTimeout(() => stop("nobody took a lease"), FIRST_LEASE);

function listen() {
  return new Promise((resolve, reject) => {
    listener.once("error", reject);
    listener.listen({ host: "127.0.0.1", port: Number(options.port) }, resolve);
  });
}

function enqueue(client) {
  clearTimeout(idleTimer);
  if (stopping) client.dismiss("57P01", "The embedded TimescaleDB is shutting down.");
  else turns.join(client);
}

function give(client) {
  clients.set(client.serial, client);
  const { user, database, settings } = client.parameters;
  engine.begin({ serial: client.serial, secret: client.secret, user, database, settings });
  client.serve();
}

function input(client, messages) {
  engine.input(client.serial, messages);
}

function leave(client, { abandoned }) {
  if (turns.leave(client)) return watchIdle();
  if (turns.current === client) engine.end(client.serial, { abandoned });
}

function handOver(serial) {
  clients.get(serial)?.finish();
  clients.delete(serial);
  if (!stopping) turns.next();
  watchIdle();
}

function cancel(serial, secret) {
  const client = turns.current;
  if (client?.serial === serial && client.secret === secret) engine.cancel();
}

// Our own requests: who are you, stay while I am here, stay.
function control(code, socket) {
  socket.write(JSON.stringify(description({ state: stopping ? "stopping" : "ready" })) + "\n");
  if (code === CONTROL_LEASE) {
    clearTimeout(leaseTimer);
    leases.add(socket);
    socket.on("close", () => {
      leases.delete(socket);
      if (bound && leases.size === 0) leaseTimer = setTimeout(() => stop("the last lease is gone"), LAST_LEASE);
      watchIdle();
    });
    return;
  }
  if (code === CONTROL_KEEP) {
    bound = false;
    clearTimeout(leaseTimer);
  }
  socket.end();
}

function watchIdle() {
  clearTimeout(idleTimer);
  if (!options["idle-timeout"] || !turns.idle || leases.size > 0 || stopping) return;
  idleTimer = setTimeout(() => stop("it idled"), Number(options["idle-timeout"]) * 1000);
}

// What the engine could not survive, the next opening of the directory mends from its log.
async function crashed(reason) {
  log(`the engine ended: ${reason}`);
  const client = turns.current;
  client?.dismiss("57P02", "The embedded TimescaleDB's engine ended unexpectedly and is being started again.", {
    detail: reason.split("\n")[0],
  });
  if (client) clients.delete(client.serial);
  if (stopping) return;
  try {
    await engine.open();
    log("the engine was started again");
    turns.next();
  } catch (error) {
    log(`the engine could not be started again: ${error.stack ?? error}`);
    for (const waiting of turns.waiting) waiting.dismiss("57P03", "The embedded TimescaleDB could not be started again.");
    state({ state: "failed", reason: String(error.message).split("\n")[0] });
    process.exit(1);
  }
}

async function stop(why) {
  if (stopping) return;
  stopping = true;
  log(`stops: ${why}`);
  state({ state: "stopping" });
  listener.close();
  for (const client of turns.waiting) {
    turns.leave(client);
    client.dismiss("57P01", "The embedded TimescaleDB is shutting down.");
  }
  if (turns.current) {
    const client = turns.current;
    engine.end(client.serial, { abandoned: true });
    client.dismiss("57P01", "terminating connection due to administrator command");
  }
  const closed = await engine.stop(CLOSING);
  log(closed ? "stopped" : `stopped without a checkpoint: the engine did not finish in ${CLOSING / 1000} s`);
  state({ state: "stopped" });
  process.exit(0);
}

function description(more) {
  return {
    ...more,
    pid: process.pid,
    port: listener.address()?.port ?? null,
    home: options.home,
    identity,
    started: started.toISOString(),
    version: opened?.version ?? null,
    extension: opened?.extension ?? null,
    bound,
  };
}

// Written whole or not at all: readers may look at any moment.
function state(more) {
  const path = join(options.home, "server.json");
  try {
    writeFileSync(`${path}.new`, JSON.stringify(description(more)) + "\n", { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    log(`server.json could not be written: ${error.message}`);
  }
}

function log(text) {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
}
