/* What the C tests share: everything they print goes to stdout, in order, and names no address and no time. */
#define TEVENT_DEPRECATED 1
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tevent.h>

#define say(...) (printf(__VA_ARGS__), putchar('\n'), fflush(stdout))
#define check(what) do { if (!(what)) { say("FAILED at line %d: %s", __LINE__, #what); exit(1); } } while (0)
#define ZERO tevent_timeval_zero()
#define IN(ms) tevent_timeval_current_ofs(0, (ms) * 1000)

/* A pair of sockets. */
static inline void sockets(int fds[2])
{
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

/* Runs the loop to its end. (An fd event without flags keeps the loop of the installed library going, not that of later ones.) */
#define run(ev) check(tevent_loop_wait(ev) == 0)
