#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
"""capture.py: what the test of the demo knows about captures, without any BPF.

  capture.py make DIR           writes captures with odd frames into DIR
  capture.py same FILE JSON     counts FILE by itself and compares with what the program printed;
                                says what differs, exit status 1 if anything does
  capture.py same_maps JSON PROTOCOLS SOURCES FRAMES
                                the same for `bpftool -j map dump` of the three maps
  capture.py has FILE           says which kinds of traffic FILE lacks; exit status 1 if any
"""
import collections
import ipaddress
import json
import pathlib
import random
import struct
import sys

IPV4, IPV6, ARP, VLAN, QINQ = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8
EXTENSIONS = {0, 43, 44, 60}
KINDS = ["ip", "arp", "other", "damaged"]
ROOM = 16384
TEST_RUN_NEEDS = {b"\x08\x00": 34, b"\x86\xdd": 54}  # of Linux 6.18


def frames(path):
    """(data, length on the wire) of each whole frame of a classic pcap file."""
    data = pathlib.Path(path).read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(data):
        _, _, kept, length = struct.unpack_from(order + "4I", data, at)
        if at + 16 + kept > len(data):
            return
        yield data[at + 16 : at + 16 + kept], length
        at += 16 + kept


def parse_ip(kind, ip):
    if kind == IPV4:
        if len(ip) < 20 or ip[0] >> 4 != 4 or ip[0] & 15 < 5:
            return None
        return ip[9], ipaddress.ip_address(ip[12:16])
    if len(ip) < 40 or ip[0] >> 4 != 6:
        return None
    protocol, at = ip[6], 40
    for _ in range(8):
        if protocol not in EXTENSIONS or len(ip) < at + 2:
            break
        size = 8 if protocol == 44 else 8 * (ip[at + 1] + 1)
        protocol, at = ip[at], at + size
    return protocol, ipaddress.ip_address(ip[8:24])


def parse(frame):
    """(kind, protocol, source); the last two only for IP."""
    at = 12
    for _ in range(5):
        if len(frame) < at + 2:
            return "damaged", None, None
        kind = int.from_bytes(frame[at : at + 2], "big")
        at += 2
        if kind not in (VLAN, QINQ):
            break
        at += 2
    if kind == ARP:
        return "arp", None, None
    if kind not in (IPV4, IPV6):
        return "other", None, None
    ip = parse_ip(kind, frame[at:])
    return ("ip", *ip) if ip else ("damaged", None, None)


def count(path):
    kinds = {kind: [0, 0] for kind in KINDS}
    protocols, sources = collections.Counter(), {}
    total = [0, 0]
    refused = 0

    def add(pair, length):
        pair[0] += 1
        pair[1] += length

    for frame, length in frames(path):
        add(total, length)
        if len(frame) < TEST_RUN_NEEDS.get(frame[12:14], 14):
            refused += 1
            continue
        kind, protocol, source = parse(frame[:2048])
        add(kinds[kind], length)
        if kind != "ip":
            continue
        protocols[protocol] += length
        add(sources.setdefault(source, [0, 0]), length)
    return {"frames": total[0], "bytes": total[1], "refused": refused, "kinds": kinds,
            "protocols": dict(protocols), "sources": sources}


def pair(traffic):
    return [traffic["packets"], traffic["bytes"]]


def printed(path):
    """What the program printed with --json, in the shape of count()."""
    r = json.loads(pathlib.Path(path).read_text())
    r["kinds"] = {k: pair(v) for k, v in r["kinds"].items()}
    r["protocols"] = {p["protocol"]: p["bytes"] for p in r["protocols"]}
    r["sources"] = {ipaddress.ip_address(s["address"]): pair(s) for s in r["sources"]}
    r["evicted"] = pair(r["evicted"])
    return r


def dumped(protocols, sources, kinds):
    """What bpftool dumped, by the BTF of the maps, in the shape of count()."""
    p, s, k = ([e["formatted"] for e in json.loads(pathlib.Path(path).read_text())]
               for path in (protocols, sources, kinds))

    def address(key):
        return ipaddress.ip_address(bytes(key["address"][: 4 if key["family"] == 2 else 16]))

    return {"protocols": {e["key"]: e["value"] for e in p if e["value"]},
            "sources": {address(e["key"]): pair(e["value"]) for e in s},
            "kinds": {KINDS[e["key"]]: pair(e["value"]) for e in k}}


def evicted_differences(expected, got):
    """More sources than there is room for: which ones stay is not promised, but nothing is made up."""
    sources, ip = got["sources"], expected["kinds"]["ip"]
    bad = [f"source {s}: {n}" for s, n in sources.items()
           if n[0] > expected["sources"].get(s, [0])[0]]
    seen = [sum(n[i] for n in sources.values()) + got["evicted"][i] for i in (0, 1)]
    bad += [f"{len(sources)} sources"] if not ROOM // 2 < len(sources) <= ROOM else []
    bad += [f"sources and evicted: {seen}, expected {ip}"] if seen != ip else []
    return bad


def differences(expected, got):
    bad = [f"{what}: {got[what]}, expected {expected[what]}" for what in got
           if not isinstance(got[what], (dict, list)) and got[what] != expected[what]]
    compared = ["kinds", "protocols", "sources"]
    if len(expected["sources"]) > ROOM:
        compared.remove("sources")
        bad += evicted_differences(expected, got)
    elif got.get("evicted", [0, 0]) != [0, 0]:
        bad.append(f"evicted: {got['evicted']}")
    for what in compared:
        for key in sorted(set(expected[what]) | set(got[what]), key=str):
            if expected[what].get(key) != got[what].get(key):
                got_text, text = got[what].get(key), expected[what].get(key)
                bad.append(f"{what} {key}: {got_text}, expected {text}")
    return bad


def lacks(path):
    r = count(path)
    tagged = sum(f[12:14] == b"\x81\x00" for f, _ in frames(path))
    bad = [f"protocol {p}" for p in (1, 2, 6, 17, 58) if p not in r["protocols"]]
    bad += [f"kind {k}" for k in ("arp", "other") if not r["kinds"][k][0]]
    bad += ["a hundred tagged frames"] if tagged < 100 else []
    for version in (4, 6):
        if sum(s.version == version for s in r["sources"]) < 8:
            bad.append(f"eight IPv{version} sources")
    bad += ["2000 frames"] if r["frames"] < 2000 else []
    bad += ["at most 1.5 MB"] if pathlib.Path(path).stat().st_size > 1500000 else []
    return bad


# Captures with odd frames

def pcap(path, packets, link=1, magic=0xA1B2C3D4, order="<"):
    with open(path, "wb") as f:
        f.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link))
        for n, packet in enumerate(packets):
            data, length = packet if isinstance(packet, tuple) else (packet, len(packet))
            f.write(struct.pack(order + "4I", n, n, len(data), length) + data)


def ether(kind, payload=b"", tags=()):
    tags = b"".join(struct.pack("!HH", *tag) for tag in tags)
    return bytes.fromhex("020000000001020000000002") + tags + struct.pack("!H", kind) + payload


def ip4(protocol, source, payload=bytes(20), first=0x45):
    return struct.pack("!BBHHHBBHII", first, 0, 20 + len(payload), 0, 0, 64, protocol, 0, source,
                       0xC0000201) + payload


def extension(number, following, long):
    size = 16 if long and number != 44 else 8
    return bytes([following, size // 8 - 1]) + bytes(size - 2)


def ip6(chain, source, payload=bytes(20), first=0x60):
    """chain: the extension headers' numbers, then the protocol's."""
    pairs = enumerate(zip(chain, chain[1:]))
    payload = b"".join(extension(*pair, n % 2 == 0) for n, pair in pairs) + payload
    return struct.pack("!BBHHBB", first, 0, 0, len(payload), chain[0], 64) + \
        ipaddress.ip_address("2001:db8::").packed[:12] + struct.pack("!I", source) + bytes(16) + \
        payload


def odd_frames():
    yield ether(IPV4)
    yield bytes(13)
    for kind in (IPV4, IPV6, ARP, VLAN, QINQ, 0x88CC, 0x0026, 0x9100):
        for size in (1, 2, 3, 4, 5, 19, 20, 21, 39, 40, 41, 60):
            yield ether(kind, bytes([0x45 if kind == IPV4 else 0x60]) + bytes(size - 1))
            yield ether(kind, (ip4(17, 7) if kind == IPV4 else ip6([17], 7))[:size])
    for first in (0x40, 0x44, 0x46, 0x4F, 0x55, 0x65):
        yield ether(IPV4, ip4(6, 8, first=first))
        yield ether(IPV6, ip6([6], 8, first=first))
    for tags in range(7):
        yield ether(IPV4, ip4(6, 9), [(VLAN, 7)] * tags)
        yield ether(IPV6, ip6([6], 9), [(QINQ, 7)] + [(VLAN, 8)] * tags)
        yield ether(VLAN, bytes(tags))
    for protocol in range(256):
        yield ether(IPV4, ip4(protocol, protocol))
        yield ether(IPV6, ip6([protocol], protocol, payload=bytes(2)))
    for length in range(12):
        for extension in EXTENSIONS:
            yield ether(IPV6, ip6([extension] * length + [58], length))
            yield ether(IPV6, ip6([extension] * length + [17], length, payload=b"")[:-3])
    yield ether(IPV6, ip6([0, 60, 43, 44, 17], 10))
    for size in (1500, 1986, 2047, 2048, 2049, 3000, 4096, 9000, 60000):
        yield ether(IPV4, ip4(6, 11, payload=bytes(size)))
        yield ether(IPV4, ip4(6, 11, payload=bytes(size)))[:64], size + 34
    yield ether(IPV4, ip4(6, 0xFFFFFFFF)), 0x7FFFFFFF


def random_frames(n):
    r = random.Random(1)
    for _ in range(n):
        depth = r.choice((0, 0, 0, 1, 2))
        tags = [(r.choice((VLAN, QINQ)), r.randrange(65536)) for _ in range(depth)]
        payload = bytearray(r.randbytes(r.randrange(1, 120)))
        payload[0] = r.choice((payload[0], 0x45, 0x60, 0x60))
        if len(payload) > 60:
            payload[6] = r.choice((payload[6], 0, 43, 44, 60))
            payload[41] = r.choice((payload[41], 0, 1, 2))
        yield ether(r.choice((IPV4, IPV6, IPV6, ARP, r.randrange(65536))), bytes(payload), tags)


def make(folder):
    folder = pathlib.Path(folder)
    pcap(folder / "odd.pcap", odd_frames())
    pcap(folder / "random.pcap", random_frames(3000))
    pcap(folder / "nano.pcap", random_frames(50), magic=0xA1B23C4D, order=">")
    pcap(folder / "many.pcap", (ether(IPV4, ip4(17, n)) for n in (*range(ROOM + 2000), *range(10))))
    pcap(folder / "empty.pcap", [])
    pcap(folder / "cooked.pcap", [bytes(60)], link=113)
    pcap(folder / "cut.pcap", random_frames(100))
    whole = (folder / "cut.pcap").read_bytes()
    (folder / "cut.pcap").write_bytes(whole[:-3])
    (folder / "text.pcap").write_text("This is no capture.\n")


def report(bad):
    print("\n".join(bad[:20]) or "same", file=sys.stderr if bad else sys.stdout)
    return 1 if bad else 0


def main(verb, *args):
    if verb == "make":
        return make(*args)
    if verb == "same":
        return report(differences(count(args[0]), printed(args[1])))
    if verb == "same_maps":
        return report(differences(printed(args[0]), dumped(*args[1:])))
    if verb == "has":
        return report(lacks(*args))
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
