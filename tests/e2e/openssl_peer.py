"""An HTTPS server or client that calls OpenSSL's functions itself: those of a given library, on sockets or over memory.

    openssl_peer.py LIBSSL LIBCRYPTO sockets|memory plain|ex server IP PORT CERT KEY
    openssl_peer.py LIBSSL LIBCRYPTO sockets|memory plain|ex client IP PORT LOCAL_PORT...

What they say and are told is in tls_peers.py. Besides, a client that is told AGAIN N connects with the same objects again, from
ports that are N higher.
"""

import ctypes
import selectors
import socket
import sys

WANT_READ, WANT_WRITE, ZERO_RETURN = 2, 3, 6
VERIFY_NONE, FILE_PEM = 0, 1
SIGNATURES = {  # name: (result, arguments); p: pointer, i: int, n: size_t, s: string
    "TLS_method": "p", "SSL_CTX_new": "pp", "SSL_CTX_use_certificate_file": "ipsi", "SSL_CTX_use_PrivateKey_file": "ipsi",
    "SSL_CTX_set_verify": "vpip", "SSL_new": "pp", "SSL_free": "vp", "SSL_clear": "ip", "SSL_set_fd": "ipi", "SSL_set_bio": "vppp",
    "SSL_set_accept_state": "vp", "SSL_set_connect_state": "vp", "SSL_do_handshake": "ip", "SSL_get_error": "ipi",
    "SSL_read": "ippi", "SSL_write": "ipsi", "SSL_read_ex": "ippnp", "SSL_write_ex": "ipsnp",
    "BIO_s_mem": "p", "BIO_new": "pp", "BIO_write": "ipsi", "BIO_read": "ippi", "ERR_clear_error": "v",
}
TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int, "n": ctypes.c_size_t, "s": ctypes.c_char_p, "v": None}


class OpenSsl:
    def __init__(self, libssl, libcrypto):
        crypto = ctypes.CDLL(libcrypto, mode=ctypes.RTLD_GLOBAL)
        ssl = ctypes.CDLL(libssl, mode=ctypes.RTLD_GLOBAL)
        for name, (result, *arguments) in SIGNATURES.items():
            function = getattr(crypto if name.startswith(("BIO_", "ERR_")) else ssl, name)
            function.restype, function.argtypes = TYPES[result], [TYPES[kind] for kind in arguments]
            setattr(self, name, function)


class Connection:
    """TLS on a connected socket that does not block. Its calls return None where they would have to wait."""

    def __init__(self, lib, context, sock, in_memory, ex, is_server):
        self.lib, self.in_memory, self.ex = lib, in_memory, ex
        self.ssl = lib.SSL_new(context)
        self.buffer, self.moved = ctypes.create_string_buffer(65536), ctypes.c_size_t()
        (lib.SSL_set_accept_state if is_server else lib.SSL_set_connect_state)(self.ssl)
        self.use(sock)

    def use(self, sock):
        self.sock = sock
        if self.in_memory:
            self.received, self.to_send = (self.lib.BIO_new(self.lib.BIO_s_mem()) for _ in range(2))
            self.lib.SSL_set_bio(self.ssl, self.received, self.to_send)
        else:
            self.lib.SSL_set_fd(self.ssl, sock.fileno())

    def close(self):
        self.lib.SSL_free(self.ssl)
        self.sock.close()

    def result(self, returned):
        """True, None where the peer must send something first, False at the end."""
        if returned > 0:
            return True
        error = self.lib.SSL_get_error(self.ssl, returned)
        self.lib.ERR_clear_error()
        return None if error in (WANT_READ, WANT_WRITE) else False

    def take(self):
        """Memory: hands the library what came. False when nothing did."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return False
        if data:
            self.lib.BIO_write(self.received, data, len(data))
        return bool(data)

    def give(self):
        """Memory: sends what the library wants sent."""
        while (n := self.lib.BIO_read(self.to_send, self.buffer, len(self.buffer))) > 0:
            self.sock.sendall(self.buffer.raw[:n])

    def handshake(self):
        if self.in_memory:
            self.take()
        done = self.result(self.lib.SSL_do_handshake(self.ssl))
        if self.in_memory:
            self.give()
        return done

    def read_once(self):
        if self.ex:
            done = self.result(self.lib.SSL_read_ex(self.ssl, self.buffer, len(self.buffer), ctypes.byref(self.moved)))
            return self.buffer.raw[:self.moved.value] if done else done
        n = self.lib.SSL_read(self.ssl, self.buffer, len(self.buffer))
        done = self.result(n)
        return self.buffer.raw[:n] if done else done

    def read(self):
        """What there is; None when there is nothing yet, False at the end."""
        came = self.take() if self.in_memory else True
        data = self.read_once()
        if self.in_memory:
            self.give()  # a server's handshake is in its reads
        return data if data or came else False

    def write(self, data):
        if self.ex:
            assert self.lib.SSL_write_ex(self.ssl, data, len(data), ctypes.byref(self.moved)) == 1
        else:
            assert self.lib.SSL_write(self.ssl, data, len(data)) == len(data)
        if self.in_memory:
            self.give()


class Peer:
    def __init__(self, lib, in_memory, ex):
        self.lib, self.in_memory, self.ex = lib, in_memory, ex
        self.context = lib.SSL_CTX_new(lib.TLS_method())
        self.selector = selectors.DefaultSelector()

    def connection(self, sock, is_server):
        made = Connection(self.lib, self.context, sock, self.in_memory, self.ex, is_server)
        return self.watch(made)

    def watch(self, connection):
        connection.sock.setblocking(False)
        self.selector.register(connection.sock, selectors.EVENT_READ, connection)
        return connection

    def ready(self):
        return [key.data for key, _ in self.selector.select()]

    def serve(self, ip, port, cert, key):
        assert self.lib.SSL_CTX_use_certificate_file(self.context, cert.encode(), FILE_PEM) == 1
        assert self.lib.SSL_CTX_use_PrivateKey_file(self.context, key.encode(), FILE_PEM) == 1
        listener = socket.create_server((ip, int(port)), backlog=100)
        self.selector.register(listener, selectors.EVENT_READ, None)
        print("ready", flush=True)
        while True:
            for connection in self.ready():
                if connection is None:
                    self.connection(listener.accept()[0], True)
                else:
                    self.answer(connection)

    def answer(self, connection):
        data = connection.read()
        if data is False:
            self.selector.unregister(connection.sock)
            connection.close()
        elif data:
            status = b"404 Gone" if data.split(b" ")[1].endswith(b"/gone") else b"200 OK"
            connection.write(b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok" % status)

    def use_again(self, connection, sock):
        self.selector.unregister(connection.sock)
        connection.sock.close()
        assert self.lib.SSL_clear(connection.ssl) == 1
        connection.use(sock)
        self.watch(connection)

    def round(self, connections, method, end):
        for local, made in connections.items():
            made.write(f"{method} /{local}/{end} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        waiting = set(connections.values())
        while waiting:
            waiting -= {made for made in self.ready() if made.read()}

    def shake_hands(self, connections):
        """All at once, so that the one whose socket was used last is often another one."""
        waiting = {made for made in connections.values() if not made.handshake()}
        while waiting:
            waiting -= {made for made in self.ready() if made.handshake()}

    def ask(self, ip, port, *local_ports):
        self.lib.SSL_CTX_set_verify(self.context, VERIFY_NONE, None)
        def connect(local):
            return socket.create_connection((ip, int(port)), source_address=("", local))

        connections = {int(local): self.connection(connect(int(local)), False) for local in local_ports}
        self.shake_hands(connections)
        print("ready", flush=True)
        for line in sys.stdin:
            method, end = line.split()
            if method == "AGAIN":
                connections = {local + int(end): made for local, made in connections.items()}
                for local, made in connections.items():
                    self.use_again(made, connect(local))
                self.shake_hands(connections)
            else:
                self.round(connections, method, end)
            print("ready", flush=True)
        for made in connections.values():
            made.close()


def main():
    libssl, libcrypto, io, calls, role, *arguments = sys.argv[1:]
    peer = Peer(OpenSsl(libssl, libcrypto), io == "memory", calls == "ex")
    (peer.serve if role == "server" else peer.ask)(*arguments)


if __name__ == "__main__":
    main()
