/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * ctx.h: the context structures of program types, as Linux 6.18 knows them, and their access
 * rules, which prog_types.def names. Private to src/vm.
 */
#ifndef VM_CTX_H
#define VM_CTX_H

#include "vm/prog_type.h"

#define CTX_RULES(name) extern const struct ctx_rules ctx_##name;
CTX_RULES(socket_filter)
CTX_RULES(tc)
CTX_RULES(cgroup_skb)
CTX_RULES(lwt)
CTX_RULES(sk_skb)
CTX_RULES(flow_dissector)
CTX_RULES(xdp)
CTX_RULES(pt_regs)
CTX_RULES(tracepoint)
CTX_RULES(raw_tracepoint)
CTX_RULES(raw_tracepoint_writable)
CTX_RULES(perf_event)
CTX_RULES(cgroup_sock)
CTX_RULES(cgroup_sock_bind4)
CTX_RULES(cgroup_sock_bind6)
CTX_RULES(sock_ops)
CTX_RULES(cgroup_device)
CTX_RULES(sk_msg)
CTX_RULES(sock_addr4)
CTX_RULES(sock_addr6)
CTX_RULES(sock_addr4_sendmsg)
CTX_RULES(sock_addr6_sendmsg)
CTX_RULES(sock_addr_unix)
CTX_RULES(sk_reuseport)
CTX_RULES(sysctl)
CTX_RULES(getsockopt)
CTX_RULES(setsockopt)
CTX_RULES(sk_lookup)
CTX_RULES(syscall)
CTX_RULES(netfilter)
CTX_RULES(lirc_mode2)
CTX_RULES(none)
#undef CTX_RULES

#endif
