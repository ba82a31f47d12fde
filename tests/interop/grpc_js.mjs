// Letterbox called with grpc-js, the gRPC library of Node: `node grpc_js.mjs TARGET`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const root = new URL("../../", import.meta.url).pathname;
const files = ["letterbox/v1/messaging_service.proto"];
const shape = { includeDirs: [`${root}proto`], enums: String, defaults: true, oneofs: true };
const definition = loader.loadSync(files, shape);
const { MessagingService } = grpc.loadPackageDefinition(definition).letterbox.v1;

const retries = readFileSync(`${root}clients/service_config/reads_and_writes.json`, "utf8");
const client = new MessagingService(process.argv[2], grpc.credentials.createInsecure(), {
  "grpc.service_config": retries,
});

function as(user) {
  const metadata = new grpc.Metadata();
  metadata.set("x-user-id", user);
  return metadata;
}

function call(rpc, user, request, options = {}) {
  return new Promise((resolve, reject) => {
    client[rpc](request, as(user), options, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

// A watch, and what it delivers.
function watching(user, request) {
  const call = client.WatchMessages(request, as(user));
  call.on("error", () => {}); // to be cancelled is one, too
  const responses = call[Symbol.asyncIterator]();
  return { call, next: async () => (await responses.next()).value };
}

const watch = watching("ben", {});
const ready = await watch.next();
assert.equal(ready.event, "ready");

const requestId = crypto.randomUUID();
const message = { recipientIds: ["ben"], subject: "plans", content: "Grüße, 你好 👋", requestId };
const sent = await call("SendMessage", "ana", message, { deadline: Date.now() + 20_000 });
const again = await call("SendMessage", "ana", message);
assert.equal(again.message.id, sent.message.id);

const told = await watch.next();
assert.equal(told.event, "messageSent");
assert.equal(told.messageSent.message.content, message.content);
watch.call.cancel();

const resumed = watching("ben", { resumeToken: ready.resumeToken });
assert.equal((await resumed.next()).event, "ready");
assert.equal((await resumed.next()).messageSent.message.id, sent.message.id);
resumed.call.cancel();

const inbox = await call("ListInbox", "ben", {});
assert.equal(inbox.totalSize, 1);
assert.equal(inbox.threads[0].placement, "PLACEMENT_INBOX");
assert.equal(inbox.threads[0].unreadCount, 1);

const refused = await call("GetThread", "cleo", { threadId: sent.message.threadId }).catch((error) => error);
assert.equal(refused.code, grpc.status.NOT_FOUND);
const [details] = refused.metadata.get("grpc-status-details-bin");
assert.ok(details.includes("THREAD_NOT_FOUND"));

const nobody = await call("ListInbox", "", {}).catch((error) => error);
assert.equal(nobody.code, grpc.status.UNAUTHENTICATED);

client.close();
