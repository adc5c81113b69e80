/* The bare loop: fork and exec N times, then fork and exec again whatever has ended. It is
 * what a supervisor cannot be faster than. Usage: bare N PROGRAM ARGUMENT... */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(char **argv) {
	pid_t pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (pid == 0) {
		setsid();
		execv(argv[0], argv);
		_exit(127);
	}
}

int main(int argc, char **argv) {
	if (argc < 3) return 2;
	for (int i = atoi(argv[1]); i > 0; i--) start(argv + 2);
	while (wait(NULL) > 0) start(argv + 2);
	return 1;
}
