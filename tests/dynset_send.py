# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of many sources onto devices: PORT FIRST-SOURCE N COUNT DEVICE=MAC…

Source i of N sends COUNT packets in a row, or with COUNT 0 i % 15 of them: TCP SYNs from ports of
their own to 10.1.0.1 PORT, the same onto each device."""
import socket
import struct
import sys

from checksum import checksum


def syn(source, sport, dport):
    dst = socket.inet_aton("10.1.0.1")
    tcp = struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 0x50, 2, 1024, 0, 0)
    pseudo = source + dst + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0, 64, 6, 0) + source + dst
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


def main():
    dport, first, n, count = map(int, sys.argv[1:5])
    outs = []
    for arg in sys.argv[5:]:
        device, mac = arg.split("=")
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        s.bind((device, 0x0800))
        outs.append((s, bytes.fromhex(mac.replace(":", "")) + b"\2\0\0\0\0\1\x08\0"))
    for i in range(n):
        source = struct.pack("!I", 0x0B000000 + first + i)
        for k in range(count or i % 15):
            packet = syn(source, 1024 + k, dport)
            for s, ethernet in outs:
                s.send(ethernet + packet)


main()
