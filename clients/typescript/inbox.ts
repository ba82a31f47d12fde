// Prints the whole inbox, page by page: `node inbox.ts [PAGE_SIZE]`.

import type { ThreadView } from "./gen/letterbox/v1/message_pb.js";
import { letterbox, retrying } from "./letterbox.ts";

// All threads of the inbox, those with the newest message first.
async function* threads(pageSize: number): AsyncGenerator<ThreadView> {
  let pageToken = "";
  do {
    const page = await retrying((options) => letterbox.listInbox({ pageSize, pageToken }, options));
    yield* page.threads;
    // The end is where no token follows, and not where a page comes short.
    pageToken = page.nextPageToken;
  } while (pageToken);
}

for await (const view of threads(Number(process.argv[2] ?? 0))) {
  const mark = view.unread ? "*" : " ";
  console.log(`${mark} ${view.thread?.subject} (${view.lastSender?.id}: ${view.snippet})`);
}
