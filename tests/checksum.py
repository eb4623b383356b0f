# SPDX-License-Identifier: GPL-2.0-or-later
"""The Internet checksum (RFC 1071) for the tests that make packets; with lib.sh any can import it."""
import struct


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
