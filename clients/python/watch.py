"""Keeps a copy of a user's threads in a file, across restarts of the server and of itself.

`python3 watch.py FILE` prints each message, and each edit of one, once, until it is interrupted.
"""

import asyncio
import pathlib
import sys

import grpc
from letterbox_client import ME, OPTIONS, TARGET, Backoff, credentials, is_passing
from mirror import Mirror

from letterbox.v1 import messaging_service_pb2 as pb, watch_pb2
from letterbox.v1.messaging_service_pb2_grpc import MessagingServiceStub

# Until `ready` says how often a sign of life comes.
SILENCE_MAX = 90.0


async def read_thread(letterbox: MessagingServiceStub, mirror: Mirror, thread_id: str) -> None:
    request = pb.GetThreadRequest(thread_id=thread_id, page_size=200)
    while True:
        page = await letterbox.GetThread(request, timeout=10, metadata=credentials())
        mirror.put_view(page.view)
        for message in page.messages:
            mirror.put_message(message)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


async def read_all(letterbox: MessagingServiceStub, mirror: Mirror) -> None:
    """Begins, or begins again: everything as it is, and the token of the moment before."""
    request = pb.ListInboxRequest(folder=pb.FOLDER_ALL, page_size=200)
    token = None
    while True:
        page = await letterbox.ListInbox(request, timeout=10, metadata=credentials())
        # The first page's: what happens while the others are read comes with the watch.
        token = token or page.resume_token
        for view in page.threads:
            await read_thread(letterbox, mirror, view.thread.id)
        if not page.next_page_token:
            mirror.save(token)
            return
        request.page_token = page.next_page_token


async def apply(
    letterbox: MessagingServiceStub, mirror: Mirror, told: watch_pb2.WatchMessagesResponse
) -> None:
    match told.WhichOneof("event"):
        case "message_sent":
            sent, message = told.message_sent, told.message_sent.message
            if message.thread_id not in mirror.threads:
                await read_thread(letterbox, mirror, message.thread_id)
            else:
                own = message.sender.id == ME
                mirror.count(message, sent.thread.subject, own=own, reply=sent.reply)
                mirror.put_message(message)
        case "message_edited":
            message = told.message_edited.message
            if message.thread_id not in mirror.threads:
                await read_thread(letterbox, mirror, message.thread_id)
            else:
                mirror.put_message(message)
        case "thread_changed":
            view = told.thread_changed.view
            if view.thread.id not in mirror.threads:
                await read_thread(letterbox, mirror, view.thread.id)
            else:
                mirror.put_view(view)
        # `ready`, `heartbeat`, and what later versions may send, only move the token.
    mirror.save(told.resume_token)


async def watch(letterbox: MessagingServiceStub, mirror: Mirror, backoff: Backoff) -> None:
    """Watches from the mirror's token until the watch ends."""
    request = watch_pb2.WatchMessagesRequest(resume_token=mirror.token)
    call = letterbox.WatchMessages(request, metadata=credentials())
    silence = SILENCE_MAX
    try:
        # A connection can die without either side knowing: three missed heartbeats are an end.
        while told := await asyncio.wait_for(call.read(), silence):
            if told.WhichOneof("event") == "ready":
                silence = 3 * told.ready.heartbeat_interval.ToTimedelta().total_seconds()
            else:
                backoff.reset()
            await apply(letterbox, mirror, told)
    finally:
        call.cancel()


async def main() -> None:
    mirror, backoff = Mirror(pathlib.Path(sys.argv[1])), Backoff()
    async with grpc.aio.insecure_channel(TARGET, options=OPTIONS) as channel:
        letterbox = MessagingServiceStub(channel)
        while True:
            used = credentials()
            try:
                if mirror.token is None:
                    await read_all(letterbox, mirror)
                await watch(letterbox, mirror, backoff)
                wait, why = backoff.next(), "the watch was ended"
            except TimeoutError:
                wait, why = backoff.next(), "nothing was heard for too long"
            except grpc.RpcError as error:
                code = error.code()
                if code == grpc.StatusCode.OUT_OF_RANGE:
                    mirror.token = None  # the token is too old: list again
                elif code == grpc.StatusCode.UNAUTHENTICATED and credentials() != used:
                    pass  # a token has expired, and there is a fresh one
                elif not is_passing(error):
                    raise
                wait, why = backoff.next(error), f"{code.name}: {error.details()}"
            print(f"{why}; resuming in {wait:.1f} s", file=sys.stderr)
            await asyncio.sleep(wait)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
