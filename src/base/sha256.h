/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* sha256.h: FIPS 180-4 SHA-256, for program tags and the hash of frozen arrays. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/compiler.h"

#define SHA256_BYTES 32

void sha256(u8 digest[SHA256_BYTES], const void *data, size_t len);

#endif
