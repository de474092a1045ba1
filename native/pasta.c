// The way out for who is not root: pasta, a program that takes what comes out of the router's interface `up` and sends it as
// its own connections. Whether there is one, in which state, and what is done about it: nothing here waits but the start.
// What ends by itself or is killed, pasta or the process that keeps it, is replaced, after a pause that doubles while it
// does not last. Called by network.c and the loop.
#define _GNU_SOURCE
#include "pasta.h"
#include "network.h"
#include "sandbox.h"
#include "server.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  COME_MS = 5000, // until it carries packets, and until a keeper is there that was asked for
  STOP_MS = 2000, // until it has ended that was told to
  LOOK_MS = 20,
  PAUSE_MIN_MS = 50, PAUSE_MAX_MS = 30 * 1000,
  LASTS_MS = 60 * 1000, // who has been up for so long begins with the shortest pause again
};
static const char device[] = "/dev/net/tun";
static struct {
  enum { NOWHERE, COMES, LEADS_OUT, STOPS, RESTS, IS_ASKED } state; // IS_ASKED: our starter, for another keeper
  int keeper, pidfd;   // -1: there is none
  pid_t child;         // the first keeper, ours to wait for at the end; else 0
  int64_t until, up_since, gone_since; // the latter 0: it was never gone
  int pause_ms;
  size_t heard; // bytes of `why`
} way = {.keeper = -1, .pidfd = -1};
static char why[PASTA_TEXT];

// A datagram has a way as soon as pasta has given the router one; none is sent.
static bool leads_out(void) {
  struct sockaddr_in anywhere = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(0xc0000201)}};
  int handle = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool is_led = handle >= 0 && connect(handle, (struct sockaddr *)&anywhere, sizeof anywhere) == 0;
  if (handle >= 0) close(handle);
  return is_led;
}

// pasta finds our namespaces in /proc, which shows them only while we may be looked at.
static void be_seen(bool is_seen) { prctl(PR_SET_DUMPABLE, is_seen, 0, 0, 0); }

static void rest(void) {
  int64_t now = now_ms();
  bool has_lasted = way.state == LEADS_OUT && now - way.up_since > LASTS_MS;
  if (way.gone_since == 0) way.gone_since = now;
  be_seen(false);
  way.pause_ms = way.pause_ms == 0 || has_lasted ? PAUSE_MIN_MS : way.pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : way.pause_ms * 2;
  way.state = RESTS;
  way.until = now + way.pause_ms;
}

static void lose_keeper(void) {
  unwatch(way.keeper);
  close(way.keeper);
  if (way.pidfd >= 0) {
    syscall(SYS_pidfd_send_signal, way.pidfd, SIGKILL, NULL, 0); // one that hears nothing; pasta ends with it
    close(way.pidfd);
  }
  way.keeper = way.pidfd = -1;
  way.heard = 0;
  way.child = 0; // reaped by the loop
}

static void order(void) {
  char word = PASTA_GO;
  // Not sent: the keeper has ended or is about to, which is told where it is read.
  if (send(way.keeper, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) return rest();
  be_seen(true);
  way.state = COMES;
  way.until = now_ms() + COME_MS;
}

static void stop(void) {
  char word = PASTA_STOP;
  report("pasta does not come up: it is stopped");
  be_seen(false);
  way.state = STOPS;
  way.until = now_ms() + STOP_MS;
  if (send(way.keeper, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) way.until = 0;
}

// What the keeper said: the text, "" when it has gone, NULL when nothing was said or not all of it.
static const char *hear(void) {
  ssize_t length = recv(way.keeper, why + way.heard, sizeof why - way.heard, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return NULL;
  if (length <= 0) return "";
  way.heard += (size_t)length;
  if (way.heard < sizeof why) return NULL;
  way.heard = 0;
  why[sizeof why - 1] = 0;
  return why;
}

const char *pasta_begin(void) {
  int pair[2], tun = open(device, O_RDWR | O_CLOEXEC);
  if (pasta_program() == NULL) return "an ordinary user's networks need pasta (apt-get install -y passt)";
  if (tun < 0) {
    snprintf(why, sizeof why, "an ordinary user's networks need %s (chmod 666 %s): %s", device, device, strerror(errno));
    return why;
  }
  close(tun);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return "cannot keep pasta";
  way.child = fork();
  if (way.child == 0) pasta_keep(pair[1]);
  close(pair[1]);
  way.keeper = pair[0];
  way.pidfd = way.child < 0 ? -1 : (int)syscall(SYS_pidfd_open, way.child, 0);
  return way.child < 0 ? "cannot keep pasta" : NULL;
}

static const char *await(void) {
  struct pollfd keeper = {way.keeper, POLLIN, 0};
  while (way.state == COMES && !leads_out()) {
    const char *said = poll(&keeper, 1, 2) > 0 ? hear() : NULL;
    if (said != NULL) return said[0] == 0 ? "pasta is not kept" : said;
    if (now_ms() > way.until) return "pasta does not come up";
  }
  return way.state == COMES ? NULL : "pasta is not kept";
}

const char *pasta_go(void) {
  order();
  const char *broken = await();
  be_seen(false);
  way.state = LEADS_OUT;
  way.up_since = now_ms();
  return broken;
}

int pasta_keeper(void) { return way.keeper; }
bool pasta_wants_keeper(void) { return way.state == IS_ASKED; }
bool pasta_is_on(void) { return way.state != NOWHERE; }

void pasta_take_keeper(int socket, pid_t pid) {
  way.keeper = socket;
  way.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  watch(socket, FROM_PASTA, 0, EPOLLIN);
  order();
}

void pasta_hear(void) {
  const char *said = way.keeper < 0 ? NULL : hear();
  if (said == NULL) return;
  if (said[0] == 0) {
    report("functions have no way out: the process that keeps pasta has gone; another is started");
    lose_keeper();
  } else {
    report("functions have no way out: %s; it is started again", said);
  }
  rest();
}

static void look(int64_t now) {
  if (!leads_out()) {
    if (now >= way.until) stop();
    return;
  }
  be_seen(false);
  way.state = LEADS_OUT;
  way.up_since = now;
  report("functions have their way out again, after %d ms", (int)(now - way.gone_since));
  way.gone_since = 0;
}

int64_t pasta_due(int64_t now) {
  if (way.state == COMES) look(now);
  if (now >= way.until) {
    if (way.state == RESTS && way.keeper >= 0) order();
    else if (way.state == RESTS) {
      way.state = IS_ASKED;
      way.until = now + COME_MS;
      want_keeper();
    } else if (way.state == IS_ASKED) {
      report("functions have no way out: nobody keeps pasta yet");
      rest();
    } else if (way.state == STOPS) {
      report("the process that keeps pasta does not stop it: it is killed");
      lose_keeper();
      rest();
    }
  }
  return way.state == NOWHERE || way.state == LEADS_OUT ? INT64_MAX : way.state == COMES ? now + LOOK_MS : way.until;
}

void pasta_end(void) {
  way.state = NOWHERE;
  if (way.keeper < 0) return;
  close(way.keeper);
  if (way.pidfd >= 0) close(way.pidfd);
  way.keeper = way.pidfd = -1;
  if (way.child > 0) waitpid(way.child, NULL, 0);
}
