// Sends a message: `node send.ts RECIPIENT SUBJECT CONTENT`, or a reply: `node send.ts --to THREAD CONTENT`.

import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";

import { letterbox, retrying } from "./letterbox.ts";

const { values, positionals } = parseArgs({
  options: { to: { type: "string" } },
  allowPositionals: true,
});
const content = positionals.pop();
if (!content) throw new Error("what is to be sent?");

// Made once, before the first try: whatever happens on the way, the message is sent once.
const requestId = randomUUID();
let sent;
if (values.to) {
  const reply = { threadId: values.to, content, requestId };
  sent = await retrying((options) => letterbox.replyThread(reply, options));
} else {
  const subject = positionals.pop();
  const start = { recipientIds: positionals, subject, content, requestId };
  sent = await retrying((options) => letterbox.sendMessage(start, options));
}
console.log(`${sent.message?.threadId} ${sent.message?.number}`);
