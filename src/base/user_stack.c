/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * user_stack.c: walking frame pointers. Knows nothing of who asks. Every record is read as memory
 * that may not be there, since code without frame pointers leaves anything in their register.
 */
#include "base/user_stack.h"

#include "base/user_mem.h"

__thread const void *user_stack_entry;

u32 user_stack(u64 *addresses, u32 max)
{
	struct {
		u64 next, address;
	} record = {.next = PTR_U64(user_stack_entry)};
	u32 count = 0;

	while (count < max && record.next && !user_read(&record, record.next, sizeof(record)))
		addresses[count++] = record.address;
	return count;
}
