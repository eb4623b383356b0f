/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The module's entry. LLVM ends the process on what it cannot do (report_fatal_error()), and its
 * CO-RE pass keeps globals of one module for the next (LLVM 19 crashes on the second), so it runs in a
 * child, which hands back the object, or diagnostics, in memory that both share.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "gen.h"

enum { CHILD_CPU_SECONDS = 300 }; /* against the unforeseen: a minute is what sizes allow */

void gen_error(struct gen *g, int error, const char *code, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	if (!g->error)
		g->error = error;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	diag_add(g->ds, DIAG_ERROR, code, g->at.chain ? &g->at : NULL, "%s", text);
	free(text);
}

static int compile_here(const struct ir *ir, const struct emit_options *opt, struct diags *ds,
			struct emitted *ret)
{
	struct ir own = *ir; /* chains of parts are counted in it */
	struct gen g = {.ir = &own, .opt = opt, .ds = ds, .arena = arena_new()};
	int err = gen_init(&g);

	if (!err) {
		g.set_maps = arena_alloc(g.arena, MAX(ir->n_sets, 1u) * sizeof(*g.set_maps));
		gen_globals(&g);
		for (uint32_t i = 0; i < ir->n_progs; i++)
			gen_prog(&g, &ir->progs[i]);
		gen_parts(&g);
		err = g.error ? g.error : gen_finish(&g, ret);
	}
	gen_fini(&g);
	arena_free(g.arena);
	return err;
}

/* ---- the child and what it hands back ---- */

/* A file in memory: first the diagnostics, each { level, lengths, strings }, then the results. */
struct header {
	int32_t error;
	uint32_t n_diags;
	uint64_t size[3]; /* object, llvm, assembly; 0: none */
	bool has[3];
};

struct diag_record {
	uint32_t level, rule, len[5]; /* of code, text, table, chain, expr, with their zero; 0: NULL */
	uint8_t family;
	uint64_t handle;
};

static void put_diag(FILE *f, const struct diag *d)
{
	const char *s[5] = {d->code, d->text, d->at.table, d->at.chain, d->at.expr};
	struct diag_record r = {.level = d->level,
				.rule = d->at.rule,
				.family = d->at.family,
				.handle = d->at.handle};

	for (size_t i = 0; i < ARRAY_SIZE(s); i++)
		r.len[i] = s[i] ? (uint32_t)strlen(s[i]) + 1 : 0;
	fwrite(&r, sizeof(r), 1, f);
	for (size_t i = 0; i < ARRAY_SIZE(s); i++)
		fwrite(s[i] ? s[i] : "", 1, r.len[i], f);
}

static void child(int fd, const struct ir *ir, const struct emit_options *opt)
{
	struct rlimit cpu = {CHILD_CPU_SECONDS, CHILD_CPU_SECONDS + 1};
	struct header h = {0};
	struct emitted e = {0};
	struct diags ds;
	struct diag *d;
	FILE *f = fdopen(fd, "w");

	setrlimit(RLIMIT_CPU, &cpu);
	diags_init(&ds);
	h.error = compile_here(ir, opt, &ds, &e);
	h.has[0] = e.object;
	h.has[1] = e.llvm;
	h.has[2] = e.assembly;
	h.size[0] = e.size;
	h.size[1] = e.llvm ? strlen(e.llvm) : 0;
	h.size[2] = e.assembly ? strlen(e.assembly) : 0;
	list_for_each(d, &ds.list, node)
		h.n_diags++;
	fwrite(&h, sizeof(h), 1, f);
	list_for_each(d, &ds.list, node)
		put_diag(f, d);
	fwrite(e.object ? e.object : "", 1, h.size[0], f);
	fwrite(e.llvm ? e.llvm : "", 1, h.size[1], f);
	fwrite(e.assembly ? e.assembly : "", 1, h.size[2], f);
	_exit(fflush(f) || ferror(f) ? 3 : 0);
}

/* Codes are to live forever: the few of this backend. */
static const char *known_code(const char *code)
{
	static const char *const codes[] = {"llvm",  "bitcode",	 "helper-missing", "set-form",
					    "cycle", "too-large",	 "parts"};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (strcmp(code, codes[i]) == 0)
			return codes[i];
	}
	return "llvm";
}

static const char *take_diag(const char *p, struct diags *ds)
{
	struct diag_record r;
	const char *s[5];
	struct diag_place at;

	memcpy(&r, p, sizeof(r));
	p += sizeof(r);
	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = r.len[i] ? p : NULL;
		p += r.len[i];
	}
	at = (struct diag_place){.family = r.family,
				 .table = s[2],
				 .chain = s[3],
				 .expr = s[4],
				 .handle = r.handle,
				 .rule = r.rule};
	diag_add(ds, r.level, known_code(s[0]), s[3] ? &at : NULL, "%s", s[1]);
	return p;
}

static char *take_bytes(const char **p, uint64_t size)
{
	char *copy = malloc(size + 1);

	if (copy) {
		memcpy(copy, *p, size);
		copy[size] = '\0';
	}
	*p += size;
	return copy;
}

static int take_results(const char *p, struct diags *ds, struct emitted *ret)
{
	struct emitted e = {0};
	struct header h;

	memcpy(&h, p, sizeof(h));
	p += sizeof(h);
	for (uint32_t i = 0; i < h.n_diags; i++)
		p = take_diag(p, ds);
	if (h.error)
		return h.error;
	e.object = take_bytes(&p, h.size[0]);
	e.size = h.size[0];
	if (h.has[1])
		e.llvm = take_bytes(&p, h.size[1]);
	if (h.has[2])
		e.assembly = take_bytes(&p, h.size[2]);
	if (!e.object || (h.has[1] && !e.llvm) || (h.has[2] && !e.assembly)) {
		emitted_fini(&e);
		return -ENOMEM;
	}
	*ret = e;
	return 0;
}

static int child_failed(int status, struct diags *ds)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		diag_add(ds, DIAG_ERROR, "too-large", NULL,
			 "LLVM took more than %d s of CPU time for this ruleset and was stopped",
			 CHILD_CPU_SECONDS);
	else if (WIFSIGNALED(status))
		diag_add(ds, DIAG_ERROR, "llvm", NULL, "LLVM gave up on this ruleset (%s)",
			 strsignal(WTERMSIG(status)));
	else
		diag_add(ds, DIAG_ERROR, "llvm", NULL, "LLVM gave up on this ruleset (status %d)",
			 WEXITSTATUS(status));
	return -EIO;
}

static int wait_for(pid_t pid, int fd, struct diags *ds, struct emitted *ret)
{
	int status, err;
	off_t size;
	void *p;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return child_failed(status, ds);
	size = lseek(fd, 0, SEEK_END);
	p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	err = take_results(p, ds, ret);
	munmap(p, (size_t)size);
	return err;
}

static int compile(const struct ir *ir, const struct emit_options *opt, struct diags *ds,
		   struct emitted *ret)
{
	int fd, err;
	pid_t pid;

	/* For debuggers and profilers, once in a process. */
	if (getenv("NFT_BPF_EMIT_NO_FORK"))
		return compile_here(ir, opt, ds, ret);
	fd = memfd_create("nft-bpf-object", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(fd, ir, opt);
	err = pid < 0 ? -errno : wait_for(pid, fd, ds, ret);
	close(fd);
	return err;
}

__attribute__((visibility("default"))) const struct emit_backend nft_bpf_backend = {
	.abi = EMIT_ABI,
	.version = "LLVM " LLVM_VERSION_TEXT,
	.compile = compile,
};
