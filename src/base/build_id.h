/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* build_id.h: which file, and where in it, an address of this process's code comes from. */
#ifndef BASE_BUILD_ID_H
#define BASE_BUILD_ID_H

#include "base/compiler.h"

#define BUILD_ID_BYTES 20

/*
 * The GNU build id, filled up with zeros, of the loaded file that address lies in, and the address's
 * offset in that file. False: no loaded file, or one without an id.
 */
bool build_id_at(u64 address, u8 id[BUILD_ID_BYTES], u64 *offset);

#endif
