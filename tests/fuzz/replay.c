/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target over its corpus, testdata/fuzz/NAME, or over the files that are named: what
 * make check does, without libFuzzer. The name is out before the target runs: it may not come back.
 */
#include <dirent.h>
#include <errno.h>

#include "tests/fuzz/fuzz.h"

static uint8_t *read_all(const char *path, size_t *ret_size)
{
	uint8_t *data = NULL;
	size_t size = 0, n;
	FILE *f = fopen(path, "r");

	while (f) {
		data = realloc(data, size + 65536);
		if (!data)
			abort();
		n = fread(data + size, 1, 65536, f);
		size += n;
		if (!n)
			break;
	}
	if (!f || ferror(f)) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
	fclose(f);
	*ret_size = size;
	return data;
}

static void replay(const char *path, int n)
{
	AUTO_FREE uint8_t *data = NULL, *copy = NULL;
	const char *name = strrchr(path, '/');
	size_t size;

	data = read_all(path, &size);
	copy = malloc(size ? size : 1); /* of the very size: valgrind sees what is read behind it */
	if (!copy)
		abort();
	memcpy(copy, data, size);
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(copy, size);
	printf("ok %d - %s\n", n, name ? name + 1 : path);
}

static int not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int replay_corpus(void)
{
	const char *top = getenv("top_srcdir");
	AUTO_FREE char *dir = NULL;
	struct dirent **files;
	int n;

	if (asprintf(&dir, "%s/testdata/fuzz/%s", top ? top : ".", fuzz_name) < 0)
		abort();
	n = scandir(dir, &files, not_hidden, alphasort);
	if (n <= 0) {
		printf("Bail out! %s: %s\n", dir, n ? strerror(errno) : "nothing in it");
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		AUTO_FREE char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, files[i]->d_name) < 0)
			abort();
		replay(path, i + 1);
		free(files[i]);
	}
	free(files);
	return n;
}

int main(int argc, char **argv)
{
	int n = argc - 1;

	for (int i = 1; i < argc; i++)
		replay(argv[i], i);
	if (argc == 1)
		n = replay_corpus();
	printf("1..%d\n", n);
	return 0;
}
