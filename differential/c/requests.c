/* Requests: making them, and their functions. */
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
	r->calling++;
	enter("callback r%d", r->id);
	run_script(r->callback);
	leave();
	r->calling--;
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

	bool says = r->cancels;

	enter("cancel r%d", r->id);
	run_script(r->cancel);
	leave();
	return says;
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

const struct verb request_verbs[] = {
	{ "req", "rh", op_req },
	{ "sub", "rrh", op_sub },
	{ "wakeup", "rWh", op_wakeup },
	{ "wait", "rqh", op_wait },
	{ "callback", "rh", op_callback },
	{ "cleanup_fn", "rh", op_cleanup_fn },
	{ "cancel_fn", "rBh", op_cancel_fn },
	{ NULL, NULL, NULL },
};
