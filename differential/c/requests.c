/* Requests: making, keeping and freeing them, and their functions. */
#include "world.h"

enum tevent_req_state state_of(const struct request *r)
{
	enum tevent_req_state state = TEVENT_REQ_DONE;
	uint64_t code = 0;

	tevent_req_is_error(r->req, &state, &code);
	return state;
}

/* Whether events and sub-requests can be given to the request's state. */
bool can_own(int of)
{
	const struct request *r = &w.requests[of == NOBODY ? 0 : of];

	if (of == NOBODY) {
		return !w.freed;
	}
	return !w.freed && r->live && r->kind == PLAIN && state_of(r) != TEVENT_REQ_RECEIVED;
}

void *home_of(int of)
{
	return of == NOBODY ? w.mem : tevent_req_data(w.requests[of].req, struct state);
}

static void request_dies(struct request *r)
{
	r->live = false;
	children_of_state_die(r->id);
	for (int id = 0; id < IDS; id++) {
		struct request *child = &w.requests[id];

		if (child->live && child->home == KEPT && child->parent == r->id) {
			request_dies(child);
		}
	}
	entries_die(r->id);
}

/* What a handler must not touch any more, from the moment at which freeing begins. */
void children_of_state_die(int of)
{
	for (int id = 0; id < IDS; id++) {
		struct request *child = &w.requests[id];

		if (w.fds[id].live && w.fds[id].of == of) {
			w.fds[id].live = false;
		}
		if (w.timers[id].live && w.timers[id].of == of) {
			w.timers[id].live = false;
		}
		if (w.immediates[id].live && w.immediates[id].of == of) {
			w.immediates[id].live = false;
		}
		if (child->live && child->home == SUBREQ && child->parent == of) {
			request_dies(child);
		}
	}
}

/* Whether it, or one that goes with it, stands in its own cleanup or cancel function: then C cannot free it. */
static bool is_pinned(const struct request *r)
{
	if (r->pinned > 0) {
		return true;
	}
	for (int id = 0; id < IDS; id++) {
		const struct request *child = &w.requests[id];

		if (child->live && child->home != TOP && child->parent == r->id && is_pinned(child)) {
			return true;
		}
	}
	return false;
}

static void free_request(struct request *r)
{
	request_dies(r);
	w.freeing++;
	talloc_free(r->req);
	w.freeing--;
}

static void callback(struct tevent_req *req)
{
	struct request *r = tevent_req_callback_data_void(req);
	bool by_value = r->by_value;

	if (by_value) {
		talloc_steal(w.mem, req);
		tevent_req_set_callback(req, NULL, NULL);
		r->by_value = false;
		r->callback_set = false;
		r->home = TOP;
		r->parent = NOBODY;
	}
	enter("callback r%d", r->id);
	run_script(r->callback);
	leave();
	if (by_value && r->live && r->home == TOP && !is_pinned(r)) {
		free_request(r);
	}
}

static struct request *plain_of(struct tevent_req *req)
{
	struct state *state = tevent_req_data(req, struct state);

	return &w.requests[state->id];
}

static void cleanup(struct tevent_req *req, enum tevent_req_state state)
{
	struct request *r = plain_of(req);

	r->pinned++;
	enter("cleanup r%d %d", r->id, state);
	run_script(r->cleanup);
	leave();
	r->pinned--;
}

static bool cancel(struct tevent_req *req)
{
	struct request *r = plain_of(req);

	r->pinned++;
	enter("cancel r%d", r->id);
	run_script(r->cancel);
	leave();
	r->pinned--;
	return r->cancels;
}

static void set_callback(struct request *r, int script)
{
	r->callback = script;
	r->callback_set = true;
	tevent_req_set_callback(r->req, callback, r);
}

static struct request *made(long id, enum kind kind, struct tevent_req *req)
{
	struct request *r = &w.requests[id];

	r->live = true;
	r->id = id;
	r->kind = kind;
	r->req = req;
	r->parent = NOBODY;
	return r;
}

static struct request *create(long id, void *home)
{
	struct state *state = NULL;
	struct tevent_req *req = tevent_req_create(home, &state, struct state);

	state->id = id;
	return made(id, PLAIN, req);
}

static void op_req(const struct word *a)
{
	if (!CLAIM(requests, a[0].n)) {
		skip();
		return;
	}
	struct request *r = create(a[0].n, w.mem);

	if (a[1].n != NOBODY) {
		set_callback(r, a[1].n);
	}
}

static void op_sub(const struct word *a)
{
	if (a[1].n == NOBODY || !can_own(a[1].n) || !CLAIM(requests, a[0].n)) {
		skip();
		return;
	}
	struct request *r = create(a[0].n, home_of(a[1].n));

	r->home = SUBREQ;
	r->parent = a[1].n;
	r->by_value = true;
	set_callback(r, a[2].n);
}

static void op_wakeup(const struct word *a)
{
	if (!CLAIM(requests, a[0].n)) {
		skip();
		return;
	}
	struct request *r = made(a[0].n, WAKEUP, tevent_wakeup_send(w.mem, w.ev, moment(&a[1])));

	r->timed = true;
	set_callback(r, a[2].n);
}

static void op_wait(const struct word *a)
{
	struct queue *q = &w.queues[a[1].n];

	if (!q->live || !CLAIM(requests, a[0].n)) {
		skip();
		return;
	}
	q->has_wait = true;
	q->maybe_scheduled = true;
	set_callback(made(a[0].n, WAIT, tevent_queue_wait_send(w.mem, w.ev, q->queue)), a[2].n);
}

static bool is_within(const struct request *inner, const struct request *outer)
{
	while (inner != outer && inner->parent != NOBODY) {
		inner = &w.requests[inner->parent];
	}
	return inner == outer;
}

static void op_keep(const struct word *a)
{
	struct request *r = &w.requests[a[0].n], *parent = &w.requests[a[1].n];

	if (w.freed || w.waiting || !r->live || r->home != TOP || !parent->live || parent->kind != PLAIN ||
	    is_within(parent, r)) {
		skip();
		return;
	}
	r->home = KEPT;
	r->parent = parent->id;
	talloc_steal(parent->req, r->req);
}

static void op_take(const struct word *a)
{
	struct request *r = &w.requests[a->n];

	if (w.waiting || !r->live || r->home != KEPT) {
		skip();
		return;
	}
	r->home = TOP;
	r->parent = NOBODY;
	talloc_steal(w.mem, r->req);
}

static struct request *plain(const struct word *a)
{
	struct request *r = &w.requests[a->n];

	if (w.freed || !r->live || r->kind != PLAIN || state_of(r) == TEVENT_REQ_RECEIVED) {
		skip();
		return NULL;
	}
	return r;
}

static void op_cleanup_fn(const struct word *a)
{
	struct request *r = plain(a);

	if (r != NULL) {
		r->cleanup = a[1].n;
		tevent_req_set_cleanup_fn(r->req, cleanup);
	}
}

static void op_cancel_fn(const struct word *a)
{
	struct request *r = plain(a);

	if (r != NULL) {
		r->cancels = a[1].n;
		r->cancel = a[2].n;
		tevent_req_set_cancel_fn(r->req, cancel);
	}
}

static void op_callback(const struct word *a)
{
	struct request *r = plain(a);

	if (r != NULL) {
		r->by_value = false;
		set_callback(r, a[1].n);
	}
}

static void op_free_req(const struct word *a)
{
	struct request *r = &w.requests[a->n];

	if (w.waiting || !r->live || is_pinned(r)) {
		skip();
		return;
	}
	free_request(r);
}

static void op_received(const struct word *a)
{
	struct request *r = &w.requests[a->n];

	/* The trigger of a wait request that is in progress would finish it once more: undefined in C. */
	if (w.freed || w.waiting || !r->live || is_pinned(r) || state_of(r) == TEVENT_REQ_RECEIVED ||
	    (r->kind == WAIT && tevent_req_is_in_progress(r->req))) {
		skip();
		return;
	}
	children_of_state_die(r->id);
	w.freeing++;
	tevent_req_received(r->req);
	w.freeing--;
}

void free_requests(void)
{
	for (int id = 0; id < IDS; id++) {
		struct request *r = &w.requests[id];

		if (r->live && r->home == TOP) {
			free_request(r);
		}
	}
}

const struct verb request_verbs[] = {
	{ "req", "rh", op_req },           { "sub", "rrh", op_sub },
	{ "wakeup", "rWh", op_wakeup },    { "wait", "rqh", op_wait },
	{ "keep", "rr", op_keep },         { "take", "r", op_take },
	{ "callback", "rh", op_callback }, { "cleanup_fn", "rh", op_cleanup_fn },
	{ "cancel_fn", "rBh", op_cancel_fn }, { "received", "r", op_received },
	{ "free_req", "r", op_free_req },  { NULL, NULL, NULL },
};
