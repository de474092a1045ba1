// Carries connections between a socket of the host's side and a port inside an instance, whose network the host cannot
// reach. A process of the instance with the rights of its program, started before it by instance.c. All it may lose is its
// own function's: no secret, no right. In: what connects to `s.sock` goes to a port where the program listens. Out: what
// connects to a port inside goes to `a.sock`, where the data process listens.
#define _GNU_SOURCE
#include "sandbox.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS_MAX = 256, ROUNDS = 16, FLOW_BYTES = 16 * 1024, LISTENER = PAIRS_MAX, EVENTS = 64, PAUSE_MIN_US = 300, PAUSE_MAX_US = 50000 };

// What is read from one end and not yet written to the other.
struct flow { size_t from, to; bool is_done; uint8_t bytes[FLOW_BYTES]; };
static struct pair { bool is_used, has_more; int ends[2]; struct flow flows[2]; } pairs[PAIRS_MAX];
static int used, events, listener;
static bool is_behind; // some have more
static bool is_full;   // nobody else is taken until one goes

static struct sockaddr_in loopback(uint16_t port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

// 0, or why not.
static int try_to_connect(struct sockaddr_in address) {
  int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (file < 0) return errno;
  int wrong = connect(file, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
  close(file);
  return wrong;
}

int relay_listen(const struct start *start) {
  struct sockaddr_in address = loopback(start->relay_port);
  int one = 1, file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (file < 0 || setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
      bind(file, (struct sockaddr *)&address, sizeof address) != 0 || listen(file, PAIRS_MAX) != 0) {
    if (file >= 0) close(file);
    return -1;
  }
  return file;
}

static int connect_other(const struct start *start) {
  struct sockaddr_in inside = loopback(start->relay_port);
  struct sockaddr_un outside = {.sun_family = AF_UNIX, .sun_path = "/run/yunmen/a.sock"};
  bool is_in = start->relay == RELAY_IN;
  int one = 1, file = socket(is_in ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (file < 0) return -1;
  int done = is_in ? connect(file, (struct sockaddr *)&inside, sizeof inside) : connect(file, (struct sockaddr *)&outside, sizeof outside);
  if ((done != 0 && errno != EINPROGRESS) || (is_in && setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)) {
    close(file);
    return -1;
  }
  return file;
}

static void listen_on(bool is_on) {
  is_full = !is_on;
  struct epoll_event wanted = {.events = is_on ? EPOLLIN : 0, .data.u32 = LISTENER};
  if (epoll_ctl(events, EPOLL_CTL_MOD, listener, &wanted) != 0) _exit(1);
}

static void drop(struct pair *pair) {
  close(pair->ends[0]);
  close(pair->ends[1]);
  pair->is_used = false;
  used--;
  if (is_full) listen_on(true);
}

// As much as goes without waiting, as events come for changes only; who has more after so many rounds waits for the others' turn.
// False when nothing more can come of this direction.
static bool carry(struct pair *pair, int from) {
  struct flow *flow = &pair->flows[from];
  int source = pair->ends[from], sink = pair->ends[1 - from];
  for (int rounds = 0; !flow->is_done; rounds++) {
    if (rounds == ROUNDS) return pair->has_more = is_behind = true;
    if (flow->from == flow->to) {
      ssize_t length = recv(source, flow->bytes, FLOW_BYTES, MSG_DONTWAIT);
      if (length < 0 && errno == EINTR) continue;
      if (length < 0) return errno == EAGAIN;
      if (length == 0) {
        flow->is_done = true;
        return shutdown(sink, SHUT_WR) == 0;
      }
      flow->from = 0;
      flow->to = (size_t)length;
    }
    ssize_t length = send(sink, flow->bytes + flow->from, flow->to - flow->from, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno == EAGAIN;
    flow->from += (size_t)length;
  }
  return true;
}

static void serve(struct pair *pair) {
  if (!pair->is_used) return; // it went with an event before this one
  pair->has_more = false;
  // Both: who takes no more of a request may have answered it.
  bool goes_on = carry(pair, 0);
  goes_on = carry(pair, 1) && goes_on;
  if (!goes_on || (pair->flows[0].is_done && pair->flows[1].is_done)) drop(pair);
}

static void take(const struct start *start, int one) {
  int other = connect_other(start);
  struct pair *pair = pairs;
  while (pair < pairs + PAIRS_MAX && pair->is_used) pair++;
  if (other < 0 || pair == pairs + PAIRS_MAX) {
    close(one);
    if (other >= 0) close(other);
    return;
  }
  pair->is_used = true;
  pair->ends[0] = one;
  pair->ends[1] = other;
  for (int at = 0; at < 2; at++) pair->flows[at].from = pair->flows[at].to = pair->flows[at].is_done = 0;
  if (++used == PAIRS_MAX) listen_on(false);
  struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = (uint32_t)(pair - pairs)};
  for (int at = 0; at < 2; at++)
    if (epoll_ctl(events, EPOLL_CTL_ADD, pair->ends[at], &wanted) != 0) {
      drop(pair);
      return;
    }
  serve(pair);
}

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// The first who connects asks whether the program listens, and is told so when it does: `+`, or `-` of a program that
// listens on 127.0.0.1 alone, as who listens everywhere answers at 127.0.0.2 too. Nothing is tried before somebody asks: the
// program of a spare may not be there for long. An attempt costs 10 us and comes late by a fiftieth of the time at most.
static void wait_for_program(const struct start *start) {
  struct sockaddr_in address = loopback(start->relay_port);
  int first;
  while ((first = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
    if (errno != EINTR && errno != ECONNABORTED) _exit(1);
  for (int64_t began = now_us(); try_to_connect(address) != 0;) {
    int64_t pause_us = (now_us() - began) / 50;
    if (pause_us < PAUSE_MIN_US) pause_us = PAUSE_MIN_US;
    if (pause_us > PAUSE_MAX_US) pause_us = PAUSE_MAX_US;
    nanosleep(&(struct timespec){0, pause_us * 1000}, NULL);
  }
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
  bool is_everywhere = try_to_connect(address) != ECONNREFUSED;
  ssize_t told = send(first, is_everywhere ? "+" : "-", 1, MSG_NOSIGNAL);
  close(first);
  if (told != 1) _exit(1); // who would ask has gone, and this instance with him
}

_Noreturn void relay_run(const struct start *start, int listening) {
  listener = listening;
  if (start->relay == RELAY_IN) wait_for_program(start);
  fcntl(listener, F_SETFL, O_NONBLOCK);
  struct epoll_event ready[EVENTS], wanted = {.events = EPOLLIN, .data.u32 = LISTENER};
  events = epoll_create1(EPOLL_CLOEXEC);
  if (events < 0 || epoll_ctl(events, EPOLL_CTL_ADD, listener, &wanted) != 0) _exit(1);
  for (;;) {
    int count = epoll_wait(events, ready, EVENTS, is_behind ? 0 : -1);
    for (int at = 0; at < count; at++) {
      if (ready[at].data.u32 != LISTENER) {
        serve(&pairs[ready[at].data.u32]);
        continue;
      }
      int one = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (one >= 0) take(start, one);
      else if ((errno == EMFILE || errno == ENFILE) && used > 0) listen_on(false); // who waits would wake this for ever
    }
    bool was_behind = is_behind;
    is_behind = false;
    for (struct pair *pair = pairs; was_behind && pair < pairs + PAIRS_MAX; pair++)
      if (pair->has_more) serve(pair);
  }
}
