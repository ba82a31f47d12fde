// Letterbox called as a page calls it, with connect-web over fetch: `node grpc_web.mjs TARGET`.

import assert from "node:assert/strict";

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { MessagingService } from "../../clients/typescript/gen/letterbox/v1/messaging_service_pb.js";

function as(user) {
  const identify = (next) => (request) => {
    request.header.set("x-user-id", user);
    return next(request);
  };
  const baseUrl = `http://${process.argv[2]}`;
  return createClient(MessagingService, createGrpcWebTransport({ baseUrl, interceptors: [identify] }));
}

const [ana, ben, cleo] = [as("ana"), as("ben"), as("cleo")];

const leaving = new AbortController();
const watch = ben.watchMessages({}, { signal: leaving.signal })[Symbol.asyncIterator]();
assert.equal((await watch.next()).value.event.case, "ready");

const message = { recipientIds: ["ben"], subject: "plans", content: "Grüße, 你好 👋" };
const sent = await ana.sendMessage(message, { timeoutMs: 20_000 });

const told = (await watch.next()).value.event;
assert.equal(told.case, "messageSent");
assert.equal(told.value.message.content, message.content);
leaving.abort();

const inbox = await ben.listInbox({});
assert.equal(inbox.threads[0].unreadCount, 1);

const refused = await cleo.getThread({ threadId: sent.message.threadId }).catch(ConnectError.from);
assert.equal(refused.code, Code.NotFound);
assert.ok(refused.details.some((detail) => detail.type === "google.rpc.ErrorInfo"));

const nobody = await as("").listInbox({}).catch(ConnectError.from);
assert.equal(nobody.code, Code.Unauthenticated);
