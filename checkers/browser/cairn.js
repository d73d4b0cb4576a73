// Starts Cairn's own program, and ends what it started, whatever happens.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/** The program under test. */
const PROGRAM = process.env.CAIRN_PROGRAM ?? "cairn";
/** How long anything may take before it is hung, and not slow. */
const HUNG_MS = 120_000;

/** Servers that were started and not stopped. */
const running = new Set();
/** Everything that the tests write lies in here. */
export const scratch = mkdtempSync(join(tmpdir(), "cairn-browser-"));

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** Runs a command that ends, with nothing on its standard input; what it printed. */
export async function cairn(args) {
  const started = promisify(execFile)(PROGRAM, args, { timeout: HUNG_MS, maxBuffer: 64 << 20 });
  // Closed, not ended: even a write of nothing fails where the command was done before it.
  started.child.stdin.destroy();
  return (await started).stdout;
}

/** The JSON document that a command prints. */
export async function cairnJson(args) {
  return JSON.parse(await cairn([...args, "--json"]));
}

/** `cairn up` of a folder on a free port of loopback: its address, and how it is stopped. */
export async function serve(dir) {
  const child = spawn(PROGRAM, ["up", "--listen", "127.0.0.1:0", dir], { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  const ended = once(child, "exit").then(([code]) => code);
  const address = await Promise.race([firstAddress(child.stdout), ended.then((code) => Promise.reject(
    new Error(`cairn up ${dir} ended with ${code} before it was up`)))]);
  const stop = async () => {
    child.kill("SIGTERM");
    const code = await ended;
    running.delete(child);
    return code;
  };
  return { url: address, dir, stop };
}

/** The address in what `cairn up` says first; the rest is read and let go, so that it is never blocked. */
async function firstAddress(output) {
  const lines = createInterface({ input: output });
  const found = new Promise((resolve) => {
    lines.on("line", (line) => {
      const match = / is up at (http:\/\/127\.0\.0\.1:\d+)$/.exec(line);
      if (match) resolve(match[1]);
    });
  });
  return found;
}
