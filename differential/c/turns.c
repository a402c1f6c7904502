/* Running the loop. */
#include "world.h"

#include <time.h>

/* An event that goes with its request must not be entered a second time by nesting and then be freed (FD-9). */
static bool owned_one_runs(void)
{
	for (int id = 0; id < IDS; id++) {
		const struct fd_event *e = &w.fds[id];
		const struct immediate *i = &w.immediates[id];

		if ((e->live && e->running > 0 && e->of != NOBODY) || (i->live && i->running > 0 && i->of != NOBODY)) {
			return true;
		}
	}
	return false;
}

static bool can_turn(void)
{
	/* While something is being freed, events that count no more may still be there and run. */
	if (w.freed || w.freeing > 0 || (w.level > 0 && !w.nesting) || w.level >= LEVELS || owned_one_runs() ||
	    signals_run()) {
		skip();
		return false;
	}
	if (siblings_clash()) {
		say("= siblings");
		return false;
	}
	return true;
}

static void begin(void)
{
	w.level++;
	w.indent++;
}

static void end(int result)
{
	w.level--;
	w.indent--;
	say("= %d +%lld", result, since_start(tevent_timeval_current()));
	if (w.level == 0) {
		status();
	}
}

static int number(int result)
{
	return result == 0 ? 0 : -errno;
}

/*
 * With signals there are turns in which the library only takes note of its own wake-up. They do not count: whether and
 * when there is one is its own affair.
 */
int turn(void)
{
	int result;

	for (int tries = 0; tries < 4; tries++) {
		unsigned long handled = w.handled;
		long long now = since_start(tevent_timeval_current());

		if (w.level <= 1) {
			signals_before_turn();
		}
		result = number(tevent_loop_once(w.ev));
		if (w.level <= 1) {
			signals_after_turn();
		}
		if (!w.signals_used || w.freed || handled != w.handled || now != since_start(tevent_timeval_current())) {
			break;
		}
	}
	return result;
}

static void op_turn(const struct word *a)
{
	(void)a;
	if (can_turn()) {
		begin();
		end(turn());
	}
}

struct until {
	struct request *r;
	long left;
};

static bool finished(void *data)
{
	struct until *until = data;

	return until->left-- <= 0 || !until->r->live || !tevent_req_is_in_progress(until->r->req) || siblings_clash();
}

static void op_until(const struct word *a)
{
	struct until until = { .r = &w.requests[a[0].n], .left = a[1].n };

	/* It counts turns, and with signals there are some that do not count. */
	if (w.signals_used) {
		skip();
	} else if (can_turn()) {
		begin();
		end(number(tevent_loop_until(w.ev, finished, &until)));
	}
}

/*
 * Nothing but fds can keep the loop busy for ever, so there must be none; none without flags either, for which 0.14.1
 * waits in tevent_loop_wait, unlike LOOP-3 (see README.md, open disagreements).
 */
static bool can_wait(void)
{
	if (w.freed || w.freeing > 0 || w.level > 0 || fds_live() || signals_live()) {
		skip();
		return false;
	}
	return true;
}

static void op_run_all(const struct word *a)
{
	(void)a;
	if (can_wait()) {
		begin();
		w.waiting = true;
		int result = number(tevent_loop_wait(w.ev));
		w.waiting = false;
		end(result);
	}
}

static void op_poll(const struct word *a)
{
	struct request *r = &w.requests[a->n];
	bool ends = r->live && r->home == TOP && r->kind != WAIT && ((r->timed && !r->posted) || !tevent_req_is_in_progress(r->req));

	if (!ends) {
		skip();
	} else if (can_wait()) {
		begin();
		w.waiting = true;
		int result = tevent_req_poll(r->req, w.ev) ? 0 : -errno;
		w.waiting = false;
		end(result);
	}
}

static void op_sleep(const struct word *a)
{
	struct timespec time = { .tv_sec = a->n / 1000000, .tv_nsec = a->n % 1000000 * 1000 };

	nanosleep(&time, NULL);
}

static void op_allow_nesting(const struct word *a)
{
	(void)a;
	if (w.freed) {
		skip();
		return;
	}
	w.nesting = true;
	tevent_loop_allow_nesting(w.ev);
}

static void op_free_context(const struct word *a)
{
	(void)a;
	/* LOOP-7: inside its own handlers a use after free in C; so is an entry that is freed after its context. */
	if (w.freed || w.level > 0 || w.depth > 0 || queues_hold() || signals_pending()) {
		skip();
		return;
	}
	w.freed = true;
	TALLOC_FREE(w.ev);
	status();
}

const struct verb turn_verbs[] = {
	{ "turn", "", op_turn },
	{ "until", "rN", op_until },
	{ "run_all", "", op_run_all },
	{ "poll", "r", op_poll },
	{ "sleep", "N", op_sleep },
	{ "allow_nesting", "", op_allow_nesting },
	{ "free_context", "", op_free_context },
	{ NULL, NULL, NULL },
};
