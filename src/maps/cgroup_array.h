/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* cgroup_array.h: what helpers ask a CGROUP_ARRAY. */
#ifndef MAPS_CGROUP_ARRAY_H
#define MAPS_CGROUP_ARRAY_H

#include "maps/map.h"

/* The id of the cgroup in a slot. -E2BIG; -EAGAIN: the slot is empty. */
must_check int cgroup_array_get(const struct map *map, u32 index, u64 *id);

#endif
