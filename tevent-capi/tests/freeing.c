/* Every kind of object is freed, or given to another parent, in every kind of handler. */
#include "say.h"

enum kind { FD, TIMER, IMMEDIATE, SIGNAL, REQUEST, QUEUE, ENTRY, PARENT, KINDS };
static const char *const kinds[] = { "fd", "timer", "immediate", "signal", "request", "queue", "entry", "parent of all" };
enum where { IN_FD, IN_TIMER, IN_IMMEDIATE, IN_SIGNAL, IN_CALLBACK, IN_CLEANUP, IN_TRIGGER, PLACES };
static const char *const places[] = { "fd", "timer", "immediate", "signal", "callback", "cleanup", "trigger" };

static struct tevent_context *ev;
/* The victims, and those whose handlers do it: each kind once. */
static void *victim[KINDS], *actor[KINDS];
static TALLOC_CTX *mem, *elsewhere;
static int fds[2];
static enum kind target;
static bool steals, own, acted;

static void act(void)
{
	void **objects = own ? actor : victim;

	if (acted) {
		return;
	}
	acted = true;
	if (steals) {
		say("  stolen %d", talloc_steal(elsewhere, objects[target]) == objects[target]);
		return;
	}
	/* 0, or -1 for an object that is busy: its memory stays until its handler has returned. */
	say("  freed %d", talloc_free(objects[target]));
	objects[target] = NULL;
}

static void on_fd(struct tevent_context *e, struct tevent_fd *fde, uint16_t flags, void *acts)
{
	char c;
	if (acts != NULL) {
		act();
		/* The memory is still there. */
		tevent_fd_set_tag(fde, 1);
	} else {
		say("  fd runs");
	}
	if (read(fds[0], &c, 1) == 1) {
		say("  read");
	}
}

static void on_timer(struct tevent_context *e, struct tevent_timer *te, struct timeval now, void *acts)
{
	if (acts != NULL) {
		act();
		tevent_timer_set_tag(te, 1);
	} else {
		say("  timer runs");
	}
}

static void on_im(struct tevent_context *e, struct tevent_immediate *im, void *acts)
{
	if (acts != NULL) {
		act();
		tevent_immediate_set_tag(im, 1);
	} else {
		say("  immediate runs");
	}
}

static void on_signal(struct tevent_context *e, struct tevent_signal *se, int signum, int count, void *info, void *acts)
{
	if (acts != NULL) {
		act();
		tevent_signal_set_tag(se, 1);
	} else {
		say("  signal runs");
	}
}

static void on_callback(struct tevent_req *req)
{
	if (tevent_req_callback_data_void(req) != NULL) {
		act();
	} else {
		say("  callback runs");
	}
}

static void on_cleanup(struct tevent_req *req, enum tevent_req_state state)
{
	if (state == TEVENT_REQ_DONE) {
		act();
	}
}

static void on_trigger(struct tevent_req *req, void *acts)
{
	if (acts != NULL) {
		act();
	} else {
		say("  trigger runs");
	}
}

static int gone(void *chunk)
{
	say("  the parent is gone");
	return 0;
}

static void objects(void **o, TALLOC_CTX *parent, void *acts, int signum)
{
	struct { int x; } *state;
	struct tevent_req *req;

	o[PARENT] = parent;
	o[FD] = tevent_add_fd(ev, parent, fds[0], 0, on_fd, acts);
	o[TIMER] = tevent_add_timer(ev, parent, tevent_timeval_set(4000000000U, 0), on_timer, acts);
	o[IMMEDIATE] = tevent_create_immediate(parent);
	o[SIGNAL] = tevent_add_signal(ev, parent, signum, 0, on_signal, acts);
	o[REQUEST] = req = _tevent_req_create(parent, &state, sizeof(*state), "struct state", __location__);
	tevent_req_set_callback(req, on_callback, acts);
	o[QUEUE] = tevent_queue_create(parent, "q");
	o[ENTRY] = tevent_queue_add_entry(o[QUEUE], ev, req, acts == NULL ? on_trigger : NULL, acts);
}

static void one(enum where where, enum kind kind, bool steal, bool self)
{
	int i;

	say("%s %s %s %s's handler", steal ? "steal" : "free", self ? "its own" : "another", kinds[kind], places[where]);
	target = kind;
	steals = steal;
	own = self;
	acted = false;
	ev = tevent_context_init(NULL);
	mem = talloc_named_const(NULL, 1, "mem");
	elsewhere = talloc_named_const(NULL, 1, "elsewhere");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	objects(actor, talloc_named_const(mem, 1, "actors"), &acted, SIGUSR1);
	objects(victim, talloc_named_const(mem, 1, "victims"), NULL, SIGUSR2);
	_talloc_set_destructor(victim[PARENT], gone);

	switch (where) {
	case IN_FD:
		check(write(fds[1], "x", 1) == 1);
		tevent_fd_set_flags(actor[FD], TEVENT_FD_READ);
		break;
	case IN_TIMER:
		tevent_update_timer(actor[TIMER], ZERO);
		break;
	case IN_IMMEDIATE:
		tevent_schedule_immediate((struct tevent_immediate *)actor[IMMEDIATE], ev, on_im, &acted);
		break;
	case IN_SIGNAL:
		raise(SIGUSR1);
		break;
	case IN_CALLBACK:
		tevent_req_done((struct tevent_req *)actor[REQUEST]);
		break;
	case IN_CLEANUP:
		tevent_req_set_cleanup_fn(actor[REQUEST], on_cleanup);
		tevent_req_done((struct tevent_req *)actor[REQUEST]);
		break;
	case IN_TRIGGER:
		tevent_queue_add_entry(actor[QUEUE], ev, actor[REQUEST], on_trigger, &acted);
		TALLOC_FREE(actor[ENTRY]);
		break;
	default:
		break;
	}
	/* Before it the queues' immediates run. */
	for (i = 0; i < 4 && !acted; i++) {
		check(tevent_loop_once(ev) == 0);
	}
	check(acted);

	/* What is left runs. */
	if (victim[PARENT] != NULL) {
		if (victim[FD] != NULL) {
			if (where == IN_FD && (steal || !self)) {
				tevent_fd_set_flags(actor[FD], 0);
			}
			check(write(fds[1], "x", 1) == 1);
			tevent_fd_set_flags(victim[FD], TEVENT_FD_READ);
			tevent_loop_once(ev);
			tevent_fd_set_flags(victim[FD], 0);
		}
		if (victim[TIMER] != NULL) {
			tevent_update_timer(victim[TIMER], ZERO);
		}
		if (victim[IMMEDIATE] != NULL) {
			tevent_schedule_immediate((struct tevent_immediate *)victim[IMMEDIATE], ev, on_im, NULL);
		}
		if (victim[SIGNAL] != NULL) {
			raise(SIGUSR2);
		}
		for (i = 0; i < 3; i++) {
			tevent_add_timer(ev, ev, ZERO, on_timer, NULL);
			tevent_loop_once(ev);
		}
		if (victim[REQUEST] != NULL) {
			tevent_req_done((struct tevent_req *)victim[REQUEST]);
		}
	}
	check(talloc_free(mem) == 0);
	check(talloc_free(elsewhere) == 0);
	check(talloc_free(ev) == 0);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	int where, kind;

	for (where = 0; where < PLACES; where++) {
		for (kind = 0; kind < KINDS; kind++) {
			one(where, kind, false, false);
			one(where, kind, true, false);
		}
	}
	/* Of its own; a request, its queue and its entries cannot be freed in its cleanup, nor a queue in a trigger. */
	one(IN_FD, FD, false, true);
	one(IN_FD, FD, true, true);
	one(IN_FD, PARENT, false, true);
	one(IN_TIMER, TIMER, false, true);
	one(IN_TIMER, TIMER, true, true);
	one(IN_TIMER, PARENT, false, true);
	one(IN_IMMEDIATE, IMMEDIATE, false, true);
	one(IN_IMMEDIATE, IMMEDIATE, true, true);
	one(IN_IMMEDIATE, PARENT, false, true);
	one(IN_SIGNAL, SIGNAL, false, true);
	one(IN_SIGNAL, SIGNAL, true, true);
	one(IN_SIGNAL, PARENT, false, true);
	one(IN_CALLBACK, REQUEST, false, true);
	one(IN_CALLBACK, REQUEST, true, true);
	one(IN_CALLBACK, PARENT, false, true);
	one(IN_TRIGGER, REQUEST, false, true);
	one(IN_TRIGGER, REQUEST, true, true);
	return 0;
}
