/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * build_id.c: asks the dynamic linker for the loaded files and reads their notes in memory. Knows
 * nothing of who asks. Notes are read as memory that may not be there: the application may have
 * unmapped them.
 */
#include "base/build_id.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/user_mem.h"

struct search {
	u64 address;
	u8 *id;
	u64 *offset;
	bool found;
};

/* The note at *at, which then moves behind it. */
static bool note_is_build_id(u64 *at, u64 end, u8 id[BUILD_ID_BYTES])
{
	ElfW(Nhdr) note;
	char name[4] = "";
	u64 desc;

	if (end - *at < sizeof(note) || user_read(&note, *at, sizeof(note)))
		goto none;
	desc = *at + sizeof(note) + ROUND_UP((u64)note.n_namesz, 4);
	if (desc + note.n_descsz > end)
		goto none;
	if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(name) &&
	    !user_read(name, *at + sizeof(note), sizeof(name)) &&
	    !memcmp(name, ELF_NOTE_GNU, sizeof(name)) && note.n_descsz &&
	    note.n_descsz <= BUILD_ID_BYTES && !user_read(id, desc, note.n_descsz)) {
		memset(id + note.n_descsz, 0, BUILD_ID_BYTES - note.n_descsz);
		return true;
	}
	*at = desc + ROUND_UP((u64)note.n_descsz, 4);
	return false;
none:
	*at = end;
	return false;
}

static bool segment_has(const struct dl_phdr_info *file, u32 nr, u64 address)
{
	const ElfW(Phdr) *segment = &file->dlpi_phdr[nr];

	return segment->p_type == PT_LOAD &&
	       address - (file->dlpi_addr + segment->p_vaddr) < segment->p_memsz;
}

static bool find_id(const struct dl_phdr_info *file, u8 id[BUILD_ID_BYTES])
{
	for (u32 i = 0; i < file->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &file->dlpi_phdr[i];
		u64 at = file->dlpi_addr + segment->p_vaddr, end = at + segment->p_filesz;

		while (segment->p_type == PT_NOTE && at < end)
			if (note_is_build_id(&at, end, id))
				return true;
	}
	return false;
}

/* The kernel's own code in every process comes from no file. */
static bool is_vdso(const struct dl_phdr_info *file)
{
	const u64 vdso = getauxval(AT_SYSINFO_EHDR);

	for (u32 i = 0; vdso && i < file->dlpi_phnum; i++)
		if (segment_has(file, i, vdso))
			return true;
	return false;
}

static int visit(struct dl_phdr_info *file, size_t size, void *context)
{
	struct search *search = context;

	(void)size;
	for (u32 i = 0; i < file->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &file->dlpi_phdr[i];

		if (!segment_has(file, i, search->address))
			continue;
		*search->offset = search->address - file->dlpi_addr - segment->p_vaddr +
				  segment->p_offset;
		search->found = !is_vdso(file) && find_id(file, search->id);
		return 1;
	}
	return 0;
}

bool build_id_at(u64 address, u8 id[BUILD_ID_BYTES], u64 *offset)
{
	struct search search = {.address = address, .id = id, .offset = offset};

	dl_iterate_phdr(visit, &search);
	return search.found;
}
