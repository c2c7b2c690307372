/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * prog_cmds.c: loading, test runs, statistics and bindings of programs. Owns the attribute rules and copies;
 * accepting a program is the verifier's matter, running it the VM's.
 */
#include <linux/btf.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "btf/btf_object.h"
#include "cmd/internal.h"
#include "cmd/log_buf.h"
#include "object/run_stats.h"
#include "vm/test_run.h"
#include "vm/vm.h"
#include "verifier/verify.h"

#define PROG_FLAGS                                                                                 \
	(BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT | BPF_F_TEST_RND_HI32 |                      \
	 BPF_F_TEST_STATE_FREQ | BPF_F_SLEEPABLE | BPF_F_XDP_HAS_FRAGS |                           \
	 UAPI_F_XDP_DEV_BOUND_ONLY | UAPI_F_TEST_REG_INVARIANTS)

#define INFO_RECORD_MAX 252u /* the kernel's MAX_FUNCINFO_REC_SIZE and MAX_LINEINFO_REC_SIZE */

/* Everything PROG_LOAD copies in or refers to; load_release() gives all of it back. */
struct load {
	struct bpf_insn *insns;
	void *func_info, *line_info;
	struct object *btf;
	char license[128];
	char name[BPF_OBJ_NAME_LEN];
	u8 tag[BPF_TAG_SIZE];
};

static void load_release(struct load *load)
{
	memory_free(load->insns);
	memory_free(load->func_info);
	memory_free(load->line_info);
	if (load->btf)
		object_put(load->btf);
}

/* A license string that makes GPL-only helpers available, by the kernel's list. */
static bool license_is_gpl_compatible(const char *license)
{
	static const char *const list[] = {
		"GPL", "GPL v2", "GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL",
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (!strcmp(license, list[i]))
			return true;
	return false;
}

static int load_copy(struct load *load, const union bpf_attr *attr)
{
	size_t size = (size_t)attr->insn_cnt * sizeof(*load->insns);
	long len;

	load->insns = memory_alloc(size);
	if (!load->insns)
		return -ENOMEM;
	if (user_read(load->insns, attr->insns, size))
		return -EFAULT;
	len = user_read_string(load->license, attr->license, sizeof(load->license));
	if (len == -EFAULT)
		return -EFAULT;
	load->license[sizeof(load->license) - 1] = '\0';
	return 0;
}

/*
 * func_info and line_info records arrive as one array each. A wrong record size is for the
 * verifier to say; it sees no records then.
 */
static int load_records(void **records, u64 user, u32 count, u32 record_size)
{
	u64 size = (u64)count * record_size;

	if (!count || record_size > INFO_RECORD_MAX || size > (64u << 20))
		return 0;
	*records = memory_alloc(size);
	if (!*records)
		return -ENOMEM;
	return user_read(*records, user, size);
}

static int load_btf(struct load *load, const union bpf_attr *attr, struct verify_request *request)
{
	int err;

	if (!attr->func_info_cnt && !attr->line_info_cnt)
		return 0;
	err = object_from_fd((int)attr->prog_btf_fd, OBJECT_BTF, &load->btf, NULL);
	if (err)
		return err;
	request->btf = &btf_object_of(load->btf)->btf;
	request->nr_func_info = attr->func_info_cnt;
	request->func_info_rec_size = attr->func_info_rec_size;
	request->nr_line_info = attr->line_info_cnt;
	request->line_info_rec_size = attr->line_info_rec_size;
	err = load_records(&load->func_info, attr->func_info, attr->func_info_cnt,
			   attr->func_info_rec_size);
	if (!err)
		err = load_records(&load->line_info, attr->line_info, attr->line_info_cnt,
				   attr->line_info_rec_size);
	request->func_info = load->func_info;
	request->line_info = load->line_info;
	return err;
}

/*
 * The tag: SHA-256 over the instructions as they were given, with map references blanked out.
 */
static int prog_tag(u8 tag[BPF_TAG_SIZE], const struct bpf_insn *insns, u32 count)
{
	struct bpf_insn *copy = memory_alloc(count * sizeof(*copy));
	u8 digest[SHA256_BYTES];

	if (!copy)
		return -ENOMEM;
	memcpy(copy, insns, count * sizeof(*copy));
	for (u32 i = 0; i + 1 < count; i++) {
		if (copy[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (copy[i].src_reg == BPF_PSEUDO_MAP_FD || copy[i].src_reg == BPF_PSEUDO_MAP_VALUE)
			copy[i].imm = copy[i + 1].imm = 0;
		i++;
	}
	sha256(digest, copy, count * sizeof(*copy));
	memcpy(tag, digest, BPF_TAG_SIZE);
	memory_free(copy);
	return 0;
}

/* Cuts longer records, whose tail is zero, to the size that info reports. */
static void trim_records(void *records, u32 count, u32 *record_size, u32 size)
{
	u8 *at = records;

	if (!records || *record_size <= size)
		return;
	for (u32 i = 1; i < count; i++)
		memmove(at + (size_t)i * size, at + (size_t)i * *record_size, size);
	*record_size = size;
}

static long load_create(const union bpf_attr *attr, const struct load *load,
			const struct verify_request *request, struct verify_result *result)
{
	struct prog_image image = {
		.type = attr->prog_type,
		.expected_attach_type = request->expected_attach_type,
		.flags = attr->prog_flags,
		.attach_btf_id = attr->attach_btf_id,
		.gpl_compatible = request->gpl_compatible,
		.trusted = vm_loaded_are_trusted(),
		.name = load->name,
		.insns = load->insns,
		.insn_cnt = attr->insn_cnt,
		.maps = result->maps,
		.nr_maps = result->nr_maps,
		.subprogs = result->subprogs,
		.nr_subprogs = result->nr_subprogs,
		.btf = load->btf,
		.func_info = load->func_info,
		.nr_func_info = request->nr_func_info,
		.func_info_rec_size = request->func_info_rec_size,
		.line_info = load->line_info,
		.nr_line_info = request->nr_line_info,
		.line_info_rec_size = request->line_info_rec_size,
		.verified_insns = result->verified_insns,
	};

	memcpy(image.tag, load->tag, sizeof(image.tag));
	trim_records(load->func_info, image.nr_func_info, &image.func_info_rec_size,
		     sizeof(struct bpf_func_info));
	trim_records(load->line_info, image.nr_line_info, &image.line_info_rec_size,
		     sizeof(struct bpf_line_info));
	return prog_create(&image);
}

/* With everything copied in: the log, the verifier, the object. */
static long load_verify(struct call *call, struct load *load, const struct prog_type *type)
{
	const union bpf_attr *attr = &call->attr.a;
	struct verify_request request = {
		.type = type,
		.expected_attach_type = attr->expected_attach_type,
		.attach_btf_id = attr->attach_btf_id,
		.flags = attr->prog_flags,
		.gpl_compatible = license_is_gpl_compatible(load->license),
		.insns = load->insns,
		.insn_cnt = attr->insn_cnt,
		.fd_array = attr->fd_array,
		.fd_array_cnt = call->attr.prog_load.fd_array_cnt,
		.log_level = attr->log_level,
	};
	struct verify_result result = {0};
	struct log_buf log;
	u32 true_size = 0;
	long fd;
	int err;

	err = log_buf_init(&log, attr->log_level, attr->log_buf, attr->log_size);
	if (err)
		return err;
	request.log = log_buf_sink(&log);
	err = load_btf(load, attr, &request);
	if (!err)
		err = prog_tag(load->tag, load->insns, attr->insn_cnt);
	if (!err)
		err = verify_program(&request, &result);
	err = log_buf_finish(&log, err, &true_size);
	if (call->size >= offsetof(union cmd_attr, prog_load.prog_token_fd) &&
	    call_put(call, offsetof(union cmd_attr, prog_load.log_true_size), true_size))
		err = -EFAULT;
	fd = err ? err : load_create(attr, load, &request, &result);
	verify_release(&result);
	return fd;
}

/* Types that are loaded for one function of the kernel: as on a kernel without BTF. */
static int refuse_btf_target(const struct prog_type *type)
{
	log_line(LOG_REFUSED, "BPF_PROG_LOAD: program type %s: %s (errno %d)", type->name,
		 PROG_TYPE_REASON, EINVAL);
	return -EINVAL;
}

static bool may_have_btf_id(const struct prog_type *type, u32 id)
{
	return !id || (type && (type->needs_btf_id || type->is_method) && id <= BTF_MAX_TYPE);
}

static long load_program(struct call *call, struct load *load)
{
	const union bpf_attr *attr = &call->attr.a;
	const struct prog_type *type = prog_type_of(attr->prog_type);
	int err;

	/* The order of the kernel: attach type, memory, type, name. */
	if (attr->prog_flags & ~PROG_FLAGS)
		return -EINVAL;
	if (!attr->insn_cnt || attr->insn_cnt > PROG_MAX_INSNS)
		return -E2BIG;
	if (attr->attach_prog_fd || !may_have_btf_id(type, attr->attach_btf_id))
		return -EINVAL;
	if (type) {
		type = prog_type_variant(type, attr->expected_attach_type);
		if (!type)
			return -EINVAL;
	}
	err = load_copy(load, attr);
	if (err)
		return err;
	if (!type || attr->prog_ifindex)
		return -EINVAL;
	if (call->attr.prog_load.signature)
		return -EOPNOTSUPP;
	err = cmd_object_name(load->name, attr->prog_name);
	if (!err && type->needs_btf_id && attr->attach_btf_id)
		err = refuse_btf_target(type);
	return err ? err : load_verify(call, load, type);
}

long cmd_prog_load(struct call *call)
{
	struct load load = {0};
	long result = load_program(call, &load);

	load_release(&load);
	return result;
}

/* PROG_TEST_RUN: buffers of ours for what the application supplies and wants back. */
struct test_buffers {
	void *data_in, *data_out, *ctx_in, *ctx_out;
};

#define TEST_IN_MAX (128u << 10) /* larger inputs are refused by every type: none reads beyond */

/* No buffer for what cannot be read: the type says so, or what else it finds wrong before. */
static int test_copy_in(void **buffer, u64 user, u32 size)
{
	if (!user || !size)
		return 0;
	size = MIN(size, TEST_IN_MAX);
	*buffer = memory_alloc(size);
	if (!*buffer)
		return -ENOMEM;
	if (user_read(*buffer, user, size)) {
		memory_free(*buffer);
		*buffer = NULL;
	}
	return 0;
}

/* The size is the application's limit; memory only for what a run can leave behind. */
static int test_make_room(void **buffer, u64 user, u32 size)
{
	if (!user)
		return 0;
	*buffer = memory_alloc(size && size < TEST_DATA_OUT_MAX ? size : TEST_DATA_OUT_MAX);
	return *buffer ? 0 : -ENOMEM;
}

static int test_prepare(struct test_run *run, struct test_buffers *buffers,
			const union bpf_attr *attr)
{
	int err;

	if (!attr->test.ctx_in != !attr->test.ctx_size_in ||
	    !attr->test.ctx_out != !attr->test.ctx_size_out)
		return -EINVAL;
	run->given = (attr->test.data_in ? TEST_DATA_IN : 0) |
		     (attr->test.data_out ? TEST_DATA_OUT : 0) |
		     (attr->test.ctx_out ? TEST_CTX_OUT : 0) |
		     (attr->test.duration ? TEST_DURATION : 0);
	run->data_out_room = attr->test.data_size_out;
	run->ctx_out_room = attr->test.ctx_size_out;
	run->data_size_in = attr->test.data_size_in;
	run->ctx_size_in = attr->test.ctx_size_in;
	run->repeat = attr->test.repeat;
	run->flags = attr->test.flags;
	run->cpu = attr->test.cpu;
	run->batch_size = attr->test.batch_size;
	err = test_copy_in(&buffers->data_in, attr->test.data_in, run->data_size_in);
	if (!err)
		err = test_copy_in(&buffers->ctx_in, attr->test.ctx_in, run->ctx_size_in);
	if (!err)
		err = test_make_room(&buffers->data_out, attr->test.data_out,
				     run->data_out_room);
	if (!err)
		err = test_make_room(&buffers->ctx_out, attr->test.ctx_out, run->ctx_out_room);
	run->data_in = buffers->data_in;
	run->ctx_in = buffers->ctx_in;
	run->data_out = buffers->data_out;
	run->ctx_out = buffers->ctx_out;
	return err;
}

#define TEST_PUT(call, field, value) call_put(call, offsetof(union bpf_attr, test.field), value)

/*
 * Results are valid also when an out buffer was too small. In the order of the kernel: what cannot
 * be written leaves what follows untouched.
 */
static int test_put_results(const struct call *call, const struct test_run *run)
{
	const union bpf_attr *attr = &call->attr.a;
	u32 room = run->data_out_room ? run->data_out_room : UINT32_MAX;
	int err = 0;

	if (run->written & TEST_DATA_OUT && run->data_out)
		err = user_write(attr->test.data_out, run->data_out, MIN(run->data_size_out, room));
	if (!err && run->written & TEST_DATA_OUT)
		err = TEST_PUT(call, data_size_out, run->data_size_out);
	if (!err)
		err = TEST_PUT(call, retval, run->retval);
	if (!err && run->written & TEST_DURATION)
		err = TEST_PUT(call, duration, run->duration);
	if (!err && run->written & TEST_CTX_IN)
		err = user_write(attr->test.ctx_in, run->ctx_in, run->ctx_size_in);
	if (!err && run->written & TEST_CTX_OUT)
		err = user_write(attr->test.ctx_out, run->ctx_out,
				 MIN(run->ctx_size_out, run->ctx_out_room));
	if (!err && run->written & TEST_CTX_OUT)
		err = TEST_PUT(call, ctx_size_out, run->ctx_size_out);
	return err;
}

long cmd_prog_test_run(struct call *call)
{
	struct test_buffers buffers = {0};
	struct test_run run = {0};
	struct object *object;
	int err, put_err;

	err = object_from_fd((int)call->attr.a.test.prog_fd, OBJECT_PROG, &object, NULL);
	if (err)
		return err;
	err = test_prepare(&run, &buffers, &call->attr.a);
	if (!err) {
		err = prog_test_run(prog_of(object), &run);
		put_err = !err || run.written ? test_put_results(call, &run) : 0;
		/* As in the kernel, data that is cut hides that it cannot be written. */
		if (!err || run.written & TEST_CTX_OUT)
			err = put_err ? put_err : err;
	}
	memory_free(buffers.data_in);
	memory_free(buffers.data_out);
	memory_free(buffers.ctx_in);
	memory_free(buffers.ctx_out);
	object_put(object);
	return err;
}

long cmd_enable_stats(struct call *call)
{
	return call->attr.a.enable_stats.type == BPF_STATS_RUN_TIME ? run_stats_open() : -EINVAL;
}

long cmd_prog_bind_map(struct call *call)
{
	const union bpf_attr *attr = &call->attr.a;
	struct object *prog, *map;
	int err;

	if (attr->prog_bind_map.flags)
		return -EINVAL;
	err = object_from_fd((int)attr->prog_bind_map.prog_fd, OBJECT_PROG, &prog, NULL);
	if (err)
		return err;
	err = object_from_fd((int)attr->prog_bind_map.map_fd, OBJECT_MAP, &map, NULL);
	if (!err) {
		err = prog_bind_map(prog_of(prog), map_of(map));
		object_put(map);
	}
	object_put(prog);
	return err;
}
