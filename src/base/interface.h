/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * interface.h: network interfaces of the host, in the network namespace of the calling thread.
 */
#ifndef BASE_INTERFACE_H
#define BASE_INTERFACE_H

#include "base/compiler.h"

/* False also when the host gives no socket to ask with. */
bool interface_exists(u32 ifindex);

#endif
