"""What `unshare` runs in a network of its own: lifts lo, hands out a socket that listens there, becomes a program.

Arguments: the file descriptor to hand it to, the port, then the program and its arguments.
"""

import fcntl
import os
import socket
import struct
import sys

SIOCSIFFLAGS, IFF_UP = 0x8914, 1

if __name__ == "__main__":
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
    LISTENER = socket.create_server(("127.0.0.1", int(sys.argv[2])))
    with socket.socket(fileno=int(sys.argv[1])) as OUT:
        socket.send_fds(OUT, [b"listener"], [LISTENER.fileno()])
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606  # what the test says
