/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * traffic.c: who talks in a capture. Feeds every frame of a pcap file to the two programs of
 * traffic.bpf.c by BPF_PROG_TEST_RUN, then reads their maps and prints them, sorted by bytes.
 * An ordinary libbpf program: it does not know which bpf(2) serves it.
 *
 * Bytes are those of the whole frame on the wire. TEST_RUN sees what the capture kept of it, and of
 * that no more than MAX_FED, since it refuses frames beyond a page; the headers lie well within.
 * The length on the wire goes along in cb[0] of the context.
 */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <json-c/json.h>
#define PCAP_DONT_INCLUDE_PCAP_BPF_H /* its struct bpf_insn is not ours */
#include <pcap/dlt.h>
#include <pcap/pcap.h>

#include "traffic.h"
#include "traffic.skel.h"

#define MAX_FED 2048
#define MAX_HEADERS 54 /* Ethernet and IPv6; TEST_RUN may refuse a frame which ends within them */
#define PROTOCOLS 256
#define BAR_WIDTH 40

struct options {
	const char *file;
	const char *pin;
	unsigned top;
	unsigned max_sources;
	bool json;
};

struct replay {
	__u64 frames;
	__u64 bytes;
	__u64 refused;  /* by TEST_RUN, see MAX_HEADERS */
	bool is_cut;    /* the file ends within a frame */
	double seconds; /* from the first to the last frame, by the capture's clock */
};

struct protocol {
	unsigned number;
	__u64 bytes;
};

struct source {
	struct source_key key;
	struct traffic traffic;
};

struct report {
	struct replay replay;
	struct traffic frames[FRAME_KINDS];
	struct protocol protocols[PROTOCOLS];
	unsigned nr_protocols;
	struct source *sources;
	unsigned nr_sources;
	struct traffic evicted; /* IP of sources that made room for others */
};

static bool verbose;

static const struct {
	const char *key, *label;
} frame_kinds[FRAME_KINDS] = {
	[FRAME_IP] = {"ip", "IP"},
	[FRAME_ARP] = {"arp", "ARP"},
	[FRAME_OTHER] = {"other", "other EtherType"},
	[FRAME_DAMAGED] = {"damaged", "damaged IP header"},
};

/* Command line */

static unsigned parse_count(const struct argp_state *state, const char *option, const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || n < 1 || n > 10000000)
		argp_error(state, "%s wants a number from 1 to 10000000, not '%s'", option, text);
	return (unsigned)n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'v':
		verbose = true;
		return 0;
	case 'p':
		o->pin = arg;
		return 0;
	case 't':
		o->top = parse_count(state, "--top", arg);
		return 0;
	case 's':
		o->max_sources = parse_count(state, "--sources", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "one capture at a time, '%s' is too many", arg);
		o->file = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which capture? Give the name of a pcap file");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_table[] = {
	{"json", 'j', NULL, 0, "Print everything as JSON, not as tables", 0},
	{"top", 't', "N", 0, "Print the N sources with most bytes (20)", 0},
	{"sources", 's', "N", 0, "Keep N source addresses, the latest (16384)", 0},
	{"pin", 'p', "DIR", 0, "Pin the maps in DIR, below /sys/fs/bpf, so that they stay", 0},
	{"verbose", 'v', NULL, 0, "Print what libbpf says", 0},
	{0},
};

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "FILE.pcap",
	.doc = "Count bytes per IP protocol and per source address of an Ethernet capture, with "
	       "two BPF "
	       "socket filters. FILE.pcap may be - for standard input."
	       "\vExit status: 0; 1 after an error; 2 for a wrong command line; 77 where bpf(2) "
	       "is not "
	       "permitted.",
};

/* Replay */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct progress {
	double start;
	double shown;
	off_t size; /* of the file; 0: draw nothing */
};

static void progress_init(struct progress *p, pcap_t *pcap)
{
	struct stat st;

	p->start = p->shown = now();
	p->size = 0;
	if (isatty(STDERR_FILENO) && !fstat(fileno(pcap_file(pcap)), &st) && S_ISREG(st.st_mode))
		p->size = st.st_size;
}

/* From the third tenth of a second on, ten times a second. */
static void progress_draw(struct progress *p, pcap_t *pcap)
{
	static const char full[BAR_WIDTH + 1] = "########################################";
	double t = now();
	double done;

	if (t - p->start < 0.3 || t - p->shown < 0.1)
		return;
	p->shown = t;
	done = (double)ftello(pcap_file(pcap)) / (double)p->size;
	if (done > 1)
		done = 1;
	fprintf(stderr, "\r[%-*.*s] %3.0f %%", BAR_WIDTH, (int)(done * BAR_WIDTH), full,
		done * 100);
}

static void progress_end(const struct progress *p)
{
	if (p->shown > p->start)
		fprintf(stderr, "\r\033[K");
}

static int feed(int prog_fd, const struct pcap_pkthdr *h, const u_char *data)
{
	struct __sk_buff ctx = {.cb[0] = h->len};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data,
		    .data_size_in = h->caplen < MAX_FED ? h->caplen : MAX_FED, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx));

	return bpf_prog_test_run_opts(prog_fd, &opts);
}

static int feed_both(const struct traffic_bpf *skel, const struct pcap_pkthdr *h,
		     const u_char *data, struct replay *r)
{
	int err = feed(bpf_program__fd(skel->progs.count_protocols), h, data);

	if (!err)
		err = feed(bpf_program__fd(skel->progs.count_sources), h, data);
	if (err == -EINVAL && h->caplen < MAX_HEADERS) {
		r->refused++;
		return 0;
	}
	if (err)
		fprintf(stderr,
			"traffic: frame %" PRIu64 ", %u bytes: cannot run the programs: %s\n",
			(uint64_t)r->frames, h->caplen, strerror(-err));
	return err;
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static int replay(const struct traffic_bpf *skel, pcap_t *pcap, const char *file, struct replay *r)
{
	struct pcap_pkthdr *h;
	struct progress progress;
	struct timeval first = {0};
	const u_char *data;
	int got, err = 0;

	progress_init(&progress, pcap);
	while (!err && (got = pcap_next_ex(pcap, &h, &data)) == 1) {
		if (!r->frames++)
			first = h->ts;
		r->seconds = seconds(&h->ts) - seconds(&first);
		r->bytes += h->len;
		err = feed_both(skel, h, data, r);
		if (progress.size && r->frames % 64 == 0)
			progress_draw(&progress, pcap);
	}
	progress_end(&progress);
	if (!err && got == PCAP_ERROR) {
		fprintf(stderr, "traffic: %s ends badly, counted up to frame %" PRIu64 ": %s\n",
			file, (uint64_t)r->frames, pcap_geterr(pcap));
		r->is_cut = true;
	}
	return err;
}

/* The maps, read */

static int read_frames(const struct traffic_bpf *skel, struct report *r)
{
	int fd = bpf_map__fd(skel->maps.frames);

	for (__u32 kind = 0; kind < FRAME_KINDS; kind++)
		if (bpf_map_lookup_elem(fd, &kind, &r->frames[kind]))
			return -errno;
	return 0;
}

static int read_protocols(const struct traffic_bpf *skel, struct report *r)
{
	int fd = bpf_map__fd(skel->maps.protocol_bytes);
	__u64 bytes;

	for (__u32 key = 0; key < PROTOCOLS; key++) {
		if (bpf_map_lookup_elem(fd, &key, &bytes))
			return -errno;
		if (bytes)
			r->protocols[r->nr_protocols++] = (struct protocol){key, bytes};
	}
	return 0;
}

static int read_sources(const struct traffic_bpf *skel, struct report *r)
{
	unsigned room = bpf_map__max_entries(skel->maps.sources);
	int fd = bpf_map__fd(skel->maps.sources);
	struct source *s;
	int err;

	r->sources = calloc(room, sizeof(*r->sources));
	if (!r->sources)
		return -ENOMEM;
	err = bpf_map_get_next_key(fd, NULL, &r->sources[0].key);
	while (!err) {
		s = &r->sources[r->nr_sources++];
		if (bpf_map_lookup_elem(fd, &s->key, &s->traffic))
			return -errno;
		if (r->nr_sources == room)
			return 0;
		err = bpf_map_get_next_key(fd, &s->key, &s[1].key);
	}
	return err == -ENOENT ? 0 : err;
}

/* What the programs counted as IP and no source has. */
static void find_evicted(struct report *r)
{
	r->evicted = r->frames[FRAME_IP];
	for (unsigned i = 0; i < r->nr_sources; i++) {
		r->evicted.packets -= r->sources[i].traffic.packets;
		r->evicted.bytes -= r->sources[i].traffic.bytes;
	}
}

static int by_bytes(__u64 a, __u64 b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int compare_protocols(const void *a, const void *b)
{
	const struct protocol *x = a, *y = b;
	int order = by_bytes(x->bytes, y->bytes);

	return order ? order : (int)x->number - (int)y->number;
}

static int compare_sources(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	int order = by_bytes(x->traffic.bytes, y->traffic.bytes);

	return order ? order : memcmp(&x->key, &y->key, sizeof(x->key));
}

static int read_maps(const struct traffic_bpf *skel, struct report *r)
{
	int err = read_frames(skel, r);

	if (!err)
		err = read_protocols(skel, r);
	if (!err)
		err = read_sources(skel, r);
	if (err) {
		fprintf(stderr, "traffic: cannot read the maps: %s\n", strerror(-err));
		return err;
	}
	find_evicted(r);
	qsort(r->protocols, r->nr_protocols, sizeof(*r->protocols), compare_protocols);
	qsort(r->sources, r->nr_sources, sizeof(*r->sources), compare_sources);
	return 0;
}

/* Printed */

static const char *protocol_name(unsigned number)
{
	const struct protoent *p = getprotobynumber((int)number);

	return p ? p->p_name : NULL;
}

static const char *address_text(const struct source_key *key, char text[INET6_ADDRSTRLEN])
{
	if (!inet_ntop((int)key->family, key->address, text, INET6_ADDRSTRLEN))
		snprintf(text, INET6_ADDRSTRLEN, "family %u", key->family);
	return text;
}

static const char *human(__u64 bytes, char text[16])
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
	double n = (double)bytes / 1000;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(text, 16, "%u B ", (unsigned)bytes);
		return text;
	}
	for (; n >= 999.5 && unit < 4; n /= 1000)
		unit++;
	snprintf(text, 16, "%.*f %s", n < 9.995 ? 2 : n < 99.95 ? 1 : 0, n, units[unit]);
	return text;
}

static double percent(__u64 part, __u64 whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_share(const char *label, const struct report *r, __u64 bytes)
{
	char text[16];

	printf("  %-28s %10s %6.1f %%\n", label, human(bytes, text),
	       percent(bytes, r->replay.bytes));
}

static void print_protocols(const struct report *r)
{
	char label[32];

	printf("\nBytes by IP protocol\n  %-28s %10s %8s\n", "PROTOCOL", "BYTES", "SHARE");
	for (unsigned i = 0; i < r->nr_protocols; i++) {
		const char *name = protocol_name(r->protocols[i].number);

		snprintf(label, sizeof(label), "%.20s (%u)", name ? name : "protocol",
			 r->protocols[i].number);
		print_share(label, r, r->protocols[i].bytes);
	}
	for (int kind = FRAME_ARP; kind <= FRAME_DAMAGED; kind++) {
		if (!r->frames[kind].packets)
			continue;
		snprintf(label, sizeof(label), "no IP: %s", frame_kinds[kind].label);
		print_share(label, r, r->frames[kind].bytes);
	}
}

static void print_sources(const struct report *r, unsigned top)
{
	char address[INET6_ADDRSTRLEN], text[16];

	printf("\nSource addresses by bytes");
	if (r->nr_sources > top)
		printf(", the first %u of %u (more with --top)", top, r->nr_sources);
	printf("\n  %-28s %10s %8s %10s\n", "ADDRESS", "BYTES", "SHARE", "PACKETS");
	for (unsigned i = 0; i < r->nr_sources && i < top; i++) {
		const struct source *s = &r->sources[i];

		printf("  %-28s %10s %6.1f %% %10" PRIu64 "\n", address_text(&s->key, address),
		       human(s->traffic.bytes, text), percent(s->traffic.bytes, r->replay.bytes),
		       (uint64_t)s->traffic.packets);
	}
}

static void print_tables(const struct options *o, const struct report *r)
{
	char text[16];

	printf("%s: %" PRIu64 " frames, %s, recorded in %.1f s\n", o->file,
	       (uint64_t)r->replay.frames, human(r->replay.bytes, text), r->replay.seconds);
	print_protocols(r);
	print_sources(r, o->top);
	if (r->replay.refused)
		printf("\nNot counted: %" PRIu64 " frames end within their headers.\n",
		       (uint64_t)r->replay.refused);
	if (r->evicted.packets)
		printf("\n%" PRIu64
		       " packets (%s) came from sources that made room for others; raise --sources.\n",
		       (uint64_t)r->evicted.packets, human(r->evicted.bytes, text));
}

static void json_count(struct json_object *to, const char *name, __u64 n)
{
	json_object_object_add(to, name, json_object_new_uint64(n));
}

static void json_traffic(struct json_object *to, const struct traffic *t)
{
	json_count(to, "packets", t->packets);
	json_count(to, "bytes", t->bytes);
}

static struct json_object *json_protocols(const struct report *r)
{
	struct json_object *array = json_object_new_array();

	for (unsigned i = 0; i < r->nr_protocols; i++) {
		const char *name = protocol_name(r->protocols[i].number);
		struct json_object *o = json_object_new_object();

		json_count(o, "protocol", r->protocols[i].number);
		json_object_object_add(o, "name", name ? json_object_new_string(name) : NULL);
		json_count(o, "bytes", r->protocols[i].bytes);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *json_sources(const struct report *r)
{
	struct json_object *array = json_object_new_array();
	char address[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < r->nr_sources; i++) {
		const struct source *s = &r->sources[i];
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "address",
				       json_object_new_string(address_text(&s->key, address)));
		json_traffic(o, &s->traffic);
		json_object_array_add(array, o);
	}
	return array;
}

/* All sources, whatever --top says. */
static void print_json(const struct report *r)
{
	struct json_object *o = json_object_new_object(), *frames = json_object_new_object();
	struct json_object *evicted = json_object_new_object();

	json_count(o, "frames", r->replay.frames);
	json_count(o, "bytes", r->replay.bytes);
	json_count(o, "refused", r->replay.refused);
	for (int kind = 0; kind < FRAME_KINDS; kind++) {
		struct json_object *of_kind = json_object_new_object();

		json_traffic(of_kind, &r->frames[kind]);
		json_object_object_add(frames, frame_kinds[kind].key, of_kind);
	}
	json_object_object_add(o, "kinds", frames);
	json_object_object_add(o, "protocols", json_protocols(r));
	json_object_object_add(o, "sources", json_sources(r));
	json_traffic(evicted, &r->evicted);
	json_object_object_add(o, "evicted", evicted);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
	json_object_put(o);
}

/* Opening */

static pcap_t *open_capture(const char *file)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(file, error);
	const char *link;

	if (!pcap) {
		bool named = !strncmp(error, file, strlen(file));

		fprintf(stderr,
			"traffic: cannot read %s%s%s\n"
			"         Give a pcap or pcapng file, as tcpdump -w or Wireshark write "
			"them.\n",
			named ? "" : file, named ? "" : ": ", error);
		return NULL;
	}
	if (pcap_datalink(pcap) == DLT_EN10MB)
		return pcap;
	link = pcap_datalink_val_to_description(pcap_datalink(pcap));
	fprintf(stderr,
		"traffic: %s holds no Ethernet frames but '%s'.\n"
		"         Capture on one Ethernet interface: tcpdump -i eth0 -w FILE (not -i "
		"any).\n",
		file, link ? link : "an unknown link type");
	pcap_close(pcap);
	return NULL;
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	return verbose ? vfprintf(stderr, format, args) : 0;
}

static struct traffic_bpf *load(const struct options *o, int *status)
{
	struct traffic_bpf *skel = traffic_bpf__open();
	int err = skel ? 0 : -errno;

	if (!err && o->max_sources)
		err = bpf_map__set_max_entries(skel->maps.sources, o->max_sources);
	if (!err)
		err = traffic_bpf__load(skel);
	if (!err)
		return skel;
	traffic_bpf__destroy(skel);
	*status = err == -EPERM || err == -EACCES || err == -ENOSYS ? EX_NOPERM : EXIT_FAILURE;
	if (*status == EX_NOPERM)
		fprintf(stderr,
			"traffic: bpf(2) is not permitted here: %s\n"
			"         Run it as root, or without any privilege under:\n"
			"         userbpf run -- traffic %s\n",
			strerror(-err), o->file);
	else
		fprintf(stderr, "traffic: cannot load the programs: %s (--verbose says more)\n",
			strerror(-err));
	return NULL;
}

static int pin(const struct traffic_bpf *skel, const char *dir)
{
	int err = bpf_object__pin_maps(skel->obj, dir);

	if (err)
		fprintf(stderr,
			"traffic: cannot pin the maps in %s: %s\n"
			"         It must lie below /sys/fs/bpf and hold no maps yet.\n",
			dir, strerror(-err));
	return err;
}

int main(int argc, char **argv)
{
	struct options o = {.top = 20};
	struct report report = {0};
	struct traffic_bpf *skel;
	pcap_t *pcap;
	int status = EXIT_FAILURE;

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	libbpf_set_print(print_libbpf);
	pcap = open_capture(o.file);
	if (!pcap)
		return EXIT_FAILURE;
	skel = load(&o, &status);
	if (!skel)
		goto close_capture;
	if (o.pin && pin(skel, o.pin))
		goto destroy;
	if (replay(skel, pcap, o.file, &report.replay) || read_maps(skel, &report))
		goto destroy;
	if (o.json)
		print_json(&report);
	else
		print_tables(&o, &report);
	if (fflush(stdout) || ferror(stdout))
		perror("traffic: cannot write the result");
	else if (!report.replay.is_cut)
		status = EXIT_SUCCESS;
destroy:
	free(report.sources);
	traffic_bpf__destroy(skel);
close_capture:
	pcap_close(pcap);
	return status;
}
