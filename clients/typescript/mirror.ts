// A copy of a user's threads, and how it is kept current: what a watch delivers, applied once.
//
// The rules are WatchMessages', "To keep views current". A file is enough to show them; what is kept
// in a database commits the token together with what it stands for.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";

import { type Message, PlacementSchema, type ThreadView } from "./gen/letterbox/v1/message_pb.js";
import type { MessageSent } from "./gen/letterbox/v1/watch_pb.js";

interface MirroredThread {
  subject: string;
  message_count: number;
  unread_count: number;
  placement: string;
  messages: Record<number, { sender: string; content: string; revision: number }>;
}

// Threads by id, each with its messages by number, and the token to go on from.
export class Mirror {
  readonly #path: string;
  token: string | undefined;
  readonly threads: Record<string, MirroredThread>;

  constructor(path: string) {
    this.#path = path;
    const stored = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
    this.token = stored.token;
    this.threads = stored.threads ?? {};
  }

  // Keeps all, and with it the token: after what it stands for, never before. Whoever stops between
  // an event and its token sees the event once more, which changes nothing; the other way round it
  // would be lost.
  save(token: string): void {
    this.token = token;
    const beside = `${this.#path}.new`;
    const file = openSync(beside, "w");
    writeSync(file, JSON.stringify({ token, threads: this.threads }, null, 1));
    fsyncSync(file);
    closeSync(file);
    renameSync(beside, this.#path);
  }

  // A view that was read, or that a `threadChanged` brought, takes the former one's place.
  putView(view: ThreadView): void {
    const { id, subject, messageCount } = view.thread!;
    this.threads[id] = {
      subject,
      message_count: messageCount,
      unread_count: view.unreadCount,
      // A later version's placement is kept as the number that it came as.
      placement: PlacementSchema.value[view.placement]?.name ?? String(view.placement),
      messages: this.threads[id]?.messages ?? {},
    };
  }

  // Takes a message that is not held, or a newer revision of it, and shows it.
  putMessage(message: Message): void {
    const thread = this.threads[message.threadId]!;
    const held = thread.messages[message.number];
    if (held && held.revision >= message.revision) return;
    const { content, revision } = message;
    const sender = message.sender!.id;
    thread.messages[message.number] = { sender, content, revision };
    console.log(`${thread.subject} ${message.number} ${sender}: ${content}`);
  }

  // Brings a thread's view up to a message that was sent, unless it is there already.
  count(sent: MessageSent, me: string): void {
    const message = sent.message!;
    const thread = this.threads[message.threadId]!;
    if (message.number <= thread.message_count) return;
    const own = message.sender!.id === me;
    thread.message_count = message.number;
    thread.subject = sent.thread!.subject;
    thread.unread_count = own ? 0 : thread.unread_count + 1;
    if (sent.reply || !own) thread.placement = "PLACEMENT_INBOX";
  }
}
