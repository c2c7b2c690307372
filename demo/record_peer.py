#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
"""What demo/record runs inside its two network namespaces.

  record_peer.py vlan PARENT NAME ID   an 802.1Q interface in user space (a TAP device whose
                                       frames travel tagged on PARENT), for kernels without one
  record_peer.py serve                 name service, echo and discard, on the usual ports
  record_peer.py talk                  their clients, from several addresses
"""
import fcntl
import itertools
import os
import select
import socket
import struct
import sys
import threading
import time

SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
TP_STATUS_VLAN_VALID = 1 << 4
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
ETH_P_ALL, ETH_P_8021Q = 3, 0x8100

DNS, ECHO, DISCARD, RTP = 53, 7, 9, 5004
GROUP = "233.252.0.5"  # MCAST-TEST-NET


def vlan(parent, name, number):
    number = int(number)
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.bind((parent, 0))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    while True:
        ready, _, _ = select.select([tap, wire], [], [])
        if tap in ready:
            frame = os.read(tap, 65536)
            wire.send(frame[:12] + struct.pack("!HH", ETH_P_8021Q, number) + frame[12:])
        if wire in ready:
            # The kernel takes the tag out of a received frame and tells it beside the data.
            frame, control, _, sender = wire.recvmsg(65536, 64)
            if sender[2] != PACKET_OUTGOING and control:
                status, _, _, _, _, tag, _ = struct.unpack("IIIHHHH", control[0][2])
                if status & TP_STATUS_VLAN_VALID and tag & 0xFFF == number:
                    os.write(tap, frame)


def udp(address, port=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((address, port))
    s.settimeout(2)
    return s


def dns_query(number, name, kind):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)


def dns_answer(query):
    kind = struct.unpack("!H", query[-4:-2])[0]
    data = socket.inet_aton("203.0.113.80")
    if kind == 28:
        data = socket.inet_pton(socket.AF_INET6, "2001:db8:2::80")
    header = query[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0)
    return header + query[12:] + struct.pack("!3HIH", 0xC00C, kind, 1, 300, len(data)) + data


def serve_udp(address, port, answer):
    s = udp(address, port)
    s.settimeout(None)
    while True:
        data, sender = s.recvfrom(65536)
        reply = answer(data)
        if reply:
            s.sendto(reply, sender)


def serve_echo():
    listener = socket.create_server(("::", ECHO), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        s, _ = listener.accept()
        with s:
            while data := s.recv(4096):
                s.sendall(data)


def serve():
    jobs = [(serve_udp, (a, DNS, dns_answer)) for a in ("203.0.113.53", "2001:db8:2::53")]
    jobs += [(serve_udp, (a, DISCARD, lambda data: None)) for a in ("0.0.0.0", "2001:db8:2::80")]
    jobs += [(serve_echo, ())]
    threads = [threading.Thread(target=f, args=a) for f, a in jobs]
    for t in threads:
        t.start()


def look_up_names():
    clients = ["192.0.2.%d" % n for n in range(11, 17)] + ["2001:db8:2::%d" % n for n in (11, 12)]
    sockets = [udp(c) for c in clients]
    for number, s in zip(range(240), itertools.cycle(sockets)):
        server = "2001:db8:2::53" if s.family == socket.AF_INET6 else "203.0.113.53"
        name = "host%d.example.%s" % (number // 2, ("com", "net", "org")[number % 3])
        s.sendto(dns_query(number, name, (1, 28)[number % 2]), (server, DNS))
        s.recv(512)


def type_keys(source, server, keys):
    with socket.create_connection((server, ECHO), 2, (source, 0)) as s:
        for n in range(keys):
            s.sendall(b"%c" % (97 + n % 26))
            s.recv(16)


def stream(source, target, packets):
    s = udp(source)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
    for n in range(packets):
        s.sendto(struct.pack("!BBHII", 0x80, 8, n, n * 160, 7) + bytes(160), (target, RTP))
        time.sleep(0.002)


def large_datagrams():
    for source, target in (("192.0.2.13", "203.0.113.80"), ("2001:db8:2::13", "2001:db8:2::80")):
        s = udp(source)
        for size in (1800, 3000, 4400):
            s.sendto(b"0123456789" * (size // 10), (target, DISCARD))


def knock_at_closed_ports():
    for source, target in (("192.0.2.16", "203.0.113.80"), ("2001:db8:2::12", "2001:db8:2::80")):
        for port in range(33434, 33438):  # a socket each: the answer is an error on it
            udp(source).sendto(b"anybody there?", (target, port))


def talk():
    listener = udp("")
    listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                        socket.inet_aton(GROUP) + socket.inet_aton("192.0.2.15"))
    look_up_names()
    type_keys("192.0.2.14", "203.0.113.80", 150)
    type_keys("2001:db8:2::13", "2001:db8:2::80", 60)
    type_keys("198.51.100.12", "198.51.100.1", 80)
    stream("192.0.2.15", GROUP, 250)
    stream("192.0.2.12", "203.0.113.80", 40)
    large_datagrams()
    knock_at_closed_ports()


if __name__ == "__main__":
    {"vlan": vlan, "serve": serve, "talk": talk}[sys.argv[1]](*sys.argv[2:])
