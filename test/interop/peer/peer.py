"""The kernel's sockets by remote control: one JSON request a line on standard input, one answer a line on standard output.

A request is {"id": 1, "op": "connect", ...}; its answer {"id": 1, "ok": {...}} or {"id": 1, "error": "ECONNRESET"}.
Each request runs in a thread of its own, so one that blocks holds up no other. Every wait is bounded by LIMIT seconds.
"""

import errno
import fcntl
import hashlib
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import threading

LIMIT = 60
OPTIONS = {"SO_SNDBUFFORCE": 32, "SO_RCVBUFFORCE": 33, "TCP_USER_TIMEOUT": 18, "TCP_CONGESTION": 13, "TCP_MD5SIG": 14, "IP_MTU_DISCOVER": 10}
MSG_FASTOPEN = 0x20000000
SIOCATMARK = 0x8905
sockets = {}
urgent_signals = [0]
lock = threading.Lock()


def keep(sock):
    """Puts a socket into the table and returns its number there."""
    with lock:
        number = len(sockets) + 1
        sockets[number] = sock
    return number


def md5_signature(peer, key):
    """struct tcp_md5sig of linux/tcp.h: whose segments are signed, and with what."""
    v6 = ":" in peer
    address = socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, peer)
    storage = struct.pack("=HHI16s", socket.AF_INET6, 0, 0, address) if v6 else struct.pack("=HH4s", socket.AF_INET, 0, address)
    return struct.pack("=128sBBHi80s", storage, 0, 0, len(key), 0, key.encode())


def configure(sock, options):
    """Sets options by name: {"TCP_NODELAY": 1, "TCP_CONGESTION": "cubic", "SO_LINGER": [1, 0], "TCP_MD5SIG": {"peer": "::1", "key": "k"}}."""
    for name, value in (options or {}).items():
        level = {"TCP": socket.IPPROTO_TCP, "SO_": socket.SOL_SOCKET, "IP_": socket.IPPROTO_IP}[name[:3]]
        number = OPTIONS.get(name) or getattr(socket, name)
        if isinstance(value, str):
            value = value.encode()
        elif isinstance(value, list):
            value = struct.pack("ii", *value)
        elif isinstance(value, dict):
            value = md5_signature(**value)
        sock.setsockopt(level, number, value)


def new_socket(host):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(LIMIT)
    return sock


def listen(host, port, options=None):
    sock = new_socket(host)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    configure(sock, options)
    sock.bind((host, port))
    sock.listen(1024)
    return {"fd": keep(sock)}


def accept(fd):
    sock, address = sockets[fd].accept()
    sock.settimeout(LIMIT)
    return {"fd": keep(sock), "port": address[1]}


def connect(host, port, options=None, bind=None):
    sock = new_socket(host)
    configure(sock, options)
    if bind is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(tuple(bind))
    sock.connect((host, port))
    return {"fd": keep(sock), "port": sock.getsockname()[1]}


def fast_open(host, port, text):
    """Opens with text: it goes with the SYN when the server's cookie is known (RFC 7413)."""
    sock = new_socket(host)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 3)  # bounds the wait: a socket with a time limit would not wait at all
    sock.settimeout(None)
    sock.sendto(text.encode(), MSG_FASTOPEN, (host, port))
    sock.settimeout(LIMIT)
    return {"fd": keep(sock), "port": sock.getsockname()[1]}


def set_options(fd, options):
    configure(sockets[fd], options)
    return {}


def send(fd, length=0, text=None, oob=False, more=False):
    """Sends `text`, or `length` random bytes; their hash comes back."""
    content = text.encode() if text is not None else random.Random(length).randbytes(length)
    if oob:
        sockets[fd].send(content, socket.MSG_OOB)
    else:
        sockets[fd].sendall(content, socket.MSG_MORE if more else 0)
    return {"sha256": hashlib.sha256(content).hexdigest()}


def receive(fd, length=65536):
    return {"text": sockets[fd].recv(length).decode("latin1")}


def receive_oob(fd):
    """The urgent byte; EINVAL when there is none or it is in line, EAGAIN when it was told of and is not here yet."""
    with sockets[fd].dup() as twin:
        twin.settimeout(0)  # with a timeout Python waits for text in line first
        return {"text": twin.recv(1, socket.MSG_OOB).decode("latin1")}


def at_mark(fd):
    """Whether the next byte to read is at the mark (sockatmark)."""
    answer = fcntl.ioctl(sockets[fd].fileno(), SIOCATMARK, struct.pack("i", 0))
    return {"done": struct.unpack("i", answer)[0]}


def own(fd):
    """From now on SIGURG of this socket comes to us."""
    fcntl.fcntl(sockets[fd].fileno(), fcntl.F_SETOWN, os.getpid())
    urgent_signals[0] = 0
    return {}


def signals():
    """How many SIGURGs have come since `own`."""
    return {"done": urgent_signals[0]}


def wait_urgent(fd):
    """Waits until the urgent byte is here (POLLPRI); how many SIGURGs have come is told."""
    poll = select.poll()
    poll.register(sockets[fd].fileno(), select.POLLPRI)
    if not poll.poll(LIMIT * 1000):
        raise socket.timeout()
    return {"done": urgent_signals[0]}


def receive_all(fd, length=1 << 62):
    """Reads to the end, or so many bytes."""
    digest, total = hashlib.sha256(), 0
    while total < length:
        content = sockets[fd].recv(min(1 << 20, length - total))
        if not content:
            break
        digest.update(content)
        total += len(content)
    return {"bytes": total, "sha256": digest.hexdigest()}


def shutdown(fd):
    sockets[fd].shutdown(socket.SHUT_WR)
    return {}


def close(fd):
    sockets[fd].close()
    return {}


def read_to_end(sock):
    while sock.recv(4096):
        pass


def converse(sock, opener, closes):
    """One byte there and one back; then whoever `closes` ends first, and the other after it."""
    if opener:
        sock.sendall(b"?")
    byte = sock.recv(1)
    if not opener:
        sock.sendall(b"!")
    if closes:
        sock.shutdown(socket.SHUT_WR)
    read_to_end(sock)
    sock.close()
    return byte == (b"!" if opener else b"?")


def parallel(count, ways, work):
    """Does `work` so many times, in so many threads; returns how many succeeded and the errors, counted."""
    done, errors = [0], {}

    def run(share):
        for _ in range(share):
            try:
                right = work()
                with lock:
                    done[0] += 1 if right else 0
            except OSError as error:
                with lock:
                    name = errno.errorcode.get(error.errno, "TIMEOUT")
                    errors[name] = errors.get(name, 0) + 1

    threads = [threading.Thread(target=run, args=(count // ways + (i < count % ways),)) for i in range(ways)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"done": done[0], "errors": errors}


def open_many(host, port, count, ways, closes):
    """Opens short connections, `ways` at a time."""

    def work():
        sock = new_socket(host)
        sock.connect((host, port))
        return converse(sock, True, closes)

    return parallel(count, ways, work)


def accept_many(fd, count, ways, closes):
    """Accepts short connections."""

    def work():
        sock, _ = sockets[fd].accept()
        sock.settimeout(LIMIT)
        return converse(sock, False, closes)

    return parallel(count, ways, work)


OPS = {f.__name__: f for f in (listen, accept, connect, set_options, send, receive, receive_all, shutdown, close)}
OPS |= {
    f.__name__: f
    for f in (open_many, accept_many, fast_open, receive_oob, at_mark, own, signals, wait_urgent)
}


def answer(request):
    number, op = request.pop("id"), request.pop("op")
    try:
        reply = {"id": number, "ok": OPS[op](**request)}
    except socket.timeout as error:
        reply = {"id": number, "error": errno.errorcode.get(error.errno, "TIMEOUT")}
    except OSError as error:
        reply = {"id": number, "error": errno.errorcode.get(error.errno, str(error))}
    except Exception as error:  # told, rather than a request that never ends
        reply = {"id": number, "error": repr(error)}
    with lock:
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


def count_urgent(*_):
    urgent_signals[0] += 1


signal.signal(signal.SIGURG, count_urgent)
for line in sys.stdin:
    threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
os._exit(0)  # whoever asked is gone
