/* The service of all benchmarks: it tells that it runs, by one datagram, and sleeps.
 * The socket is BENCH_SOCKET, or the argument where the supervisor passes no environment on. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
	const char *path = getenv("BENCH_SOCKET"); /* first: s6 gives an argument of its own */
	if (!path && argc > 1) path = argv[1];
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int pid = getpid();
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (!path || strlen(path) >= sizeof to.sun_path || fd < 0) return 1;
	strcpy(to.sun_path, path);
	if (sendto(fd, &pid, sizeof pid, 0, (struct sockaddr *)&to, sizeof to) < 0) return 2;
	close(fd);
	for (;;) pause();
}
