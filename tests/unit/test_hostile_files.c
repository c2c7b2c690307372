/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_hostile_files.c: a process of the same user writes to the file of a map while others use it.
 * They get results or errno values, whatever these mean, and come to an end.
 */
#include <linux/bpf.h>

#include "unit/realm_cases.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/atomic.h"
#include "base/uapi.h"
#include "maps/map.h"

#define PIN "/sys/fs/bpf/map"
#define USERS 150

/* In a process of its own, which keeps nothing but the pin. */
static void make_pinned(u32 type)
{
	union bpf_attr map = {
		.map_type = type, .key_size = 4, .value_size = 8, .max_entries = 64};
	union bpf_attr pin = {.pathname = PTR_U64(PIN)};
	const pid_t child = fork();
	int status;

	if (!child) {
		pin.bpf_fd = (u32)call(BPF_MAP_CREATE, &map);
		_exit(call(BPF_OBJ_PIN, &pin) != 0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status);
}

/* The header of the map with this id, as who opens the file may write to it. */
static struct map_header *header_of_file(u32 id)
{
	char path[128];
	void *memory;
	int fd;

	snprintf(path, sizeof(path), "%s/bpf-map.%u", realm, id);
	fd = open(path, O_RDWR | O_CLOEXEC);
	memory = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(fd >= 0 && memory != MAP_FAILED);
	close(fd);
	return memory;
}

/* Puts one number after the other into each of the first words of the header, and back. */
static void change_for_ever(struct map_header *header)
{
	static const u32 numbers[] = {0, 1, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, 1 << 20, UINT32_MAX};
	u32 *const words = (u32 *)header;

	for (u32 i = 0;; i++) {
		u32 *word = &words[i % (offsetof(struct map_header, seed) / sizeof(u32))];
		const u32 before = *word;

		store_relaxed(word, numbers[i % ARRAY_SIZE(numbers)]);
		for (u32 turn = i % 512; turn; turn--)
			cpu_relax();
		store_relaxed(word, before);
	}
}

static pid_t start_changes(struct map_header *header)
{
	const pid_t child = fork();

	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		change_for_ever(header);
	}
	return child;
}

/* Finds the map as a new process does, and uses it. */
static void use(void)
{
	union bpf_attr get = {.pathname = PTR_U64(PIN)}, attr = {0};
	u64 key[8] = {1}, value[8] = {0};

	alarm(60);
	attr.map_fd = (u32)call(BPF_OBJ_GET, &get);
	attr.key = PTR_U64(key);
	attr.value = PTR_U64(value);
	(void)!call(BPF_MAP_UPDATE_ELEM, &attr);
	(void)!call(BPF_MAP_LOOKUP_ELEM, &attr);
	(void)!call(BPF_MAP_DELETE_ELEM, &attr);
}

static void header_changes(u32 type)
{
	pid_t writer, user;
	int status;

	make_pinned(type);
	writer = start_changes(header_of_file(1));
	for (int i = 0; i < USERS; i++) {
		user = fork();
		if (!user) {
			use();
			_exit(0);
		}
		CHECK(waitpid(user, &status, 0) == user && !status);
	}
	kill(writer, SIGKILL);
	CHECK(waitpid(writer, &status, 0) == writer);
}

static void test_header_of_hash(void **state)
{
	IN_CHILD(header_changes(BPF_MAP_TYPE_HASH));
}

static void test_header_of_array(void **state)
{
	IN_CHILD(header_changes(BPF_MAP_TYPE_ARRAY));
}

static void test_header_of_lru_hash(void **state)
{
	IN_CHILD(header_changes(BPF_MAP_TYPE_LRU_HASH));
}

/* Asked for as any file that is mapped: it was none of ours a moment ago. */
static void arena_comes_late(void)
{
	union bpf_attr map = {.map_type = UAPI_MAP_TYPE_ARENA,
			      .max_entries = 1,
			      .map_flags = BPF_F_MMAPABLE};
	const int fd = (int)call(BPF_MAP_CREATE, &map);

	CHECK(fd >= 0);
	CHECK(bpf_mmap_fd(fd, 0, PAGE_BYTES, PROT_READ, MAP_SHARED) == -ENOMEM);
}

static void test_arena_comes_late(void **state)
{
	IN_CHILD(arena_comes_late());
}

/* The only node of a trie gets the bytes of another key: whoever goes on from there begins anew. */
static void trie_leads_in_circles(void)
{
	union bpf_attr map = {.map_type = BPF_MAP_TYPE_LPM_TRIE,
			      .key_size = 8,
			      .value_size = 8,
			      .max_entries = 4,
			      .map_flags = BPF_F_NO_PREALLOC};
	u32 key[2] = {32, htobe32(0x0a0b0c0d)}, cursor[2], keys[8];
	u64 value = 1, values[4], *word;
	union bpf_attr set = {.map_fd = (u32)call(BPF_MAP_CREATE, &map),
			      .key = PTR_U64(key),
			      .value = PTR_U64(&value)};
	union bpf_attr batch = {.batch = {.map_fd = set.map_fd,
					  .out_batch = PTR_U64(cursor),
					  .keys = PTR_U64(keys),
					  .values = PTR_U64(values),
					  .count = 4}};
	struct object *object;

	alarm(60);
	CHECK(call(BPF_MAP_UPDATE_ELEM, &set) == 0);
	CHECK(!object_from_fd((int)set.map_fd, OBJECT_MAP, &object, NULL));
	for (word = (u64 *)(void *)object->region.base; *word != 0x0a0b0c0dull << 32;)
		word++;
	*word = 0xf50b0c0dull << 32;
	CHECK(call(BPF_MAP_LOOKUP_BATCH, &batch) == -EINTR);
	object_put(object);
}

static void test_trie_leads_in_circles(void **state)
{
	IN_CHILD(trie_leads_in_circles());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_header_of_hash),
		CASE(test_header_of_array),
		CASE(test_header_of_lru_hash),
		CASE(test_arena_comes_late),
		CASE(test_trie_leads_in_circles),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
