"""An HTTPS server or client with asyncio, which has TLS over memory. What they say and are told is in tls_peers.py.

    asyncio_peer.py server IP PORT CERT KEY
    asyncio_peer.py client IP PORT LOCAL_PORT...
"""

import asyncio
import ssl
import sys


async def answer(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            status = b"404 Gone" if head.split(b" ")[1].endswith(b"/gone") else b"200 OK"
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok" % status)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(ip, port, cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = await asyncio.start_server(answer, ip, int(port), ssl=context)
    print("ready", flush=True)
    await server.serve_forever()


async def ask(ip, port, *local_ports):
    context = ssl._create_unverified_context()
    # all at once, so that the one whose socket was used last is often another one
    streams = await asyncio.gather(*[asyncio.open_connection(ip, int(port), ssl=context, local_addr=("0.0.0.0", int(local)))
                                     for local in local_ports])
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        method, end = line.split()
        for local, (_, writer) in zip(local_ports, streams):
            writer.write(f"{method} /{local}/{end} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.gather(*[reader.readuntil(b"\r\n\r\nok") for reader, _ in streams])
        print("ready", flush=True)
    for _, writer in streams:
        writer.close()
        await writer.wait_closed()


def main():
    role, *arguments = sys.argv[1:]
    asyncio.run((serve if role == "server" else ask)(*arguments))


if __name__ == "__main__":
    main()
