"""Prints the whole inbox, page by page: `python3 inbox.py [PAGE_SIZE]`."""

import sys
from collections.abc import Iterator

import grpc
from letterbox_client import OPTIONS, TARGET, retrying

from letterbox.v1 import message_pb2, messaging_service_pb2 as pb
from letterbox.v1.messaging_service_pb2_grpc import MessagingServiceStub


def threads(letterbox: MessagingServiceStub, page_size: int) -> Iterator[message_pb2.ThreadView]:
    """All threads of the inbox, those with the newest message first."""
    request = pb.ListInboxRequest(page_size=page_size)
    while True:
        page = retrying(letterbox.ListInbox, request)
        yield from page.threads
        # The end is where no token follows, and not where a page comes short.
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def main() -> None:
    page_size = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with grpc.insecure_channel(TARGET, options=OPTIONS) as channel:
        for view in threads(MessagingServiceStub(channel), page_size):
            mark = "*" if view.unread else " "
            print(f"{mark} {view.thread.subject} ({view.last_sender.id}: {view.snippet})")


if __name__ == "__main__":
    main()
