/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helper.c: the table behind helper_of(), built from helpers.def. Knows no helper's meaning; a
 * further helper is a row there and a function in one of the helpers_*.c.
 */
#include "vm/helper.h"

#include "vm/helpers.h"
#include "vm/prog_type.h"

#define HELPER(_name, _id, _groups, _flags, _map, _ret, a1, a2, a3, a4, a5)                        \
	[_id] = {.name = #_name,                                                                   \
		 .fn = helper_##_name,                                                             \
		 .groups = _groups,                                                                \
		 .flags = _flags,                                                                  \
		 .map_bit = _map,                                                                  \
		 .ret = _ret,                                                                      \
		 .args = {a1, a2, a3, a4, a5}},
#define HELPER_ABSENT(_name, _id, _groups, _flags, _reason)                                        \
	[_id] = {.name = #_name, .groups = _groups, .flags = _flags, .reason = _reason},
static const struct helper table[] = {
#include "vm/helpers.def"
};
#undef HELPER
#undef HELPER_ABSENT

const struct helper *helper_of(u32 id)
{
	return id < ARRAY_SIZE(table) ? &table[id] : NULL;
}
