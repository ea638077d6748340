// PGlite's engine, opened on a directory and called by its raw entry points.
// Adds what its own wrapper lacks: cancellation from the other thread, and writes that reach the disk.
// The engine arms no timers: statement_timeout is kept by the server's thread, its relatives have no effect.

import { existsSync, fdatasyncSync, fsyncSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { shareMemory } from "./interruptible.mjs";
import { CANCEL } from "./shared.mjs";

const LIBRARIES = ["timescaledb-2.23.0-dev", "timescaledb-tsl-2.23.0-dev"];
const [ENOSPC, EIO] = [51, 29]; // as the engine numbers them
const [PGC_POSTMASTER, PGC_BACKEND] = [1, 4]; // guc.h of PostgreSQL 17
const [PGC_S_ENV_VAR, PGC_S_ARGV, PGC_S_OVERRIDE] = [2, 4, 10]; // the same; postgresql.conf is 3
const MONOTONIC = 1; // the clock that the engine sleeps by, spinning
const LEAP = 10n ** 15n; // nanoseconds (11 days); longer than anything sleeps

export class Database {
  #module;
  #words;
  #leap = 0n; // nanoseconds that the monotonic clock was put forward
  #timeoutName; // in the engine's memory
  #flags; // InterruptPending, QueryCancelPending

  // Null if the directory had no database: then it has one now, to be opened by another thread, for this
  // one's memory stays as large as creating made it. Throws what the engine says if it can't.
  static async open({ packageRoot, directory }, words, { read, write }) {
    const memories = shareMemory();
    const dist = (name) => import(pathToFileURL(join(packageRoot, "dist", name)).href);
    const { PGlite } = await dist("index.js");
    const { timescaledb } = await dist("timescaledb/index.js");
    const database = new Database();
    database.#words = words;
    const interrupts = { name: "interrupts", setup: async (_pglite, options) => ({ emscriptenOpts: database.#instrument(options) }) };
    const extensions = { interrupts, timescaledb };
    if (!existsSync(join(directory, "PG_VERSION"))) {
      // A new cluster opens on template1, whatever was asked for; the next opening finds "postgres".
      const fresh = await PGlite.create(directory, { extensions });
      await fresh.close();
      return null;
    }
    const { Module: module } = await PGlite.create(directory, { username: "postgres", database: "postgres", extensions });
    database.#flags = interruptFlags(module, memories.at(-1));
    database.#timeoutName = module.stringToNewUTF8("statement_timeout");
    const readBack = module.addFunction((at, most) => {
      const bytes = read(most);
      module.HEAPU8.set(bytes, at);
      return bytes.length;
    }, "iii");
    const writeBack = module.addFunction((at, length) => {
      write(module.HEAPU8.subarray(at, at + length));
      return length;
    }, "iii");
    module._set_read_write_cbs(readBack, writeBack);
    return database;
  }

  // Where another thread writes 1 and 1 to cancel what runs.
  get flags() {
    return this.#flags;
  }

  // Milliseconds, 0 for none.
  get statementTimeout() {
    return Number(this.#module.UTF8ToString(this.#module._GetConfigOption(this.#timeoutName, 1, 0)));
  }

  // A directory opened again has the extension in its catalog, but its Community functions answer only once loaded.
  loadExtension(sql) {
    const present = sql("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").rows.length > 0;
    const statements = present ? LIBRARIES.map((name) => `LOAD '${name}'`) : ["CREATE EXTENSION timescaledb"];
    for (const statement of statements) {
      const { error } = sql(statement);
      if (error) throw new Error(`${statement}: ${error.M}`);
    }
  }

  // What RESET leads back to: UTC where postgresql.conf names no zone; sequential scans, which the engine's
  // package turns off; no log files kept for later use, which a small database would carry a gigabyte of; and
  // the superuser, without whom RESET SESSION AUTHORIZATION would lead to nobody.
  // To be called in a transaction, once.
  setDefaults() {
    const set = (name, value, context, source) => {
      const [key, text] = [name, value].map((word) => this.#module.stringToNewUTF8(word));
      this.#module._SetConfigOption(key, text, context, source);
    };
    for (const name of ["TimeZone", "log_timezone"]) set(name, "UTC", PGC_POSTMASTER, PGC_S_ENV_VAR);
    set("enable_seqscan", "on", PGC_POSTMASTER, PGC_S_ARGV);
    set("wal_recycle", "off", PGC_POSTMASTER, PGC_S_ARGV);
    set("session_authorization", "postgres", PGC_BACKEND, PGC_S_OVERRIDE);
  }

  execute(bytes) {
    this.#module._interactive_one(bytes.length, bytes[0]);
  }

  clearInterrupts() {
    this.#flags.fill(0);
  }

  close() {
    this.#module._pgl_shutdown();
  }

  #instrument(options) {
    const instantiate = options.instantiateWasm;
    const instantiateWasm = (imports, done) => {
      const { env, wasi_snapshot_preview1: wasi } = imports;
      wasi.clock_time_get = this.#leaping(wasi.clock_time_get);
      env.__syscall_fdatasync = this.#syncing(env.__syscall_fdatasync, fdatasyncSync, -1);
      wasi.fd_sync = this.#syncing(wasi.fd_sync, fsyncSync, 1);
      return instantiate(imports, done);
    };
    const preRun = [...(options.preRun ?? []), (module) => (this.#module = module)];
    return { ...options, instantiateWasm, preRun };
  }

  // A cancellation puts the clock forward: a sleeper wakes, and then sees that it was cancelled.
  #leaping(call) {
    return (clock, precision, at) => {
      if (this.#words[CANCEL] === 1 && Atomics.compareExchange(this.#words, CANCEL, 1, 0) === 1) this.#leap += LEAP;
      const code = call(clock, precision, at);
      if (clock === MONOTONIC && this.#leap) this.#module.HEAP64[at >> 3] += this.#leap;
      return code;
    };
  }

  // Emscripten's file system only pretends to sync; a commit that was acknowledged must be on the disk.
  #syncing(call, sync, sign) {
    return (descriptor) => {
      const stream = this.#module?.FS.streams?.[descriptor];
      if (stream?.nfd === undefined) return call(descriptor);
      try {
        sync(stream.nfd);
        return 0;
      } catch (error) {
        return sign * (error.code === "ENOSPC" ? ENOSPC : EIO);
      }
    };
  }
}

// QueryCancelPending is not exported; it lies between the two words that are.
function interruptFlags({ _InterruptPending: interrupt, _ProcDiePending: die }, memory) {
  if (die - interrupt !== 8) throw new Error("the engine's interrupt flags are not where they were");
  return new Int32Array(memory.buffer, interrupt, 2);
}
