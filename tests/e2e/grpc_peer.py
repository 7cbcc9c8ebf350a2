"""A gRPC server or client for the tests: grpc_peer.py server ADDRESS | client ADDRESS CALLS.

The client makes CALLS unary calls, half as many that fail with NOT_FOUND, one to a method that is not there, and one
that streams both ways.
"""

import sys
from concurrent import futures

import grpc


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return {
            "/test.Echo/Unary": grpc.unary_unary_rpc_method_handler(lambda request, context: request),
            "/test.Echo/Fail": grpc.unary_unary_rpc_method_handler(
                lambda request, context: context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")),
            "/test.Echo/Stream": grpc.stream_stream_rpc_method_handler(lambda requests, context: requests),
        }.get(details.method)


def serve(address):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Echo(),))
    server.add_insecure_port(address)
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


def call(address, calls):
    with grpc.insecure_channel(address) as channel:
        for i in range(calls):
            channel.unary_unary("/test.Echo/Unary")(b"hello")
            if i % 2 == 0:
                fails(channel.unary_unary("/test.Echo/Fail"))
        fails(channel.unary_unary("/test.Echo/Missing"))
        list(channel.stream_stream("/test.Echo/Stream")(iter([b"a" * 1000] * 20)))


def fails(method):
    try:
        method(b"hello")
    except grpc.RpcError:
        return
    raise AssertionError("did not fail")


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve(sys.argv[2])
    else:
        call(sys.argv[2], int(sys.argv[3]))
