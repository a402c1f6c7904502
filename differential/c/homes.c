/* Whose requests are: keeping, taking and freeing them. */
#include "world.h"

static void children_of_state_die(int of);

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
static void children_of_state_die(int of)
{
	for (int id = 0; id < IDS; id++) {
		struct request *child = &w.requests[id];

		if (w.fds[id].live && w.fds[id].of == of) {
			fd_dies(&w.fds[id]);
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

/* Whether it, or one that goes with it, stands in its own cleanup: then C cannot free it. */
bool is_pinned(const struct request *r)
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

/* What it goes with cannot be freed while it is being freed itself. */
static void pin(struct request *r, int step)
{
	while (true) {
		r->pinned += step;
		if (r->parent == NOBODY) {
			return;
		}
		r = &w.requests[r->parent];
	}
}

void free_request(struct request *r)
{
	request_dies(r);
	pin(r, 1);
	w.freeing++;
	talloc_free(r->req);
	w.freeing--;
	pin(r, -1);
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
	pin(r, 1);
	w.freeing++;
	tevent_req_received(r->req);
	w.freeing--;
	pin(r, -1);
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

const struct verb home_verbs[] = {
	{ "keep", "rr", op_keep },
	{ "take", "r", op_take },
	{ "received", "r", op_received },
	{ "free_req", "r", op_free_req },
	{ NULL, NULL, NULL },
};
