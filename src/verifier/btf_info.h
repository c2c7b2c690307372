/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
#ifndef VERIFIER_BTF_INFO_H
#define VERIFIER_BTF_INFO_H
#include "verifier/verify.h"
int verify_btf_info(const struct verify_request *request, const struct verify_result *result);
#endif
