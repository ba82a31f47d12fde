// How to reach Letterbox, who is calling, and how to try again.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { type CallOptions, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { MessagingService } from "./gen/letterbox/v1/messaging_service_pb.js";

// In development a header says who calls; with tokens this is who they are for.
export const ME = process.env.LETTERBOX_USER ?? "ana";

// Who is calling. Asked anew for each call, so that a fresh token is used once it is there.
export function credentials(): [name: string, value: string] {
  const path = process.env.LETTERBOX_TOKEN_FILE;
  return path ? ["authorization", `Bearer ${readFileSync(path, "utf8").trim()}`] : ["x-user-id", ME];
}

const identify: Interceptor = (next) => (request) => {
  request.header.set(...credentials());
  return next(request);
};

export const letterbox = createClient(
  MessagingService,
  createGrpcTransport({
    baseUrl: `http://${process.env.LETTERBOX_TARGET ?? "127.0.0.1:50051"}`,
    interceptors: [identify],
    // A connection that has died in silence is noticed, also while nobody calls but a watch.
    pingIntervalMs: 30_000,
    pingTimeoutMs: 10_000,
  }),
);

// How long the server says to wait, at least, in milliseconds.
const PUSHBACK = "grpc-retry-pushback-ms";

// Whether it can be tried again: the server or the connection failed, and not the request.
export function isPassing({ code, details, metadata }: ConnectError): boolean {
  // Over a limit, for now, where it says until when.
  if (code === Code.ResourceExhausted) return metadata.has(PUSHBACK);
  if ([Code.Unavailable, Code.DeadlineExceeded, Code.Canceled].includes(code)) return true;
  // What Connect makes of a connection that broke. Letterbox's own errors have details.
  return [Code.Aborted, Code.Internal, Code.Unknown].includes(code) && details.length === 0;
}

// How long to wait before the next try: twice as long each time, by chance up to that. The chance
// keeps many clients from coming back at the same moment.
export class Backoff {
  #tries = 0;

  reset(): void {
    this.#tries = 0;
  }

  // Milliseconds to wait: at least as long as the server has said, where it has.
  next(error?: ConnectError): number {
    const most = Math.min(20_000, 200 * 2 ** this.#tries);
    this.#tries += 1;
    const said = Number(error?.metadata.get(PUSHBACK) ?? 0);
    return said + Math.random() * most;
  }
}

// Makes a call that is safe to repeat, again and again until it is answered: a read, or a write with
// a `requestId`, which is the same request each time. Connect has no retries of its own.
export async function retrying<T>(
  call: (options: CallOptions) => Promise<T>,
  patience = 60_000,
): Promise<T> {
  const backoff = new Backoff();
  const giveUp = Date.now() + patience;
  while (true) {
    try {
      return await call({ timeoutMs: 10_000 });
    } catch (caught) {
      const error = ConnectError.from(caught);
      const wait = backoff.next(error);
      if (!isPassing(error) || Date.now() + wait > giveUp) throw error;
      await sleep(wait);
    }
  }
}
