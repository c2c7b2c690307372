/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * btf_object.c: see btf_object.h. Owns the layout of a BTF file: struct btf_file at the start of
 * the control area, behind it the raw bytes, padded so that their types are aligned, and the heap.
 */
#include "btf/btf_object.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "btf/local_object.h"

struct btf_file {
	u32 size;
	u32 data_at; /* from the header */
};

static u64 heap_at(const struct btf_file *header)
{
	return ROUND_UP((u64)header->data_at + header->size, PAGE_BYTES);
}

int btf_object_create(const struct btf *btf)
{
	struct btf_file header = {.size = btf->size};
	struct object *object;
	u8 *control;
	int fd;

	header.data_at = sizeof(header) + btf_padding(btf->data, btf->size);
	fd = object_create(&btf_object_type, 0, heap_at(&header) + HEAP_BYTES, REGION_SPARSE,
			   &object);
	if (fd)
		return fd;
	fd = region_populate(&object->region, 0, heap_at(&header));
	if (fd) {
		object_discard(object);
		return fd;
	}
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
	struct btf_object *btf = btf_object_of(object);
	const struct region *region = &object->region;
	u8 *control = region_control(region);
	u64 room = region->size - region->data_size - PAGE_BYTES; /* the stamp's page */
	struct btf_file header;

	if (region->size < region->data_size + PAGE_BYTES + sizeof(header))
		return -EINVAL;
	memcpy(&header, control, sizeof(header));
	if (heap_at(&header) > room || room - heap_at(&header) < HEAP_BYTES)
		return -EINVAL;
	btf->heap = (struct heap){region, control + heap_at(&header)};
	btf->local = NULL;
	return btf_index(&btf->btf, control + header.data_at, header.size);
}

static void btf_object_detach(struct object *object)
{
	struct btf_object *btf = btf_object_of(object);

	local_types_free(btf);
	btf_clear(&btf->btf);
}

int btf_object_use_heap(struct btf_object *btf)
{
	struct local_type **types, **before = NULL;

	if (load_acquire(&btf->local))
		return 0;
	types = heap_prepare(&btf->heap) ? NULL
					 : memory_zalloc(btf->btf.nr_types, sizeof(*types));
	if (!types)
		return -ENOMEM;
	store_relaxed(&btf->has_pointers, btf_has_pointers(&btf->btf));
	if (!atomic_cas(&btf->local, &before, types))
		memory_free(types);
	return 0;
}

const struct object_type btf_object_type = {
	.kind = OBJECT_BTF,
	.name = "btf",
	.layout = 2 << 16 | sizeof(struct btf_file),
	.local_size = sizeof(struct btf_object),
	.attach = btf_object_attach,
	.detach = btf_object_detach,
};
