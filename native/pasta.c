// The way out for who is not root: pasta, a program that takes what comes out of the router's interface `up` and sends it as
// its own connections. It is started and kept by a process of ours that stays in the host's network, and ends with us.
// Called by network.c.
#define _GNU_SOURCE
#include "network.h"
#include "sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAUSE_MS = 1000 }; // after one that ended by itself
static const char *const places[] = {"/usr/bin/pasta", "/usr/local/bin/pasta"};
static const char device[] = "/dev/net/tun";
static int keeper = -1; // its end tells the keeper to end
static pid_t keeper_pid;
static char why[160];

static const char *program(void) {
  for (size_t at = 0; at < sizeof places / sizeof *places; at++)
    if (access(places[at], X_OK) == 0) return places[at];
  return NULL;
}

// Nothing of the host but what the router lets pass: no ports either way, no name for the host itself, no answers of its own.
static _Noreturn void run_pasta(pid_t owner, pid_t keeper_of_it, int output) {
  char user[64], net[64], address[16], gateway[16];
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); // a keeper that is killed tells nobody
  if (getppid() != keeper_of_it) _exit(127);
  snprintf(user, sizeof user, "/proc/%d/ns/user", owner);
  snprintf(net, sizeof net, "/proc/%d/ns/net", owner);
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
  execve(program(), arguments, environment);
  _exit(127);
}

// One line of what it wrote last; the rest is dropped.
static void read_reason(int output, char *text, size_t size) {
  char all[1024];
  ssize_t length = read(output, all, sizeof all - 1);
  all[length < 0 ? 0 : length] = 0;
  for (size_t end = strlen(all); end > 0 && all[end - 1] == '\n';) all[--end] = 0;
  const char *last = strrchr(all, '\n');
  snprintf(text, size, "pasta ended: %.120s", last == NULL ? all : last + 1);
}

static _Noreturn void keep(pid_t owner, int control) {
  sigset_t child;
  char text[160];
  int has_begun = 0;
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
  for (char go; recv(control, &go, 1, 0) == 1;) {
    int output[2];
    if (children < 0 || pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0) _exit(1);
    pid_t own = getpid(), pasta = fork();
    if (pasta == 0) run_pasta(owner, own, output[1]);
    close(output[1]);
    struct pollfd sources[2] = {{control, POLLIN, 0}, {children, POLLIN, 0}};
    bool has_ended = pasta < 0;
    while (!has_ended) {
      poll(sources, 2, -1);
      if (sources[0].revents != 0) {
        kill(pasta, SIGKILL);
        waitpid(pasta, NULL, 0);
        _exit(0);
      }
      struct signalfd_siginfo told;
      while (read(children, &told, sizeof told) > 0) {}
      has_ended = waitpid(pasta, NULL, WNOHANG) == pasta;
    }
    read_reason(output[0], text, sizeof text);
    close(output[0]);
    if (poll(sources, 1, has_begun++ == 0 ? 0 : PAUSE_MS) > 0) break;
    if (send(control, text, strlen(text), MSG_NOSIGNAL) < 0) break;
  }
  _exit(0);
}

const char *pasta_begin(void) {
  int pair[2], tun = open(device, O_RDWR | O_CLOEXEC);
  if (program() == NULL) return "an ordinary user's networks need pasta (apt-get install -y passt)";
  if (tun < 0) {
    snprintf(why, sizeof why, "an ordinary user's networks need %s (chmod 666 %s): %s", device, device, strerror(errno));
    return why;
  }
  close(tun);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return "cannot keep pasta";
  pid_t owner = getpid();
  keeper_pid = fork();
  if (keeper_pid == 0) keep(owner, pair[1]);
  close(pair[1]);
  keeper = pair[0];
  return keeper_pid < 0 ? "cannot keep pasta" : NULL;
}

int pasta_keeper(void) { return keeper; }
bool pasta_go(void) { return send(keeper, "g", 1, MSG_NOSIGNAL) == 1; }

const char *pasta_says(void) {
  ssize_t length = keeper < 0 ? 0 : recv(keeper, why, sizeof why - 1, MSG_DONTWAIT);
  if (length <= 0) return NULL;
  why[length] = 0;
  return why;
}

void pasta_end(void) {
  if (keeper < 0) return;
  close(keeper);
  keeper = -1;
  waitpid(keeper_pid, NULL, 0);
}
