/* Files and the events that watch them. */
#include "world.h"

#include <fcntl.h>
#include <poll.h>
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

static int events_on(long file, bool armed, const struct fd_event *but)
{
	int count = 0;

	for (int id = 0; id < IDS; id++) {
		const struct fd_event *e = &w.fds[id];

		if (e->live && e->file == file && e != but && (!armed || tevent_fd_get_flags(e->fde) != 0)) {
			count++;
		}
	}
	return count;
}

static void op_close(const struct word *a)
{
	if (!is_open(a)) {
		return;
	}
	if (events_on(a->n, false, NULL) > 0 || w.files[a->n].shared) {
		skip();
		return;
	}
	close(w.files[a->n].fd);
	w.files[a->n].fd = -1;
}

static void fd_handler(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct fd_event *e = data;

	(void)ev;
	(void)fde;
	lists_are_empty();
	e->running++;
	enter("fd e%d %s", e->id, flags_text(flags));
	run_script(e->script);
	leave();
	e->running--;
}

static bool more_armed_than_c_can(long file, long flags, const struct fd_event *but)
{
	return flags != 0 && events_on(file, true, but) >= 2;
}

static void add_fd(const struct word *a, bool closes, bool shares)
{
	struct file *file = &w.files[a[1].n];
	int of = closes ? NOBODY : a[4].n;

	if (w.freed || w.waiting || !file->used || file->fd < 0 || !can_own(of) ||
	    more_armed_than_c_can(a[1].n, a[2].n, NULL)) {
		skip();
		return;
	}
	if ((closes && (file->shared || events_on(a[1].n, false, NULL) > 0)) || !CLAIM(fds, a[0].n)) {
		skip();
		return;
	}
	struct fd_event *e = &w.fds[a[0].n];

	file->shared = file->shared || shares;
	e->live = true;
	e->closes = closes;
	e->id = a[0].n;
	e->file = a[1].n;
	e->script = a[3].n;
	e->of = of;
	e->fde = tevent_add_fd(w.ev, home_of(of), file->fd, a[2].n, fd_handler, e);
	if (closes) {
		tevent_fd_set_auto_close(e->fde);
		/* Nobody else uses it any more. */
		file->fd = -1;
	}
}

static void op_fd(const struct word *a)
{
	add_fd(a, false, false);
}

static void op_share_fd(const struct word *a)
{
	add_fd(a, false, true);
}

static void op_own_fd(const struct word *a)
{
	add_fd(a, true, false);
}

static struct fd_event *live_fd(const struct word *a)
{
	struct fd_event *e = &w.fds[a->n];

	if (!e->live) {
		skip();
		return NULL;
	}
	return e;
}

static void close_fn(struct tevent_context *ev, struct tevent_fd *fde, int fd, void *data)
{
	struct fd_event *e = data;

	(void)ev;
	(void)fde;
	(void)fd;
	say("close e%d", e->id);
}

static void op_close_fn(const struct word *a)
{
	struct fd_event *e = live_fd(a);

	if (e == NULL) {
		return;
	}
	if (w.freed || e->closes) {
		skip();
		return;
	}
	tevent_fd_set_close_fn(e->fde, close_fn);
}

static void op_flags(const struct word *a)
{
	struct fd_event *e = live_fd(a);

	if (e != NULL) {
		say("= %s", flags_text(tevent_fd_get_flags(e->fde)));
	}
}

static void op_set(const struct word *a)
{
	struct fd_event *e = live_fd(a);

	if (e == NULL) {
		return;
	}
	if (w.waiting || (!w.freed && more_armed_than_c_can(e->file, a[1].n, e))) {
		skip();
		return;
	}
	tevent_fd_set_flags(e->fde, a[1].n);
}

static void op_free_fd(const struct word *a)
{
	struct fd_event *e = live_fd(a);

	if (e == NULL) {
		return;
	}
	/* FD-9: C cannot free an event whose handler was entered a second time by nesting. */
	if (e->running >= 2) {
		skip();
		return;
	}
	e->live = false;
	talloc_free(e->fde);
}

/*
 * Whether the turn would have to choose between several events on one number: 0.14.1 does not rotate there, and lets
 * them share the memory of an error (FD-4, FD-6).
 */
bool siblings_clash(void)
{
	for (int file = 0; file < IDS; file++) {
		struct pollfd ready = { .fd = w.files[file].fd, .events = POLLIN | POLLOUT };
		unsigned flags = 0;
		int told = 0;

		if (!w.files[file].used || ready.fd < 0 || events_on(file, false, NULL) < 2 ||
		    events_on(file, true, NULL) == 0 || poll(&ready, 1, 0) <= 0) {
			continue;
		}
		if ((ready.revents & (POLLHUP | POLLERR)) != 0) {
			return true;
		}
		flags = ((ready.revents & POLLIN) != 0 ? TEVENT_FD_READ : 0) |
			((ready.revents & POLLOUT) != 0 ? TEVENT_FD_WRITE : 0);
		for (int id = 0; id < IDS; id++) {
			struct fd_event *e = &w.fds[id];

			told += e->live && e->file == file && (tevent_fd_get_flags(e->fde) & flags) != 0;
		}
		if (told >= 2) {
			return true;
		}
	}
	return false;
}

bool fds_armed(void)
{
	for (int id = 0; id < IDS; id++) {
		if (w.fds[id].live && tevent_fd_get_flags(w.fds[id].fde) != 0) {
			return true;
		}
	}
	return false;
}

void free_fds(void)
{
	for (int id = 0; id < IDS; id++) {
		if (w.fds[id].live) {
			w.fds[id].live = false;
			talloc_free(w.fds[id].fde);
		}
	}
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
	{ "pipe", "ff", op_pipe },         { "pair", "ff", op_pair },
	{ "write", "fN", op_write },       { "read", "fN", op_read },
	{ "fill", "f", op_fill },          { "drain", "f", op_drain },
	{ "shutdown", "f", op_shutdown },  { "close", "f", op_close },
	{ "fd", "efFhr", op_fd },          { "share_fd", "efFhr", op_share_fd },
	{ "own_fd", "efFh", op_own_fd },   { "close_fn", "e", op_close_fn },
	{ "flags", "e", op_flags },        { "set", "eF", op_set },
	{ "free_fd", "e", op_free_fd },    { NULL, NULL, NULL },
};
