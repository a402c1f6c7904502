/* Backends of the user's: one that adds to a ready-made one, and one that does its own waiting. */
#include "say.h"
#include <poll.h>

/* Exported, though not in the public header. */
int tevent_common_fd_destructor(struct tevent_fd *fde);
int tevent_common_check_signal(struct tevent_context *ev);
bool tevent_common_loop_immediate(struct tevent_context *ev);
struct timeval tevent_common_loop_timer_delay(struct tevent_context *ev);
void tevent_common_threaded_activate_immediate(struct tevent_context *ev);
int tevent_common_loop_wait(struct tevent_context *ev, const char *location);
struct tevent_fd *tevent_common_add_fd(struct tevent_context *ev, TALLOC_CTX *mem, int fd, uint16_t flags,
				       tevent_fd_handler_t handler, void *priv, const char *name, const char *location);
void tevent_common_fd_set_close_fn(struct tevent_fd *fde, tevent_fd_close_fn_t fn);
uint16_t tevent_common_fd_get_flags(struct tevent_fd *fde);
void tevent_common_fd_set_flags(struct tevent_fd *fde, uint16_t flags);
struct tevent_timer *tevent_common_add_timer_v2(struct tevent_context *ev, TALLOC_CTX *mem, struct timeval next,
						tevent_timer_handler_t handler, void *priv, const char *name, const char *location);
void tevent_common_schedule_immediate(struct tevent_immediate *im, struct tevent_context *ev, tevent_immediate_handler_t handler,
				      void *priv, const char *name, const char *location);
struct tevent_signal *tevent_common_add_signal(struct tevent_context *ev, TALLOC_CTX *mem, int signum, int sa_flags,
					       tevent_signal_handler_t handler, void *priv, const char *name, const char *location);
int tevent_common_invoke_fd_handler(struct tevent_fd *fde, uint16_t flags, bool *removed);
bool tevent_common_have_events(struct tevent_context *ev);

static void on_im(struct tevent_context *ev, struct tevent_immediate *im, void *priv)
{
	say("immediate");
}

static void on_timer(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *name)
{
	say("timer %s", (char *)name);
}

static void on_fd(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *priv)
{
	say("fd flags %d", flags);
	talloc_free(fde);
}

static void on_signal(struct tevent_context *ev, struct tevent_signal *se, int signum, int count, void *info, void *priv)
{
	say("signal count %d", count);
	talloc_free(se);
}

static const struct tevent_ops *ready_made;

static int counted_loop_once(struct tevent_context *ev, const char *location)
{
	say("a turn");
	return ready_made->loop_once(ev, location);
}

/* The backend of its own: it polls the fds that it was given. */
static struct {
	struct tevent_fd *fde;
	int fd;
} watched[8];
static int watches;

static int own_init(struct tevent_context *ev)
{
	say("init");
	return 0;
}

static int own_fd_destructor(struct tevent_fd *fde)
{
	int i;

	for (i = 0; i < watches; i++) {
		if (watched[i].fde == fde) {
			watched[i] = watched[--watches];
		}
	}
	return tevent_common_fd_destructor(fde);
}

static struct tevent_fd *own_add_fd(struct tevent_context *ev, TALLOC_CTX *mem, int fd, uint16_t flags, tevent_fd_handler_t handler,
				    void *priv, const char *name, const char *location)
{
	struct tevent_fd *fde = tevent_common_add_fd(ev, mem, fd, flags, handler, priv, name, location);

	check(watches < 8);
	watched[watches].fde = fde;
	watched[watches++].fd = fd;
	talloc_set_destructor(fde, own_fd_destructor);
	return fde;
}

static int own_loop_once(struct tevent_context *ev, const char *location)
{
	struct timeval delay;
	struct pollfd polled[8];
	int i;

	if (tevent_common_check_signal(ev)) {
		return 0;
	}
	tevent_common_threaded_activate_immediate(ev);
	if (tevent_common_loop_immediate(ev)) {
		return 0;
	}
	delay = tevent_common_loop_timer_delay(ev);
	if (tevent_timeval_is_zero(&delay)) {
		return 0;
	}
	for (i = 0; i < watches; i++) {
		bool wants = tevent_fd_get_flags(watched[i].fde) & TEVENT_FD_READ;
		polled[i] = (struct pollfd){ .fd = wants ? watched[i].fd : -1, .events = POLLIN };
	}
	if (poll(polled, watches, delay.tv_sec * 1000 + delay.tv_usec / 1000 + 1) <= 0) {
		return 0;
	}
	for (i = 0; i < watches; i++) {
		if (polled[i].revents != 0) {
			bool removed = false;
			return tevent_common_invoke_fd_handler(watched[i].fde, TEVENT_FD_READ, &removed);
		}
	}
	return 0;
}

static struct tevent_ops own = {
	.context_init = own_init,
	.add_fd = own_add_fd,
	.set_fd_close_fn = tevent_common_fd_set_close_fn,
	.get_fd_flags = tevent_common_fd_get_flags,
	.set_fd_flags = tevent_common_fd_set_flags,
	.add_timer = tevent_common_add_timer_v2,
	.schedule_immediate = tevent_common_schedule_immediate,
	.add_signal = tevent_common_add_signal,
	.loop_once = own_loop_once,
	.loop_wait = tevent_common_loop_wait,
};

static void use(struct tevent_context *ev)
{
	struct tevent_immediate *im = tevent_create_immediate(ev);
	struct tevent_fd *fde;
	int fds[2];

	sockets(fds);
	check(write(fds[1], "x", 1) == 1);
	fde = tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ, on_fd, NULL);
	say("flags %d", tevent_fd_get_flags(fde));
	tevent_add_timer(ev, ev, IN(20), on_timer, "late");
	tevent_add_timer(ev, ev, ZERO, on_timer, "zero");
	tevent_schedule_immediate(im, ev, on_im, NULL);
	tevent_add_signal(ev, ev, SIGUSR1, 0, on_signal, NULL);
	raise(SIGUSR1);
	say("have events %d", tevent_common_have_events(ev));
	run(ev);
	say("have events %d", tevent_common_have_events(ev));
	check(talloc_free(ev) == 0);
	close(fds[0]);
	close(fds[1]);
}

static int scheduled;

static void on_im_afar(struct tevent_context *ev, struct tevent_immediate *im, void *priv)
{
	scheduled++;
}

static void *schedule(void *tctx)
{
	struct tevent_immediate *im = tevent_create_immediate(NULL);

	tevent_threaded_schedule_immediate(tctx, im, on_im_afar, NULL);
	return im;
}

/* Another thread, and a signal, wake the poll of such a backend. */
static void be_woken(struct tevent_context *ev)
{
	struct tevent_threaded_context *tctx = tevent_threaded_context_create(ev, ev);
	pthread_t thread;
	void *im;

	check(pthread_create(&thread, NULL, schedule, tctx) == 0);
	while (scheduled == 0) {
		check(tevent_loop_once(ev) == 0);
	}
	pthread_join(thread, &im);
	say("woken %d", scheduled);
	talloc_free(im);
	check(talloc_free(ev) == 0);
}

int main(void)
{
	static struct tevent_ops more;
	const char **list, **at;

	ready_made = tevent_find_ops_byname("standard");
	check(ready_made != NULL && tevent_find_ops_byname("no such") == NULL);
	more = *ready_made;
	more.loop_once = counted_loop_once;
	check(tevent_register_backend("counted", &more));
	check(tevent_register_backend("own", &own));
	list = tevent_backend_list(NULL);
	for (at = list; *at != NULL; at++) {
		say("backend %s", *at);
	}
	talloc_free(list);
	say("== of its own");
	use(tevent_context_init_byname(NULL, "own"));
	say("== by its table");
	use(tevent_context_init_ops(NULL, &own, NULL));
	say("== other threads");
	be_woken(tevent_context_init_ops(NULL, &own, NULL));
	say("== the default");
	tevent_set_default_backend("own");
	use(tevent_context_init(NULL));
	return 0;
}
