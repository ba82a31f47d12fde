"""Sends a message: `python3 send.py RECIPIENT SUBJECT CONTENT`, or a reply: `--to THREAD CONTENT`."""

import argparse
import uuid

import grpc
from letterbox_client import OPTIONS, TARGET, retrying

from letterbox.v1 import messaging_service_pb2 as pb
from letterbox.v1.messaging_service_pb2_grpc import MessagingServiceStub


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", metavar="THREAD", help="reply in this thread")
    parser.add_argument("words", nargs="+", metavar="RECIPIENT SUBJECT CONTENT")
    given = parser.parse_args()

    with grpc.insecure_channel(TARGET, options=OPTIONS) as channel:
        letterbox = MessagingServiceStub(channel)
        # Made once, before the first try: whatever happens on the way, the message is sent once.
        request_id = str(uuid.uuid4())
        if given.to:
            [content] = given.words
            reply = pb.ReplyThreadRequest(
                thread_id=given.to, content=content, request_id=request_id
            )
            message = retrying(letterbox.ReplyThread, reply).message
        else:
            *recipients, subject, content = given.words
            start = pb.SendMessageRequest(
                recipient_ids=recipients, subject=subject, content=content, request_id=request_id
            )
            message = retrying(letterbox.SendMessage, start).message
        print(f"{message.thread_id} {message.number}")


if __name__ == "__main__":
    main()
