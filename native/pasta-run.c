// The process that starts pasta and ends with sandd: it stays in the host's network, which sandd has left for good. The first
// is sandd's child; one that takes its place is started by sandd's starter (`sandd keep`). It holds no more than the socket
// to sandd. Called by pasta.c and sandd.c.
#define _GNU_SOURCE
#include "ask.h"
#include "network.h"
#include "pasta.h"
#include "sandbox.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const places[] = {"/usr/bin/pasta", "/usr/local/bin/pasta"};

const char *pasta_program(void) {
  for (size_t at = 0; at < sizeof places / sizeof *places; at++)
    if (access(places[at], X_OK) == 0) return places[at];
  return NULL;
}

// Nothing of the host but what the router lets pass: no ports either way, no name for the host itself, no answers of its own.
static _Noreturn void run_pasta(pid_t sandd, pid_t keeper, int output) {
  char user[64], net[64], address[16], gateway[16];
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); // a keeper that is killed tells nobody
  if (getppid() != keeper) _exit(127);
  snprintf(user, sizeof user, "/proc/%d/ns/user", sandd);
  snprintf(net, sizeof net, "/proc/%d/ns/net", sandd);
  address_text(address, sizeof address, PASTA_LINK + 2);
  address_text(gateway, sizeof gateway, PASTA_LINK + 1);
  char *const arguments[] = {
    "pasta", "--foreground", "--quiet", "--ipv4-only", "--config-net", "--no-map-gw", "--no-dhcp", "--no-dhcpv6", "--no-ndp", "--no-ra",
    "-t", "none", "-u", "none", "-T", "none", "-U", "none", "-a", address, "-n", "30", "-g", gateway, "--ns-ifname", "up", "--userns", user, "--netns", net, NULL,
  };
  char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL); // versions of 2023 take a pipe signal that is ignored already for an error
  dup2(nothing, 0);
  dup2(nothing, 1);
  dup2(output, 2);
  const char *program = pasta_program();
  if (program != NULL) execve(program, arguments, environment);
  _exit(127);
}

// One line of what it wrote last; the rest is dropped.
static void read_reason(int output, char text[PASTA_TEXT]) {
  char all[1024];
  ssize_t length = read(output, all, sizeof all - 1);
  all[length < 0 ? 0 : length] = 0;
  for (size_t end = strlen(all); end > 0 && all[end - 1] == '\n';) all[--end] = 0;
  const char *last = strrchr(all, '\n');
  snprintf(text, PASTA_TEXT, "pasta ended: %.120s", last == NULL ? all : last + 1);
}

// The next order. Ends when sandd has.
static char take_order(int control) {
  char order;
  if (recv(control, &order, 1, 0) != 1) _exit(0);
  return order;
}

// Until it has ended. Whatever sandd says meanwhile, or its end, ends it.
static void run_once(int control, int children, pid_t sandd, char text[PASTA_TEXT]) {
  struct signalfd_siginfo told;
  struct pollfd sources[2] = {{control, POLLIN, 0}, {children, POLLIN, 0}};
  int output[2];
  if (pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0) _exit(1);
  pid_t own = getpid(), pasta = fork();
  if (pasta == 0) run_pasta(sandd, own, output[1]);
  close(output[1]);
  for (bool has_ended = pasta < 0; !has_ended;) {
    poll(sources, 2, -1);
    if (sources[0].revents != 0) kill(pasta, SIGKILL);
    while (read(children, &told, sizeof told) > 0) {}
    has_ended = waitpid(pasta, NULL, sources[0].revents != 0 ? 0 : WNOHANG) == pasta;
  }
  if (sources[0].revents != 0) take_order(control);
  read_reason(output[0], text);
  close(output[0]);
}

_Noreturn void pasta_keep(int control) {
  sigset_t child;
  char text[PASTA_TEXT];
  struct ucred sandd;
  socklen_t length = sizeof sandd;
  sigfillset(&child); // only the end of `control` ends us
  sigprocmask(SIG_SETMASK, &child, NULL);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  setsid();
  prctl(PR_SET_NAME, "sandd-pasta", 0, 0, 0);
  for (int at = 0; at < 3; at++) {
    int nothing = open("/dev/null", O_RDWR);
    if (nothing >= 0 && nothing != at) dup2(nothing, at), close(nothing);
  }
  if (control != 3) dup2(control, 3);
  close_range(4, ~0u, 0);
  control = 3;
  fcntl(control, F_SETFD, FD_CLOEXEC);
  int children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (children < 0 || getsockopt(control, SOL_SOCKET, SO_PEERCRED, &sandd, &length) != 0) _exit(1);
  for (;;) {
    if (take_order(control) != PASTA_GO) continue; // it ended as it was to be ended
    memset(text, 0, sizeof text);
    run_once(control, children, sandd.pid, text);
    if (send(control, text, sizeof text, MSG_NOSIGNAL) != sizeof text) _exit(0);
  }
}

int keep(const char *run_dir) {
  int handle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  uint8_t answer[9];
  struct timeval limit = {ANSWER_SECONDS, 0}, none = {0, 0};
  setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (!ask_sandd(handle, run_dir, KEEP) || recv(handle, answer, sizeof answer, MSG_WAITALL) != sizeof answer || answer[4] != DONE) {
    fprintf(stderr, "the launcher wants nobody to keep pasta\n");
    return 1;
  }
  setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  pasta_keep(handle);
}
