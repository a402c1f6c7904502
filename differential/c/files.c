/* Files. */
#include "world.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void made(long a, long b, const int fd[2], bool socket)
{
	w.files[a] = (struct file){ .used = true, .socket = socket, .fd = fd[0] };
	w.files[b] = (struct file){ .used = true, .socket = socket, .fd = fd[1] };
}

static bool can_make(const struct word *a)
{
	return a[0].n != a[1].n && !w.files[a[0].n].used && !w.files[a[1].n].used;
}

static void op_pipe(const struct word *a)
{
	int fd[2];

	if (!can_make(a) || pipe2(fd, O_NONBLOCK | O_CLOEXEC) != 0) {
		skip();
		return;
	}
	made(a[0].n, a[1].n, fd, false);
}

static void op_pair(const struct word *a)
{
	int fd[2];

	if (!can_make(a) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0) {
		skip();
		return;
	}
	made(a[0].n, a[1].n, fd, true);
}

static bool is_open(const struct word *a)
{
	bool open = w.files[a->n].used && w.files[a->n].fd >= 0;

	if (!open) {
		skip();
	}
	return open;
}

static char buffer[65536];

static void op_write(const struct word *a)
{
	if (is_open(a)) {
		ssize_t n = write(w.files[a[0].n].fd, buffer, a[1].n);

		say("= %d", n < 0 ? -errno : (int)n);
	}
}

static void op_read(const struct word *a)
{
	if (is_open(a)) {
		ssize_t n = read(w.files[a[0].n].fd, buffer, a[1].n);

		say("= %d", n < 0 ? -errno : (int)n);
	}
}

static void op_fill(const struct word *a)
{
	long total = 0;
	ssize_t n = 1;

	if (!is_open(a)) {
		return;
	}
	while (n > 0) {
		n = write(w.files[a->n].fd, buffer, 4096);
		total += n > 0 ? n : 0;
	}
	say("= %ld", total);
}

static void op_drain(const struct word *a)
{
	long total = 0;
	ssize_t n = 1;

	if (!is_open(a)) {
		return;
	}
	while (n > 0) {
		n = read(w.files[a->n].fd, buffer, 4096);
		total += n > 0 ? n : 0;
	}
	say("= %ld", total);
}

static void op_shutdown(const struct word *a)
{
	if (!is_open(a)) {
		return;
	}
	if (!w.files[a->n].socket) {
		skip();
		return;
	}
	say("= %d", shutdown(w.files[a->n].fd, SHUT_WR) == 0 ? 0 : -errno);
}

static void op_close(const struct word *a)
{
	if (!is_open(a)) {
		return;
	}
	if (events_on(a->n, false) > 0 || w.files[a->n].shared) {
		skip();
		return;
	}
	close(w.files[a->n].fd);
	w.files[a->n].fd = -1;
}

void close_files(void)
{
	for (int id = 0; id < IDS; id++) {
		if (w.files[id].used && w.files[id].fd >= 0) {
			close(w.files[id].fd);
		}
	}
}

const struct verb file_verbs[] = {
	{ "pipe", "ff", op_pipe },        { "pair", "ff", op_pair },   { "write", "fN", op_write },
	{ "read", "fN", op_read },        { "fill", "f", op_fill },    { "drain", "f", op_drain },
	{ "shutdown", "f", op_shutdown }, { "close", "f", op_close },  { NULL, NULL, NULL },
};
