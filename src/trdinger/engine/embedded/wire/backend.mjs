// The engine's thread: PGlite with TimescaleDB, driven message by message, blocking where PostgreSQL would.
// One session at a time; COPY streams in both directions, nothing of it is gathered. Sockets are not known here.
//
// The engine reads through a callback that may block (the inbox waits on shared memory), so COPY ... FROM STDIN
// is the engine's own, errors and all. Only whole messages are handed to it, one call each.

import { parentPort, workerData } from "node:worker_threads";
import { Database } from "./database.mjs";
import { Inbox } from "./inbox.mjs";
import { errorFields, errorResponse, int32, message } from "./messages.mjs";
import { Output } from "./output.mjs";
import { ABANDONED, ACKNOWLEDGED, BUSY, CANCEL, STATEMENT, TIMED_OUT } from "./shared.mjs";

const OUTSTANDING = 8 << 20; // bytes of output on their way to a slow client before the engine waits
const [COPY_DATA, COPY_DONE, COPY_FAIL, FLUSH, SYNC, QUERY, PARSE, IDLE] = [..."dcfHSQPI"].map((c) => c.charCodeAt(0));
const LOG = 256 << 20; // bytes of log between two checkpoints
const LOOK = 1000; // milliseconds between two looks at it
const SYNC_MESSAGE = message("S");

const words = new Int32Array(workerData.shared);
const inbox = new Inbox(workerData.inbox, words);
const output = new Output(send, { reword });
let session = null;
let sent = Atomics.load(words, ACKNOWLEDGED);
let current = Buffer.alloc(0); // the message that the engine reads
let offset = 0;
let looked = -LOOK; // at the log's length

const database = await Database.open(workerData, words, { read, write: (bytes) => output.push(bytes) });
if (database === null) {
  parentPort.postMessage({ created: true });
  process.exit(0);
}
prepare();
parentPort.postMessage({ flags: database.flags, opened: { version: sql("SHOW server_version").rows[0], extension: extensionVersion() } });

for (let item; (item = inbox.item()) && !item.stop; ) if (item.begin) serve(item.begin);
sql("CHECKPOINT");
database.close();
parentPort.postMessage({ stopped: true });

function prepare() {
  database.loadExtension(sql);
  must("BEGIN");
  database.setDefaults();
  must("COMMIT");
  reset();
}

function extensionVersion() {
  return sql("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").rows[0];
}

// One client, from its turn's beginning to its end. The session that follows finds none of its state.
function serve(begin) {
  session = begin;
  output.startSession();
  try {
    const refusal = enter(begin);
    if (refusal) {
      send(refusal);
      parentPort.postMessage({ refused: begin.serial });
    } else {
      greet(begin);
      for (let next; (next = inbox.message(begin.serial)) !== null; ) {
        if (next[0] === COPY_DATA || next[0] === COPY_DONE || next[0] === COPY_FAIL) continue; // of a COPY that failed
        execute(next);
      }
    }
  } finally {
    reset();
    keepLogShort();
    session = null;
    parentPort.postMessage({ ended: begin.serial });
  }
}

// Settings of the database and the role first (one backend never reads them again by itself), the client's own after.
function enter({ user, database: name, settings }) {
  const here = sql("SELECT current_database()").rows[0];
  if (name !== here) {
    const hint = `The embedded TimescaleDB serves one database: ${here}.`;
    return errorResponse("FATAL", "3D000", `database "${name}" does not exist`, { hint });
  }
  const role = sql(`SELECT rolcanlogin FROM pg_roles WHERE rolname = ${quoted(user)}`).rows[0];
  if (role !== "t") {
    const what = role === undefined ? "does not exist" : "is not permitted to log in";
    return errorResponse("FATAL", "28000", `role "${user}" ${what}`, { hint: "Connect as user postgres." });
  }
  const stored = sql(
    `SELECT unnest(setconfig) FROM pg_db_role_setting
     WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
       AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = ${quoted(user)}))
     ORDER BY setrole <> 0, setdatabase <> 0`,
  ).rows;
  set("search_path", '"$user", public'); // the engine's own command line says pg_catalog, and tables would land there
  for (const pair of stored) {
    const cut = pair.indexOf("=");
    set(pair.slice(0, cut), pair.slice(cut + 1));
  }
  if (user !== "postgres") sql(`SET SESSION AUTHORIZATION ${quoted(user)}`);
  for (const [key, value] of Object.entries(settings)) {
    const error = set(key, value);
    if (error) return errorResponse("FATAL", error.C, error.M, { detail: error.D, hint: error.H });
  }
  return null;
}

function greet({ serial, secret }) {
  reportParameters();
  const parameters = [...output.parameters].map(([key, value]) => message("S", key, value));
  send(Buffer.concat([message("R", int32(0)), ...parameters, message("K", int32(serial, secret)), message("Z", Buffer.from("I"))]));
}

// The engine knows one kind of cancellation; the client is told which it was.
function reword(error) {
  if (!words[TIMED_OUT] || !error.includes("canceling statement due to user request")) return error;
  const { S, C, D, H, W } = errorFields(error);
  return errorResponse(S, C, "canceling statement due to statement timeout", { detail: D, hint: H, where: W });
}

// One message of the client's. Afterwards its ReadyForQuery, if it brought one, is the last thing sent.
function execute(bytes) {
  if (output.settled) interruptible(); // what was meant for an earlier statement does not reach this one
  output.settled = false;
  const kind = bytes[0];
  if ((kind === QUERY || kind === PARSE) && bytes.includes("set_config")) output.touched = true;
  const limit = database.statementTimeout;
  if (limit > 0) parentPort.postMessage({ limit });
  run(bytes);
  if (limit > 0) parentPort.postMessage({ limit: 0 });
  if (output.ready) {
    const ready = output.ready;
    output.ready = null;
    if (output.touched) {
      for (const [key, value] of reportParameters()) output.push(message("S", key, value));
      output.touched = false;
    }
    output.flush();
    send(ready);
    output.settled = true;
    uninterruptible();
    // Between transactions; and after a simple query only, for a statement of ours ends the unnamed one.
    if (kind === QUERY && ready.at(-1) === IDLE) keepLogShort();
  } else {
    output.flush();
  }
}

// The engine, alone in its process, never makes a checkpoint by itself.
function keepLogShort() {
  if (performance.now() < looked + LOOK) return;
  looked = performance.now();
  const grown = sql("SELECT pg_current_wal_insert_lsn() - redo_lsn FROM pg_control_checkpoint()").rows[0];
  if (Number(grown) > LOG) sql("CHECKPOINT");
}

function interruptible() {
  Atomics.store(words, CANCEL, 0);
  Atomics.store(words, TIMED_OUT, 0);
  database.clearInterrupts();
  Atomics.add(words, STATEMENT, 1);
  Atomics.store(words, BUSY, 1);
}

function uninterruptible() {
  Atomics.store(words, BUSY, 0);
  Atomics.store(words, CANCEL, 0);
  database.clearInterrupts();
}

function run(bytes) {
  current = bytes;
  offset = 0;
  output.copyIn = false;
  try {
    database.execute(bytes);
  } catch (error) {
    parentPort.postMessage({ crashed: String(error?.stack ?? error) });
    process.exit(1);
  } finally {
    current = Buffer.alloc(0);
    offset = 0;
  }
}

// The engine's read: the rest of its message, and while it copies in, the messages after it.
function read(most) {
  if (offset >= current.length) {
    if (!output.copyIn || session === null) return current.subarray(0, 0);
    current = copyMessage();
    offset = 0;
  }
  const piece = current.subarray(offset, offset + most);
  offset += piece.length;
  return piece;
}

function copyMessage() {
  output.flush();
  const next = inbox.message(session.serial, { cancellable: true });
  if (next === null) return copyFail("the client left");
  if (next === "cancelled") return copyFail("canceling statement due to " + (words[TIMED_OUT] ? "statement timeout" : "user request"));
  const kind = next[0];
  if (kind === COPY_DATA || kind === FLUSH || kind === SYNC) return next;
  output.copyIn = false;
  if (kind === COPY_DONE || kind === COPY_FAIL) return next;
  inbox.putBack(next);
  return copyFail(`unexpected message type 0x${kind.toString(16)} during COPY from stdin`);
}

function copyFail(reason) {
  output.copyIn = false;
  return message("f", reason);
}

// Everything that a session can leave behind. DISCARD ALL would lose the extension's state.
function reset() {
  uninterruptible();
  hidden(SYNC_MESSAGE);
  sql("ROLLBACK");
  for (const statement of [
    "CLOSE ALL", "UNLISTEN *", "RESET SESSION AUTHORIZATION", "RESET ALL", "DEALLOCATE ALL",
    "SELECT pg_advisory_unlock_all()", "DISCARD TEMP", "DISCARD SEQUENCES",
  ]) sql(statement);
}

// The engine reports parameters only when a session is greeted: greet it again, aside, and keep what changed.
function reportParameters() {
  const before = new Map(output.parameters);
  hidden(message("p", "-"));
  return [...output.parameters].filter(([key, value]) => before.get(key) !== value);
}

function set(name, value) {
  return sql(`SELECT set_config(${quoted(name)}, ${quoted(value)}, false)`).error;
}

function quoted(text) {
  return `'${String(text).replaceAll("'", "''")}'`;
}

function must(text) {
  const { error } = sql(text);
  if (error) throw new Error(`${text}: ${error.M}`);
}

// A statement of our own. Returns the first column as text, and the error's fields if there was one.
function sql(text) {
  const rows = [];
  let error = null;
  for (const answer of hidden(message("Q", text))) {
    if (answer[0] === 0x45) error = errorFields(answer);
    if (answer[0] !== 0x44) continue;
    const size = answer.readInt32BE(7);
    rows.push(size < 0 ? null : answer.toString("utf8", 11, 11 + size));
  }
  return { rows, error };
}

function hidden(bytes) {
  return output.hide(() => run(bytes));
}

// Hands bytes to the server's thread; waits while the client is too far behind, unless it is gone.
function send(bytes) {
  const serial = session?.serial ?? 0;
  const size = bytes.length;
  parentPort.postMessage({ output: bytes, serial });
  sent = (sent + size) | 0;
  for (;;) {
    const acknowledged = Atomics.load(words, ACKNOWLEDGED);
    if (((sent - acknowledged) | 0) <= OUTSTANDING) return;
    if (Atomics.load(words, ABANDONED) === serial) return;
    Atomics.wait(words, ACKNOWLEDGED, acknowledged, 1000);
  }
}
