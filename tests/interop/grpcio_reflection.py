"""Letterbox called with grpcio by what it says of itself: `python3 grpcio_reflection.py TARGET`.

No generated code: the messages are made from the descriptors that server reflection gives. Health is
asked as probes ask it.
"""

import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

SERVICE = "letterbox.v1.MessagingService"


class Caller:
    """A user's calls, by the names of the rpcs."""

    def __init__(self, channel: grpc.Channel, service, user: str) -> None:
        self.channel, self.service, self.user = channel, service, user

    def __getattr__(self, rpc: str):
        method = self.service.methods_by_name[rpc]
        request = message_factory.GetMessageClass(method.input_type)
        answer = message_factory.GetMessageClass(method.output_type)
        make = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        path = f"/{SERVICE}/{rpc}"
        call = make(path, request.SerializeToString, answer.FromString)
        metadata = [("x-user-id", self.user)]
        return lambda **fields: call(request(**fields), metadata=metadata, timeout=20)


def refusal(call) -> tuple[grpc.StatusCode, str]:
    """The code and the reason with which a call is refused."""
    try:
        call()
    except grpc.RpcError as error:
        for detail in rpc_status.from_call(error).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                return error.code(), info.reason
    raise AssertionError("a call that had to be refused")


def main(target: str) -> None:
    with grpc.insecure_channel(target) as channel:
        reflection = ProtoReflectionDescriptorDatabase(channel)
        assert SERVICE in reflection.get_services()
        pool = descriptor_pool.DescriptorPool(reflection)
        service = pool.FindServiceByName(SERVICE)
        ana, ben, cleo = (Caller(channel, service, user) for user in ("ana", "ben", "cleo"))

        watch = ben.WatchMessages()
        assert next(watch).WhichOneof("event") == "ready"
        content = "Grüße, 你好 👋"
        sent = ana.SendMessage(recipient_ids=["ben"], subject="plans", content=content)
        assert next(watch).message_sent.message.content == content
        watch.cancel()

        inbox = ben.ListInbox()
        assert [view.unread_count for view in inbox.threads] == [1]
        stranger = refusal(lambda: cleo.GetThread(thread_id=sent.message.thread_id))
        assert stranger == (grpc.StatusCode.NOT_FOUND, "THREAD_NOT_FOUND"), stranger
        blank = refusal(lambda: ana.SendMessage(recipient_ids=["ben"]))
        assert blank == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"), blank

        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, answer
        states = health.Watch(health_pb2.HealthCheckRequest())
        assert next(states).status == health_pb2.HealthCheckResponse.SERVING
        states.cancel()


if __name__ == "__main__":
    main(sys.argv[1])
