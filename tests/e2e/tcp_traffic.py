"""Both ends of TCP connections that move a known number of bytes.

server IP PORT: each connection asks with 16 bytes (how many it sends, how many it wants) and gets its answer.
client IP PORT: reads commands on its standard input, one a line, and says "ok" after each:
  open N            opens N more connections
  exchange UP DOWN  sends UP bytes (the 16 included) and receives DOWN on every connection
  close             closes all and waits until the server has closed them, too
Both end when their standard input does.
"""

import resource
import selectors
import socket
import struct
import sys

REQUEST = struct.Struct("!QQ")
CHUNK = bytes(65536)


def family(ip):
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def receive(connection, n):
    while n:
        data = connection.recv(min(n, len(CHUNK)))
        if not data:
            raise EOFError
        n -= len(data)


class Served:
    """A connection at the server: reads a request, its bytes, and writes the answer."""

    def __init__(self, connection):
        self.connection, self.head, self.left, self.answer = connection, b"", 0, 0

    def on_readable(self):
        want = self.left or REQUEST.size - len(self.head)
        try:
            data = self.connection.recv(min(want, len(CHUNK)))
        except ConnectionResetError:
            return False
        if not data:
            return False
        if self.left:
            self.left -= len(data)
        else:
            self.head += data
            if len(self.head) == REQUEST.size:
                up, self.answer = REQUEST.unpack(self.head)
                self.left = up - REQUEST.size
        if len(self.head) == REQUEST.size and not self.left:
            self.connection.setblocking(True)
            for at in range(0, self.answer, len(CHUNK)):
                self.connection.sendall(CHUNK[: min(len(CHUNK), self.answer - at)])
            self.connection.setblocking(False)
            self.head = b""
        return True


def serve(ip, port):
    listener = socket.create_server((ip, port), family=family(ip), backlog=4096)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                if not sys.stdin.readline():
                    return
            elif key.fileobj is listener:
                connection, _ = listener.accept()
                selector.register(connection, selectors.EVENT_READ, Served(connection))
            elif not key.data.on_readable():
                selector.unregister(key.fileobj)
                key.fileobj.close()


class Client:
    def __init__(self, ip, port):
        self.address, self.connections = (ip, port), []

    def open(self, n):
        for _ in range(n):
            self.connections.append(socket.create_connection(self.address))

    def exchange(self, up, down):
        for connection in self.connections:
            # head and first bytes in one piece, or each exchange waits for a delayed acknowledgement
            first = min(up - REQUEST.size, len(CHUNK))
            connection.sendall(REQUEST.pack(up, down) + CHUNK[:first])
            for at in range(REQUEST.size + first, up, len(CHUNK)):
                connection.sendall(CHUNK[: min(len(CHUNK), up - at)])
            receive(connection, down)

    def close(self):
        for connection in self.connections:
            connection.shutdown(socket.SHUT_WR)
        for connection in self.connections:
            assert connection.recv(1) == b""
            connection.close()
        self.connections = []


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    role, ip, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if role == "server":
        return serve(ip, port)
    client = Client(ip, port)
    print("ready", flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        getattr(client, command)(*map(int, arguments))
        print("ok", flush=True)


main()
