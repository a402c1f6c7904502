/* Random operations on every kind of object, outside and inside of every kind of handler: a scenario for each seed. Without arguments a
 * few hundred of them; `random FROM TO` draws others. What the two libraries do differently on purpose (docs/c-abi.md) is not drawn. */
#include "places.h"

static void operations(void);
static void ran(struct place *p, const char *what)
{
	say("%*s%s %d %s", depth * 2, "", kinds[p->kind], p->number, what);
	depth++;
	operations();
	depth--;
}

static void on_fd(struct tevent_context *e, struct tevent_fd *fde, uint16_t flags, void *place)
{
	struct place *p = place;
	char c;

	say("%*sflags %d", depth * 2, "", flags);
	if (flags & TEVENT_FD_READ) {
		while (read(near[p->number], &c, 1) == 1) {
		}
	}
	if (flags & TEVENT_FD_WRITE) {
		tevent_fd_set_flags(fde, tevent_fd_get_flags(fde) & ~TEVENT_FD_WRITE);
	}
	ran(p, "runs");
}

static void on_beat(struct tevent_context *e, struct tevent_fd *fde, uint16_t flags, void *private)
{
	say("%*sa beat", depth * 2, "");
}

static void on_timer(struct tevent_context *e, struct tevent_timer *te, struct timeval now, void *place)
{
	struct place *p = place;

	p->runs = true;
	ran(p, "runs");
}

static void on_immediate(struct tevent_context *e, struct tevent_immediate *im, void *place)
{
	ran(place, "runs");
}

static void on_signal(struct tevent_context *e, struct tevent_signal *se, int signum, int count, void *info, void *place)
{
	raised = 0;
	in_signal++;
	say("%*s%d times", depth * 2, "", count);
	ran(place, "runs");
	in_signal--;
}

static void free_it(struct place *p)
{
	/* What has arrived for the last of them goes with it here, and stays in the C library, which loses its place among a signal's
	 * events when the next one goes. */
	if (p->kind == SIGNAL && (raised || in_signal)) {
		return;
	}
	say("%*sfree %s %d", depth * 2, "", kinds[p->kind], p->number);
	die(p->object);
	if (talloc_free(p->object) != 0) {
		say("%*sit is busy", depth * 2, "");
	}
}

static void on_callback(struct tevent_req *req)
{
	struct place *p = tevent_req_callback_data_void(req);
	unsigned life = p->life;
	enum tevent_req_state state;
	uint64_t error;

	say("%*serror %d", depth * 2, "", tevent_req_is_error(req, &state, &error));
	ran(p, "calls back");
	if (lives(p, life) && draw(2)) {
		free_it(p);
	}
}

static void on_cleanup(struct tevent_req *req, enum tevent_req_state state)
{
	say("%*scleanup in state %d", depth * 2, "", state);
}

static bool on_cancel(struct tevent_req *req)
{
	bool ends = draw(2);

	say("%*scancelled", depth * 2, "");
	if (ends && tevent_req_is_in_progress(req)) {
		tevent_req_error(req, ECANCELED);
	}
	return ends;
}

static void on_trigger(struct tevent_req *req, void *place)
{
	struct place *p = place, *entry = &places[ENTRY][p->number];
	unsigned life = p->life;

	if (entry->object != NULL && entry->queue != NULL) {
		entry->triggered = true;
	}
	ran(p, "is triggered");
	if (lives(p, life) && tevent_req_is_in_progress(req) && draw(2)) {
		say("%*sdone", depth * 2, "");
		tevent_req_done(req);
	}
}

static void make(void)
{
	enum kind kind = draw(KINDS);
	struct place *p = vacant(kind), *other;
	struct { int number; } *state;
	struct timeval time;

	if (p == NULL) {
		return;
	}
	if (kind != ENTRY) {
		say("%*smake %s %d", depth * 2, "", kinds[kind], p->number);
	}
	switch (kind) {
	case FD:
		fill(p, tevent_add_fd(ev, parent(kind), near[p->number], draw(4), on_fd, p));
		break;
	case TIMER:
		time = long_ago(0);
		fill(p, tevent_add_timer(ev, parent(kind), time, on_timer, p));
		break;
	case IMMEDIATE:
		fill(p, tevent_create_immediate(parent(kind)));
		break;
	case SIGNAL:
		fill(p, tevent_add_signal(ev, parent(kind), SIGUSR1, 0, on_signal, p));
		break;
	case REQUEST:
		fill(p, _tevent_req_create(parent(kind), &state, sizeof(*state), "struct state", __location__));
		p->state = state;
		if (draw(2)) {
			tevent_req_set_cleanup_fn(p->object, on_cleanup);
		}
		if (draw(2)) {
			tevent_req_set_cancel_fn(p->object, on_cancel);
		}
		/* It may have finished before anybody waits for it. */
		if (draw(4) == 0) {
			tevent_req_done(p->object);
			tevent_req_post(p->object, ev);
		}
		tevent_req_set_callback(p->object, on_callback, p);
		if (draw(4) == 0) {
			tevent_req_defer_callback(p->object, ev);
		}
		if (draw(4) == 0 && tevent_req_is_in_progress(p->object)) {
			say("%*send time %d", depth * 2, "", tevent_req_set_endtime(p->object, ev, long_ago(0)));
		}
		break;
	case QUEUE:
		fill(p, tevent_queue_create(parent(kind), "queue"));
		break;
	default: /* a request joins a queue, and has the entry of its own number */
		other = &places[REQUEST][p->number];
		struct place *queue = living(QUEUE);
		if (other->object == NULL || other->dying || other->queued || queue == NULL) {
			return;
		}
		other->queued = true;
		say("%*srequest %d joins queue %d", depth * 2, "", p->number, queue->number);
		if (draw(3) == 0) {
			say("%*s%d", depth * 2, "", tevent_queue_add(queue->object, ev, other->object, on_trigger, other));
			return;
		}
		void *entry = draw(2) ? tevent_queue_add_entry(queue->object, ev, other->object, on_trigger, other)
				      : tevent_queue_add_optimize_empty(queue->object, ev, other->object, on_trigger, other);
		/* It may have been triggered, and more, before this. */
		if (entry == NULL || other->object == NULL || other->dying) {
			say("%*sno entry", depth * 2, "");
			return;
		}
		fill(p, entry);
		p->queue = queue;
		break;
	}
}

static void use(void)
{
	struct place *p = living(draw(KINDS));

	if (p == NULL) {
		return;
	}
	say("%*suse %s %d", depth * 2, "", kinds[p->kind], p->number);
	switch (p->kind) {
	case FD:
		if (draw(2)) {
			tevent_fd_set_flags(p->object, draw(4));
		} else {
			check(write(far[p->number], "x", 1) == 1);
		}
		break;
	case TIMER:
		if (!p->runs) {
			/* One that is moved to zero stands differently on purpose (TIMER-4). */
			tevent_update_timer(p->object, long_ago(1));
		}
		break;
	case IMMEDIATE:
		tevent_schedule_immediate(p->object, ev, draw(4) ? on_immediate : NULL, p);
		break;
	case SIGNAL:
		if (!in_signal) {
			raised = 1;
			raise(SIGUSR1);
		}
		break;
	case REQUEST:
		if (!tevent_req_is_in_progress(p->object)) {
			if (draw(2) && p->state != NULL) {
				die(p->state);
				p->state = NULL;
				tevent_req_received(p->object);
			}
			return;
		}
		switch (draw(4)) {
		case 0:
			tevent_req_done(p->object);
			break;
		case 1:
			tevent_req_error(p->object, EIO);
			break;
		case 2:
			say("%*scancel %d", depth * 2, "", tevent_req_cancel(p->object));
			break;
		default:
			tevent_req_defer_callback(p->object, ev);
			break;
		}
		break;
	case QUEUE:
		if (draw(2)) {
			tevent_queue_stop(p->object);
		} else {
			tevent_queue_start(p->object);
		}
		say("%*s%zu in it, %d", depth * 2, "", tevent_queue_length(p->object), tevent_queue_running(p->object));
		break;
	case ENTRY: /* only the triggered head of a stopped queue may be so again */
		if (p->triggered && p->queue->object != NULL && !tevent_queue_running(p->queue->object)) {
			say("%*suntriggered", depth * 2, "");
			p->triggered = false;
			tevent_queue_entry_untrigger(p->object);
		}
		break;
	default:
		break;
	}
}

/* With all that hangs on it, what is busy too. */
static void free_a_parent(void)
{
	unsigned n = draw(PARENTS);

	/* The C library loses its place among a signal's events when the next one goes. */
	if (draw(4) || raised || in_signal) {
		return;
	}
	say("%*sfree parent %u", depth * 2, "", n);
	die(parents[n]);
	say("%*sended %d", depth * 2, "", talloc_free(parents[n]));
	parents[n] = talloc_named_const(NULL, 1, "parent");
}

static void operation(void)
{
	struct place *p;
	void *to;

	switch (draw(9)) {
	case 0: case 1: case 2:
		make();
		break;
	case 3: case 4: case 5:
		use();
		break;
	case 6:
		p = living(draw(KINDS));
		if (p != NULL && draw(3)) {
			free_it(p);
		} else if (p != NULL) {
			say("%*ssteal %s %d", depth * 2, "", kinds[p->kind], p->number);
			to = p->kind == ENTRY ? talloc_parent(p->object) : parent(p->kind);
			if (to != p->object && !talloc_is_parent(to, p->object)) {
				talloc_steal(to, p->object);
			}
		}
		break;
	case 7:
		free_a_parent();
		break;
	default:
		/* The C library does not stand a turn inside of a signal's handler. */
		if (draw(6) == 0 && depth > 0 && depth < DEEP && !in_signal) {
			say("%*sa turn", depth * 2, "");
			say("%*sended %d", depth * 2, "", tevent_loop_once(ev));
		}
		break;
	}
}

static void operations(void)
{
	for (unsigned n = draw(depth == 0 ? 8 : 4); n > 0 && left > 0; n--, left--) {
		operation();
	}
}

static void scenario(unsigned number)
{
	int i, kind;
	size_t waiting = 0;

	say("scenario %u", number);
	seed = number * 2654435761ULL + 1;
	left = OPERATIONS;
	depth = raised = 0;
	for (kind = 0; kind < KINDS; kind++) {
		for (i = 0; i < SOME; i++) {
			places[kind][i] = (struct place){ .kind = kind, .number = i };
		}
	}
	ev = tevent_context_init(NULL);
	tevent_loop_allow_nesting(ev);
	for (i = 0; i < PARENTS; i++) {
		parents[i] = talloc_named_const(NULL, 1, "parent");
	}
	for (i = 0; i < FDS; i++) {
		int fds[2];
		sockets(fds);
		near[i] = fds[0];
		far[i] = fds[1];
	}
	/* What is always ready, so that no turn sleeps. */
	sockets(beat);
	check(write(beat[1], "x", 1) == 1);
	check(tevent_add_fd(ev, ev, beat[0], TEVENT_FD_READ, on_beat, NULL) != NULL);
	for (i = 0; i < TURNS; i++) {
		operations();
		say("turn %d", tevent_loop_once(ev));
	}
	/* The rest goes, in any order. */
	if (raised) {
		say("turn %d", tevent_loop_once(ev));
	}
	/* An entry of a queue must not outlive its context. */
	for (i = 0; i < QUEUES; i++) {
		waiting += places[QUEUE][i].object != NULL ? tevent_queue_length(places[QUEUE][i].object) : 0;
	}
	if (draw(2) && waiting == 0) {
		talloc_free(ev);
		ev = NULL;
	}
	for (i = 0; i < PARENTS; i++) {
		talloc_free(parents[i]);
	}
	talloc_free(ev);
	for (i = 0; i < FDS; i++) {
		close(near[i]);
		close(far[i]);
	}
	close(beat[0]);
	close(beat[1]);
}

int main(int argc, char **argv)
{
	unsigned from = argc > 2 ? atoi(argv[1]) : 0, to = argc > 2 ? atoi(argv[2]) : 300;

	signal(SIGUSR1, SIG_IGN);
	for (unsigned number = from; number < to; number++) {
		scenario(number);
	}
	return 0;
}
