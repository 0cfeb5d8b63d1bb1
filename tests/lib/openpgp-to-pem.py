#!/usr/bin/env python3
"""Turns the first secret key of an unprotected, armored OpenPGP file (RFC 4880 section 5.5.3) into PEM (PKCS #8 or PKCS #1),
so that openssl can play the part of an HSM in tests. Reads standard input, writes standard output."""
import base64, sys

lines = sys.stdin.read().splitlines()
body = lines[lines.index('') + 1:]
data = base64.b64decode(''.join(l for l in body if l and l[0] not in '=-'))
tag = data[0]
if tag & 0x40:
    n = data[1]
    start, length = (2, n) if n < 192 else (3, ((n - 192) << 8) + data[2] + 192)
else:
    size = 1 << (tag & 3)
    start, length = 1 + size, int.from_bytes(data[1:1 + size], 'big')
key = data[start:start + length]
algo, pos = key[5], 6


def mpi():
    global pos
    n = (int.from_bytes(key[pos:pos + 2], 'big') + 7) // 8
    pos += 2 + n
    return int.from_bytes(key[pos - n:pos], 'big')


def der(tag, content):
    n = len(content)
    size = bytes([n]) if n < 128 else bytes([0x80 + (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, 'big')
    return bytes([tag]) + size + content


def integer(v):
    return der(2, v.to_bytes(v.bit_length() // 8 + 1, 'big'))


if algo == 22:
    pos += 1 + key[pos]
    mpi()
    assert key[pos] == 0, 'protected key'
    pos += 1
    seed = mpi().to_bytes(32, 'big')
    kind, out = 'PRIVATE KEY', bytes.fromhex('302e020100300506032b657004220420') + seed
else:
    n, e = mpi(), mpi()
    assert key[pos] == 0, 'protected key'
    pos += 1
    d, p, q = mpi(), mpi(), mpi()
    out = der(0x30, b''.join(map(integer, (0, n, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)))))
    kind = 'RSA PRIVATE KEY'
print(f'-----BEGIN {kind}-----')
text = base64.b64encode(out).decode()
print('\n'.join(text[i:i + 64] for i in range(0, len(text), 64)))
print(f'-----END {kind}-----')
