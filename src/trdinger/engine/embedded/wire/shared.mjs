// The words in shared memory between the server's thread and the engine's.

export const WAKE = 0; // counts what was put into the engine's inbox
export const CANCEL = 1; // 1: cancel what runs
export const BUSY = 2; // 1: a statement runs or waits for CopyData
export const ABANDONED = 3; // the session whose client is gone: drop its input
export const ACKNOWLEDGED = 4; // bytes of output that left for the client, modulo 2^32
export const TIMED_OUT = 5; // 1: it was statement_timeout that cancelled
export const STATEMENT = 6; // counts statements
export const WORDS = 8;
