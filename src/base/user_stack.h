/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * user_stack.h: the stack of the application's thread above the function of ours that it called.
 * An entry into the library remembers where that is; whoever wants the stack walks frame pointers
 * from there, as the kernel does from the registers at a system call.
 */
#ifndef BASE_USER_STACK_H
#define BASE_USER_STACK_H

#include "base/compiler.h"

/* Frame record of the innermost entry of this thread; NULL: it is in no call. */
extern __thread const void *user_stack_entry
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/*
 * In a function that the application has called and that is not inlined: until its scope ends,
 * stacks begin with its return address.
 */
#define USER_STACK_ENTRY                                                                           \
	__attribute__((cleanup(user_stack_leave), unused)) const void *outer_entry_ =              \
		user_stack_enter(__builtin_frame_address(0))

static inline const void *user_stack_enter(const void *record)
{
	const void *outer = user_stack_entry;

	user_stack_entry = record;
	return outer;
}

static inline void user_stack_leave(const void **outer)
{
	user_stack_entry = *outer;
}

/*
 * At most max return addresses, the innermost first; their number. Whatever lies on the stack, the
 * walk ends and touches nothing that cannot be read.
 */
u32 user_stack(u64 *addresses, u32 max);

#endif
