/*
 * A C program, of which a part has been ported: `greet` is Rust, an async function. It calls `echo`, which is still C, and
 * both run on the loop that main() makes. See src/lib.rs; run.sh builds and runs it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <tevent.h>

/* In Rust. */
struct tevent_req *greet_send(TALLOC_CTX *mem_ctx, struct tevent_context *ev, const char *name);
int greet_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, char **greeting);

/* Sends a text through a pair of sockets, and hands over what comes out. */
struct echo_state {
	int fds[2];
	char text[100];
	ssize_t length;
};

static void echo_readable(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *private_data)
{
	struct tevent_req *req = talloc_get_type_abort(private_data, struct tevent_req);
	struct echo_state *state = tevent_req_data(req, struct echo_state);

	state->length = read(state->fds[1], state->text, sizeof(state->text));
	TALLOC_FREE(fde);
	if (state->length <= 0) {
		tevent_req_error(req, EPIPE);
		return;
	}
	tevent_req_done(req);
}

static void echo_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct echo_state *state = tevent_req_data(req, struct echo_state);

	if (req_state == TEVENT_REQ_RECEIVED) {
		printf("echo: cleaned up\n");
		close(state->fds[0]);
		close(state->fds[1]);
	}
}

struct tevent_req *echo_send(TALLOC_CTX *mem_ctx, struct tevent_context *ev, const char *text)
{
	struct echo_state *state;
	struct tevent_req *req = tevent_req_create(mem_ctx, &state, struct echo_state);

	if (req == NULL) {
		return NULL;
	}
	if (text[0] == '\0') {
		tevent_req_error(req, EINVAL);
		return tevent_req_post(req, ev);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, state->fds) != 0) {
		tevent_req_error(req, errno);
		return tevent_req_post(req, ev);
	}
	tevent_req_set_cleanup_fn(req, echo_cleanup);
	if (tevent_req_nomem(tevent_add_fd(ev, state, state->fds[1], TEVENT_FD_READ, echo_readable, req), req)) {
		return tevent_req_post(req, ev);
	}
	printf("echo: %s\n", text);
	write(state->fds[0], text, strlen(text));
	return req;
}

ssize_t echo_recv(struct tevent_req *req, char *text, size_t size)
{
	struct echo_state *state = tevent_req_data(req, struct echo_state);
	ssize_t length = state->length < (ssize_t)size ? state->length : (ssize_t)size;

	memcpy(text, state->text, length);
	tevent_req_received(req);
	return length;
}

static void greeted(struct tevent_req *subreq)
{
	TALLOC_CTX *mem_ctx = tevent_req_callback_data_void(subreq);
	char *greeting = NULL;
	int error = greet_recv(subreq, mem_ctx, &greeting);

	TALLOC_FREE(subreq);
	printf("main: %s\n", error == 0 ? greeting : strerror(error));
}

static void on_abort(const char *reason)
{
	printf("main: abort: %s\n", reason);
	exit(0);
}

int main(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	static const char *const names[] = { "Ada", "", "Grace" };
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0); /* Rust prints too */
	for (i = 0; i < 3; i++) {
		struct tevent_req *subreq = greet_send(ev, ev, names[i]);
		tevent_req_set_callback(subreq, greeted, ev);
		tevent_loop_wait(ev);
	}
	/* Freed half-way: everything below it goes. */
	talloc_free(greet_send(ev, ev, "nobody"));
	tevent_loop_wait(ev);
	/* A panic of Rust's does not cross into C. */
	tevent_set_abort_fn(on_abort);
	greet_send(ev, ev, "panic");
	tevent_loop_wait(ev);
	return 1;
}
