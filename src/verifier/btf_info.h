/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * btf_info.h: what the application says about a program's functions and source lines.
 */
#ifndef VERIFIER_BTF_INFO_H
#define VERIFIER_BTF_INFO_H

#include "verifier/verify.h"

/* The function records by themselves, before anything is known of the program. */
must_check int verify_func_records(const struct verify_request *request);
/* The records against the program, whose subprograms are known. */
must_check int verify_btf_info(const struct verify_request *request,
			       const struct verify_result *result);
/*
 * Refuses programs that name a function of their own to run after bpf_throw(), which would not run
 * here: one without has the value thrown as its result.
 */
must_check int verify_exception_callback(const struct verify_request *request);
/* Has the subprogram global linkage? Then it is verified by itself, not with its callers. */
bool verify_is_global(const struct verify_request *request, u32 subprog);
/* May a local call name this subprogram? Its own promise to any caller must be one to return a number,
 * if it is global. */
must_check int verify_callee(const struct verify_request *request, u32 subprog);

#endif
