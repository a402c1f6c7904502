/* Fd events. */
#include "world.h"

#include <poll.h>

int events_on(long file, bool armed)
{
	int count = 0;

	for (int id = 0; id < IDS; id++) {
		const struct fd_event *e = &w.fds[id];

		if (e->live && e->file == file && (!armed || tevent_fd_get_flags(e->fde) != 0)) {
			count++;
		}
	}
	return count;
}

static void fd_handler(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct fd_event *e = data;

	(void)ev;
	(void)fde;
	lists_are_empty();
	for (int id = 0; id < IDS; id++) {
		w.files[id].lapsed = false;
	}
	e->entered_again = e->running > 0;
	e->running++;
	enter("fd e%d %s", e->id, flags_text(flags));
	run_script(e->script);
	leave();
	e->running--;
}

/*
 * 0.14.1 serves no third event on a number by epoll (FD-4), and lets siblings share the memory of an error (FD-6, MUST
 * DIFFER).
 */
static bool has_room(long file)
{
	struct pollfd ready = { .fd = w.files[file].fd };
	int count = events_on(file, false);

	return count == 0 || (count < 2 && poll(&ready, 1, 0) == 0);
}

/*
 * Where a shared file was let go since the last wait, the Rust library has not told the kernel yet, so that its place
 * among the ready ones is another (docs/differences.md).
 */
static bool may_ask(long file, long flags)
{
	return flags == 0 || !w.files[file].lapsed;
}

static void add_fd(const struct word *a, bool closes, bool shares)
{
	struct file *file = &w.files[a[1].n];
	int of = closes ? NOBODY : a[4].n;

	/* While something is being freed, events that count no more may still be there. */
	if (w.freed || w.waiting || w.freeing > 0 || !file->used || file->fd < 0 || !can_own(of) ||
	    !has_room(a[1].n) || !may_ask(a[1].n, a[2].n)) {
		skip();
		return;
	}
	if ((closes && (file->shared || events_on(a[1].n, false) > 0)) || !CLAIM(fds, a[0].n)) {
		skip();
		return;
	}
	struct fd_event *e = &w.fds[a[0].n];

	file->shared = file->shared || shares;
	e->live = true;
	e->closes = closes;
	e->shares = shares;
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
	if (w.waiting || (!w.freed && !may_ask(e->file, a[1].n))) {
		skip();
		return;
	}
	unsigned before = tevent_fd_get_flags(e->fde);

	tevent_fd_set_flags(e->fde, a[1].n);
	if ((before & ~a[1].n) != 0 && e->shares) {
		w.files[e->file].lapsed = true;
	}
}

void fd_dies(struct fd_event *e)
{
	e->live = false;
	if (e->shares) {
		w.files[e->file].lapsed = true;
	}
}

static void op_free_fd(const struct word *a)
{
	struct fd_event *e = live_fd(a);

	if (e == NULL) {
		return;
	}
	/* FD-9: C cannot free an event whose handler was entered a second time by nesting. */
	if (e->running > 0 && e->entered_again) {
		skip();
		return;
	}
	fd_dies(e);
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

		if (!w.files[file].used || ready.fd < 0 || events_on(file, false) < 2 ||
		    events_on(file, true) == 0 || poll(&ready, 1, 0) <= 0) {
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

bool fds_live(void)
{
	for (int id = 0; id < IDS; id++) {
		if (w.fds[id].live) {
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

const struct verb fd_verbs[] = {
	{ "fd", "efFhr", op_fd },         { "share_fd", "efFhr", op_share_fd }, { "own_fd", "efFh", op_own_fd },
	{ "close_fn", "e", op_close_fn }, { "flags", "e", op_flags },           { "set", "eF", op_set },
	{ "free_fd", "e", op_free_fd },   { NULL, NULL, NULL },
};
