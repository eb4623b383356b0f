/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft-bpf compile: a BPF object from a ruleset, at build time; and --dump, a look at each stage.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../compiler/calls.h"
#include "../compiler/emit/emit.h"
#include "../compiler/lower.h"
#include "../compiler/opt/opt.h"
#include "../netlink/nft.h"
#include "../runtime/runtime.h"
#include "cli.h"

static void print_plan(const struct lower_result *lr)
{
	for (uint32_t i = 0; i < lr->ir->n_progs; i++) {
		const struct ir_prog *p = &lr->ir->progs[i];

		printf("program %s: pf %u hook %u priority %d\n", p->name, p->pf, p->hook,
		       p->priority);
		for (uint32_t j = 0; j < p->n_bases; j++)
			printf("\t%s %s %s\n", family_name(p->bases[j]->family),
			       p->bases[j]->table, p->bases[j]->name);
	}
	for (uint32_t i = 0; i < lr->n_chains; i++) {
		const struct lower_chain *lc = &lr->chains[i];

		for (uint32_t j = 0; !lc->compiled && j < lc->n_blockers; j++)
			printf("interpreter: %s %s %s: %s [%s]\n",
			       family_name(lc->base->table->family), lc->base->table->name,
			       lc->base->name, lc->blockers[j]->why, lc->blockers[j]->code);
	}
}

static int emit(struct cli *cli, struct ir *ir, struct emitted *ret)
{
	const struct emit_backend *backend = emit_open(&cli->diags);
	int err = -ENOSYS;
	struct emit_options opt = {
		.cpus = 64,
		.atomic_counters = true,
		.want_llvm = cli->dump & DUMP_LLVM,
		.want_asm = cli->dump & DUMP_ASM,
	};

	opt_run(ir, &(struct opt_options){0});
	calls_decide(ir);
	if (backend)
		err = backend->compile(ir, &opt, &cli->diags, ret);
	return cli_status(cli, err, "compiling");
}

int cli_dump(struct cli *cli, const struct ruleset *rs, const struct lower_result *lr)
{
	struct emitted e = {0};
	int status = EXIT_OK;

	if (cli->dump & DUMP_MODEL)
		status = cli_nft_status(cli, nft_list(rs, "list ruleset", &cli->list, stdout, stderr),
					"--dump=model");
	if (cli->dump & DUMP_IR)
		ir_print(lr->ir, stdout);
	opt_run(lr->ir, &(struct opt_options){0});
	if (cli->dump & DUMP_OPT)
		ir_print(lr->ir, stdout);
	if (cli->dump & DUMP_PLAN)
		print_plan(lr);
	if (status == EXIT_OK && cli->dump & (DUMP_LLVM | DUMP_ASM)) {
		status = emit(cli, lr->ir, &e);
		if (e.llvm)
			fputs(e.llvm, stdout);
		if (e.assembly)
			fputs(e.assembly, stdout);
		emitted_fini(&e);
	}
	return status;
}

/* Written beside and renamed: a reader never sees half an object. */
static int write_object(struct cli *cli, const struct emitted *e)
{
	AUTO_FREE char *tmp = NULL;
	FILE *out;
	bool ok;

	if (asprintf(&tmp, "%s.tmp", cli->output) < 0)
		return cli_status(cli, -ENOMEM, "compiling");
	out = fopen(tmp, "we");
	ok = out && fwrite(e->object, 1, e->size, out) == e->size;
	if (out && fclose(out) != 0)
		ok = false;
	if (ok && rename(tmp, cli->output) == 0)
		return EXIT_OK;
	diag_add(&cli->diags, DIAG_ERROR, "output", NULL, "%s: %s", cli->output, strerror(errno));
	unlink(tmp);
	return EXIT_ERROR;
}

int cmd_compile(struct cli *cli, int argc, char **argv)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	CLEANUP(lower_result_fini) struct lower_result lr = {0};
	const struct lower_options opt = {.named_sets = true};
	struct emitted e = {0};
	int status, err;

	if (argc > 1)
		return cli_usage_error("compile: \"%s\" is too much", argv[1]);
	if (!cli->file)
		return cli_usage_error("compile: -f FILE is needed");
	if (!cli->output && !cli->dump)
		return cli_usage_error("compile: -o OBJ is needed");
	status = cli_ruleset(cli, false, &rs);
	if (status != EXIT_OK)
		return status;
	err = lower_ruleset(rs, &opt, &cli->diags, &lr);
	if (err < 0)
		return cli_status(cli, err, "compiling");
	status = cli_report_fallbacks(cli, &lr);
	if (status == EXIT_OK && cli->dump)
		status = cli_dump(cli, rs, &lr);
	if (status == EXIT_OK && cli->output) {
		status = emit(cli, lr.ir, &e);
		if (status == EXIT_OK)
			status = write_object(cli, &e);
		emitted_fini(&e);
	}
	return status;
}
