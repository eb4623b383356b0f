/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the user reads: diagnostics, and a sign of life when something takes long.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../compiler/lower.h"
#include "cli.h"

void cli_report(struct cli *cli)
{
	struct diag *d;

	list_for_each (d, &cli->diags.list, node) {
		AUTO_FREE char *text = NULL;

		/* Blockers are told chain by chain by whoever knows the outcome. */
		if (d->level == DIAG_BLOCKER || (d->level == DIAG_NOTE && !cli->verbose))
			continue;
		text = diag_format(d);
		fprintf(stderr, "nft-bpf: %s%s\n", d->level == DIAG_WARNING ? "warning: " : "",
			text ? text : d->text);
	}
	diags_fini(&cli->diags);
	diags_init(&cli->diags);
}

int cli_status(struct cli *cli, int err, const char *what)
{
	if (err < 0 && !cli->diags.count[DIAG_ERROR])
		diag_add(&cli->diags, DIAG_ERROR, "failed", NULL, "%s failed: %s", what,
			 strerror(-err));
	return err < 0 ? EXIT_ERROR : EXIT_OK;
}

int cli_nft_status(struct cli *cli, int err, const char *what)
{
	return err == -EINVAL ? EXIT_ERROR : cli_status(cli, err, what);
}

/* "inet filter input: stays with the interpreter: rule 4 …: why [code] (and 2 more)" */
static void print_fallback(const struct lower_chain *lc)
{
	const struct lower_blocker *b = lc->n_blockers ? lc->blockers[0] : NULL;

	fprintf(stderr, "nft-bpf: %s %s %s: stays with the interpreter",
		family_name(lc->base->table->family), lc->base->table->name, lc->base->name);
	if (b && b->at.rule)
		fprintf(stderr, ": %s%srule %u", b->at.chain ? b->at.chain : "",
			b->at.chain ? " " : "", b->at.rule);
	if (b)
		fprintf(stderr, ": %s [%s]", b->why, b->code);
	if (lc->n_blockers > 1)
		fprintf(stderr, " (and %u more: nft-bpf explain)", lc->n_blockers - 1);
	if (lc->front.n_drops)
		fprintf(stderr, "; what %u of its rule%s drop%s is dropped in front of it",
			lc->front.n_drops, lc->front.n_drops == 1 ? "" : "s",
			lc->front.n_drops == 1 ? "s" : "");
	fputc('\n', stderr);
}

int cli_report_fallbacks(struct cli *cli, const struct lower_result *lr)
{
	int status = EXIT_OK;

	for (uint32_t i = 0; i < lr->n_chains; i++) {
		const struct lower_chain *lc = &lr->chains[i];

		if (lc->compiled)
			continue;
		print_fallback(lc);
		if (cli->require_bpf)
			status = EXIT_ERROR;
	}
	return status;
}

struct progress {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	const char *what;
	bool done, shown;
};

static void *progress_run(void *arg)
{
	struct progress *p = arg;
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	pthread_mutex_lock(&p->lock);
	for (unsigned int seconds = 1; !p->done; seconds++) {
		at.tv_sec++;
		while (!p->done && pthread_cond_timedwait(&p->wake, &p->lock, &at) != ETIMEDOUT)
			;
		if (p->done)
			break;
		fprintf(stderr, "\rnft-bpf: %s… %u s", p->what, seconds);
		fflush(stderr);
		p->shown = true;
	}
	if (p->shown)
		fputs("\r\033[K", stderr);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct progress *progress_start(const char *what)
{
	struct progress *p;

	if (!isatty(STDERR_FILENO))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->what = what;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	if (pthread_create(&p->thread, NULL, progress_run, p) != 0) {
		free(p);
		return NULL;
	}
	return p;
}

void progress_end(struct progress *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->done = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	free(p);
}
