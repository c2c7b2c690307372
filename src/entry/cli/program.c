/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * program.c: can the preload library work in a program? Reads the file's rights and ELF headers.
 * The loader decides in the end; what cannot be read raises no doubt.
 */
#include "entry/cli/cli.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#endif

#define GO_NOTE_BYTES 16 /* sizes, type and name of the build id note */

/* Privileges at exec make the loader ignore libraries that the environment names. */
static const char *privilege_trouble(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	if ((st.st_mode & S_ISUID && st.st_uid != geteuid()) ||
	    (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getegid()))
		return "is set-user-ID or set-group-ID: the loader ignores LD_PRELOAD for it";
	if (geteuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "has file capabilities: the loader ignores LD_PRELOAD for it";
	return NULL;
}

static bool is_go_note(int fd, const Elf64_Phdr *header)
{
	unsigned char note[GO_NOTE_BYTES];

	return header->p_type == PT_NOTE &&
	       pread(fd, note, sizeof(note), (off_t)header->p_offset) == sizeof(note) &&
	       !memcmp(note + 12, "Go\0", 4);
}

static const char *elf_trouble(int fd, const Elf64_Ehdr *elf, bool *certain)
{
	bool loader = false, go = false;
	Elf64_Phdr header;

	*certain = true;
	if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != OUR_MACHINE)
		return "is built for another architecture than userbpf's library";
	for (unsigned i = 0; i < elf->e_phnum; i++) {
		if (pread(fd, &header, sizeof(header),
			  (off_t)(elf->e_phoff + i * sizeof(header))) != sizeof(header))
			return NULL;
		loader |= header.p_type == PT_INTERP;
		go |= is_go_note(fd, &header);
	}
	if (!loader)
		return "is statically linked: no loader runs that could preload a library";
	*certain = false;
	return go ? "is a Go program: it makes system calls without libc" : NULL;
}

static const char *file_trouble(int fd, bool *certain)
{
	const char *trouble = privilege_trouble(fd);
	Elf64_Ehdr elf;

	*certain = true;
	if (trouble)
		return trouble;
	if (pread(fd, &elf, sizeof(elf), 0) != sizeof(elf) || memcmp(elf.e_ident, ELFMAG, SELFMAG))
		return NULL;
	return elf_trouble(fd, &elf, certain);
}

/* Opens what execvp() would execute. */
static int open_program(const char *name)
{
	const char *dirs = getenv("PATH");
	char path[PATH_MAX];
	size_t len;

	if (strchr(name, '/'))
		return open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *dirs; dirs += len + (dirs[len] == ':')) {
		len = strcspn(dirs, ":");
		snprintf(path, sizeof(path), "%.*s%s%s", (int)len, dirs, len ? "/" : "", name);
		if (!access(path, X_OK))
			return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	}
	return -1;
}

const char *program_trouble(const char *name, bool *certain)
{
	int fd = open_program(name);
	const char *trouble;

	if (fd < 0)
		return NULL;
	trouble = file_trouble(fd, certain);
	close(fd);
	return trouble;
}
