/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * btf_object.c: see btf_object.h. Owns the layout of a BTF file: struct btf_file at the start of
 * the control area, behind it the raw bytes, padded so that their types are aligned.
 */
#include "btf/btf_object.h"

#include <errno.h>
#include <string.h>

struct btf_file {
	u32 size;
	u32 data_at; /* from the header */
};

int btf_object_create(const struct btf *btf)
{
	struct btf_file header = {.size = btf->size};
	struct object *object;
	u8 *control;
	int fd;

	header.data_at = sizeof(header) + btf_padding(btf->data, btf->size);
	fd = object_create(&btf_object_type, 0, (u64)header.data_at + btf->size, 0, &object);
	if (fd)
		return fd;
	control = region_control(&object->region);
	memcpy(control, &header, sizeof(header));
	memcpy(control + header.data_at, btf->data, btf->size);
	fd = object_publish(object, NULL, 0, OBJECT_READ);
	if (fd < 0) {
		object_discard(object);
		return fd;
	}
	object_put(object);
	return fd;
}

static int btf_object_attach(struct object *object)
{
	const struct region *region = &object->region;
	const u8 *control = region_control(region);
	u64 room = region->size - region->data_size - PAGE_BYTES; /* the stamp's page */
	struct btf_file header;

	if (region->size < region->data_size + PAGE_BYTES + sizeof(header))
		return -EINVAL;
	memcpy(&header, control, sizeof(header));
	if (header.data_at > room || header.size > room - header.data_at)
		return -EINVAL;
	return btf_index(&btf_object_of(object)->btf, control + header.data_at, header.size);
}

static void btf_object_detach(struct object *object)
{
	btf_clear(&btf_object_of(object)->btf);
}

const struct object_type btf_object_type = {
	.kind = OBJECT_BTF,
	.name = "btf",
	.layout = 1 << 16 | sizeof(struct btf_file),
	.local_size = sizeof(struct btf_object),
	.attach = btf_object_attach,
	.detach = btf_object_detach,
};
