// Keeps a copy of a user's threads in a file, across restarts of the server and of itself:
// `node watch.ts FILE` prints each message, and each edit of one, once, until it is interrupted.

import { setTimeout as sleep } from "node:timers/promises";

import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

import { Folder } from "./gen/letterbox/v1/messaging_service_pb.js";
import type { WatchMessagesResponse } from "./gen/letterbox/v1/watch_pb.js";
import { Backoff, credentials, isPassing, letterbox, ME } from "./letterbox.ts";
import { Mirror } from "./mirror.ts";

const mirror = new Mirror(process.argv[2] ?? "mirror.json");
const backoff = new Backoff();

async function readThread(threadId: string): Promise<void> {
  let pageToken = "";
  do {
    const request = { threadId, pageSize: 200, pageToken };
    const page = await letterbox.getThread(request, { timeoutMs: 10_000 });
    mirror.putView(page.view!);
    page.messages.forEach((message) => mirror.putMessage(message));
    pageToken = page.nextPageToken;
  } while (pageToken);
}

// Begins, or begins again: everything as it is, and the token of the moment before.
async function readAll(): Promise<void> {
  let [pageToken, token] = ["", ""];
  do {
    const request = { folder: Folder.ALL, pageSize: 200, pageToken };
    const page = await letterbox.listInbox(request, { timeoutMs: 10_000 });
    // The first page's: what happens while the others are read comes with the watch.
    token ||= page.resumeToken;
    for (const view of page.threads) await readThread(view.thread!.id);
    pageToken = page.nextPageToken;
  } while (pageToken);
  mirror.save(token);
}

async function apply({ event, resumeToken }: WatchMessagesResponse): Promise<void> {
  switch (event.case) {
    case "messageSent": {
      const message = event.value.message!;
      if (!(message.threadId in mirror.threads)) {
        await readThread(message.threadId);
      } else {
        mirror.count(event.value, ME);
        mirror.putMessage(message);
      }
      break;
    }
    case "messageEdited": {
      const message = event.value.message!;
      if (!(message.threadId in mirror.threads)) await readThread(message.threadId);
      else mirror.putMessage(message);
      break;
    }
    case "threadChanged": {
      const view = event.value.view!;
      if (!(view.thread!.id in mirror.threads)) await readThread(view.thread!.id);
      else mirror.putView(view);
      break;
    }
    // `ready`, `heartbeat`, and what later versions may send, only move the token.
  }
  mirror.save(resumeToken);
}

// Watches from the mirror's token until the watch ends.
async function watch(): Promise<void> {
  const silent = new AbortController();
  const giveUp = () => silent.abort(new ConnectError("nothing was heard for too long", Code.Canceled));
  let silenceMax = 90_000;
  let timer = setTimeout(giveUp, silenceMax);
  try {
    const request = { resumeToken: mirror.token };
    for await (const told of letterbox.watchMessages(request, { signal: silent.signal })) {
      // A connection can die without either side knowing: three missed heartbeats are an end.
      clearTimeout(timer);
      if (told.event.case === "ready") silenceMax = 3 * durationMs(told.event.value.heartbeatInterval!);
      else backoff.reset();
      timer = setTimeout(giveUp, silenceMax);
      await apply(told);
    }
  } finally {
    clearTimeout(timer);
  }
}

while (true) {
  const used = credentials();
  let wait, why;
  try {
    if (!mirror.token) await readAll();
    await watch();
    [wait, why] = [backoff.next(), "the watch was ended"];
  } catch (caught) {
    const error = ConnectError.from(caught);
    // A token of the user's has expired, and there is a fresh one.
    const renewed = error.code === Code.Unauthenticated && credentials()[1] !== used[1];
    if (error.code === Code.OutOfRange) mirror.token = undefined; // too old: list again
    else if (!renewed && !isPassing(error)) throw error;
    [wait, why] = [backoff.next(error), error.message];
  }
  console.error(`${why}; resuming in ${Math.round(wait)} ms`);
  await sleep(wait);
}
