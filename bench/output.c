/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * output.c: medians, ratios, spread; one line per row as soon as it is measured, all rows as JSON at
 * the end. A ratio is that of two neighbouring measurements: what else the machine does meanwhile
 * touches both.
 */
#include "output.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "side.h"

#define NAME_WIDTH 33
#define NO_REFERENCE 1e18
#define NOISY_SPREAD 0.5 /* as in bench/report */

/* Statistics */

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sorts. share 0.5 is the median. */
static double quantile(double *values, unsigned n, double share)
{
	const double at = share * (n - 1);
	const unsigned below = (unsigned)at;

	qsort(values, n, sizeof(*values), compare);
	if (below + 1 >= n)
		return values[n - 1];
	return values[below] + (at - below) * (values[below + 1] - values[below]);
}

static bool has_samples(const struct bench_kind *kind, const struct result *result, int side)
{
	return kind->sides >> side & 1 && side_exists(side) && !result->errors[side];
}

/* The fastest reference in one round. */
static double reference_ns(const struct bench_kind *kind, const struct result *result,
			   unsigned round)
{
	double best = NO_REFERENCE;

	for (int side = 0; side < NR_SIDES; side++)
		if (kind->reference >> side & 1 && has_samples(kind, result, side) &&
		    result->samples[side][round] < best)
			best = result->samples[side][round];
	return best;
}

void summarize(const struct bench_kind *kind, const struct result *result, struct summary *summary)
{
	double values[MAX_ROUNDS];
	unsigned round;

	memset(summary, 0, sizeof(*summary));
	for (int side = 0; side < NR_SIDES; side++) {
		if (!has_samples(kind, result, side))
			continue;
		memcpy(values, result->samples[side], sizeof(values));
		summary->ns[side] = quantile(values, result->rounds, 0.5);
	}
	if (!has_samples(kind, result, kind->subject))
		return;
	for (round = 0; round < result->rounds; round++) {
		const double reference = reference_ns(kind, result, round);

		if (reference == NO_REFERENCE)
			return;
		values[round] = result->samples[kind->subject][round] / reference;
	}
	summary->ratio = quantile(values, round, 0.5);
	summary->spread = (quantile(values, round, 0.75) - quantile(values, round, 0.25)) /
			  summary->ratio;
}

/* What to say of a row; its ratio means nothing where the rounds disagree. */
static const char *verdict(const struct bench *bench, const struct summary *summary)
{
	if (summary->spread > NOISY_SPREAD)
		return "noisy";
	if (!bench->goal)
		return "";
	return summary->ratio <= bench->goal ? "reached" : "missed";
}

/* The table */

static struct {
	const char *side;
	char text[sizeof(((struct reply *)0)->reason)];
} reasons[64];
static size_t nr_reasons;

static void remember_reason(const char *side, const char *text)
{
	for (size_t i = 0; i < nr_reasons; i++)
		if (!strcmp(reasons[i].side, side) && !strcmp(reasons[i].text, text))
			return;
	if (nr_reasons == ARRAY_SIZE(reasons))
		return;
	reasons[nr_reasons].side = side;
	snprintf(reasons[nr_reasons++].text, sizeof(reasons[0].text), "%s", text);
}

void print_reasons(void)
{
	for (size_t i = 0; i < nr_reasons; i++)
		printf("%s%s: %s\n", i ? "" : "\n- not measured\n", reasons[i].side,
		       reasons[i].text);
}

void print_title(const struct bench_kind *kind)
{
	printf("\n%s\n%-*s", kind->title, NAME_WIDTH, "");
	for (int side = 0; side < NR_SIDES; side++)
		if (kind->sides >> side & 1 && side_exists(side))
			printf("%12s", side_name(side));
	printf("%8s%8s%8s\n", "ratio", "spread", "goal");
}

void print_row(const struct bench *bench, const struct bench_kind *kind,
	       const struct result *result)
{
	struct summary summary;

	summarize(kind, result, &summary);
	printf("%-*s", NAME_WIDTH, bench->name);
	for (int side = 0; side < NR_SIDES; side++) {
		if (!(kind->sides >> side & 1) || !side_exists(side))
			continue;
		if (result->errors[side]) {
			printf("%12s", "-");
			remember_reason(side_name(side), result->reasons[side]);
		} else {
			printf("%12.1f", summary.ns[side]);
		}
	}
	if (summary.ratio)
		printf("%8.2f%7.0f%%", summary.ratio, summary.spread * 100);
	if (bench->goal)
		printf("%8.2f", bench->goal);
	else
		printf("%8s", "");
	printf(" %s\n", summary.ratio ? verdict(bench, &summary) : "");
	fflush(stdout);
}

/* JSON */

static json_object *tables;

static json_object *rounded(double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.4g", value);
	return json_object_new_double_s(value, text);
}

static json_object *names_of(unsigned sides)
{
	json_object *names = json_object_new_array();

	for (int side = 0; side < NR_SIDES; side++)
		if (sides >> side & 1 && side_exists(side))
			json_object_array_add(names, json_object_new_string(side_name(side)));
	return names;
}

/* The array of rows of the table with this title, made when there is none. */
static json_object *rows_of(const struct bench_kind *kind)
{
	const size_t n = tables ? json_object_array_length(tables) : 0;
	json_object *table, *rows = json_object_new_array();

	if (!tables)
		tables = json_object_new_array();
	for (size_t i = 0; i < n; i++) {
		table = json_object_array_get_idx(tables, i);
		if (strcmp(json_object_get_string(json_object_object_get(table, "title")),
			   kind->title))
			continue;
		json_object_put(rows);
		return json_object_object_get(table, "rows");
	}
	table = json_object_new_object();
	json_object_object_add(table, "title", json_object_new_string(kind->title));
	json_object_object_add(table, "columns", names_of(kind->sides));
	json_object_object_add(table, "subject",
			       json_object_new_string(side_name(kind->subject)));
	json_object_object_add(table, "reference", names_of(kind->reference));
	json_object_object_add(table, "rows", rows);
	json_object_array_add(tables, table);
	return rows;
}

void json_add(const struct bench *bench, const struct bench_kind *kind, const struct result *result)
{
	json_object *row = json_object_new_object(), *ns = json_object_new_object();
	struct summary summary;

	summarize(kind, result, &summary);
	json_object_object_add(row, "name", json_object_new_string(bench->name));
	for (int side = 0; side < NR_SIDES; side++)
		if (has_samples(kind, result, side))
			json_object_object_add(ns, side_name(side), rounded(summary.ns[side]));
	json_object_object_add(row, "ns", ns);
	if (summary.ratio) {
		json_object_object_add(row, "ratio", rounded(summary.ratio));
		json_object_object_add(row, "spread", rounded(summary.spread));
	}
	if (bench->goal)
		json_object_object_add(row, "goal", rounded(bench->goal));
	json_object_array_add(rows_of(kind), row);
}

/* "model name : AMD EPYC" */
static void cpu_model(char *model, size_t size)
{
	FILE *cpuinfo = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(model, size, "unknown");
	while (cpuinfo && fgets(line, sizeof(line), cpuinfo))
		if (!strncmp(line, "model name", 10) && strchr(line, ':')) {
			line[strcspn(line, "\n")] = 0;
			snprintf(model, size, "%s", strchr(line, ':') + 2);
			break;
		}
	if (cpuinfo)
		fclose(cpuinfo);
}

int json_write(const char *path, unsigned rounds)
{
	json_object *all = json_object_new_object();
	const struct bench one_per_cpu = {.threads = ALL_CPUS};
	struct utsname host;
	char model[128];
	int err;

	uname(&host);
	cpu_model(model, sizeof(model));
	json_object_object_add(all, "kernel", json_object_new_string(host.release));
	json_object_object_add(all, "machine", json_object_new_string(host.machine));
	json_object_object_add(all, "cpu", json_object_new_string(model));
	json_object_object_add(all, "cpus", json_object_new_int((int)threads_of(&one_per_cpu)));
	json_object_object_add(all, "rounds", json_object_new_int((int)rounds));
	json_object_object_add(all, "engine", json_object_new_string(side_engine()));
	json_object_object_add(all, "tables", tables ? tables : json_object_new_array());
	err = json_object_to_file_ext(path, all, JSON_C_TO_STRING_PRETTY);
	json_object_put(all);
	return err ? -EIO : 0;
}
