/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs every case of a strictness program in a process of its own: the shim
 * has to end it with SIGABRT and to say why.
 *
 *	strict_run PROGRAM
 *
 * PROGRAM without arguments lists its cases, one a line: name, tab, a part of
 * the message that is expected ("-" for a case that has to succeed).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"

static char output[1 << 16];

static int run(const char *program, const char *name)
{
	size_t len = 0;
	ssize_t n;
	int fds[2];
	int status;
	pid_t pid;

	if (pipe(fds))
		bail_out("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		bail_out("fork: %s", strerror(errno));
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		setenv("SHIM_NO_SYMBOLS", "1", 1);
		alarm(20);
		execl(program, program, name, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], output + len, sizeof(output) - 1 - len)) > 0)
		len += n;
	output[len] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return status;
}

static void test_case(const char *program, const char *name, const char *want)
{
	int status = run(program, name);
	int good;

	if (!strcmp(want, "-"))
		good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	else
		good = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
		       strstr(output, want);
	if (!tap_ok(good, __FILE__, __LINE__, want, "%s", name))
		diag("status %#x\n%.600s", status, output);
}

int main(int argc, char **argv)
{
	static char list[1 << 14];
	char *line;
	char *want;
	char *save;

	if (argc != 2)
		bail_out("usage: %s PROGRAM", argv[0]);
	plan(0);
	ok(run(argv[1], NULL) == 0, "list of cases");
	memcpy(list, output, sizeof(list) - 1);
	for (line = strtok_r(list, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		want = strchr(line, '\t');
		if (!want)
			bail_out("bad line: %s", line);
		*want++ = '\0';
		test_case(argv[1], line, want);
	}
	return done_testing();
}
