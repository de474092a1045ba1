// Whether what instances send gets beyond this machine, found out by trying: a firewall of the host's may drop it, and nothing
// tells. A host that listens is made for that moment. Called by probe-network.c, for `yunmen doctor`, and once by a server's loop.
#define _GNU_SOURCE
#include "network.h"
#include "sandbox.h"
#include "server.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
  PLACES = 0xc0586300, // 192.88.99.0/24: given back, so that nobody is there; four addresses each
  PLACE_COUNT = 64,
  TRIAL_AFTER_MS = 2000, // the server has other things to do at first
  TRIES = 3,
  TRY_MS = 1000,
  PARENT = 3, SPACE = 4, // descriptors of the process that tries: our starter, the namespace of an instance
};

bool is_reached(uint32_t host, uint16_t port, int limit_ms) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port, .sin_addr = {htonl(host)}};
  struct timeval limit = {limit_ms / 1000, limit_ms % 1000 * 1000};
  int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(handle, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  bool is_there = handle >= 0 && connect(handle, (struct sockaddr *)&address, sizeof address) == 0;
  if (handle >= 0) close(handle);
  return is_there;
}

int listen_anywhere(uint16_t *port) {
  struct sockaddr_in everywhere = {.sin_family = AF_INET};
  socklen_t length = sizeof everywhere;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&everywhere, length) != 0 || listen(listener, 4) != 0) return -1;
  if (getsockname(listener, (struct sockaddr *)&everywhere, &length) != 0) return -1;
  *port = everywhere.sin_port;
  return listener;
}

// Where this machine has no address; 0 when there is no such place.
static uint32_t free_place(int host) {
  struct blocks own;
  if (addresses_of(host, &own) != 0) return 0;
  for (int at = 0; at < PLACE_COUNT; at++) {
    uint32_t place = PLACES + 4 * (uint32_t)((getpid() + at) % PLACE_COUNT);
    bool is_free = true;
    for (int each = 0; each < own.count; each++) is_free = is_free && (own.list[each].address & ~3u) != place;
    if (is_free) return place;
  }
  return 0;
}

// A namespace behind a link of its own. It is called `yprobe…`, so that rules for what instances' links are called do not take it for one.
bool beyond_begin(struct beyond *beyond) {
  char path[96];
  int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  *beyond = (struct beyond){.host = netlink_open(NETLINK_ROUTE), .space = -1, .inside = -1, .listener = -1};
  uint32_t place = beyond->host < 0 ? 0 : free_place(beyond->host), here = place + 1;
  beyond->address = place + 2;
  if (home < 0 || place == 0 || unshare(CLONE_NEWNET) != 0) {
    if (home >= 0) close(home);
    return false;
  }
  beyond->space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  beyond->inside = netlink_open(NETLINK_ROUTE);
  beyond->listener = listen_anywhere(&beyond->port);
  bool is_back = setns(home, CLONE_NEWNET) == 0;
  close(home);
  if (!is_back) _exit(1); // of processes that do nothing else
  if (beyond->space < 0 || beyond->inside < 0 || beyond->listener < 0) return false;
  snprintf(beyond->link, sizeof beyond->link, "yprobe%d", getpid() % 1000000);
  if (link_pair(beyond->host, beyond->link, "eth0", beyond->space, 0) != 0) {
    beyond->link[0] = 0;
    return false;
  }
  if (address_add(beyond->host, link_index(beyond->host, beyond->link), here, 30) != 0 || link_up(beyond->host, beyond->link) != 0) return false;
  if (address_add(beyond->inside, link_index(beyond->inside, "eth0"), beyond->address, 30) != 0 || link_up(beyond->inside, "eth0") != 0) return false;
  for (int tries = 0; tries < 400 && !(link_passes(beyond->host, beyond->link) && link_passes(beyond->inside, "eth0")); tries++) usleep(250);
  snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/forwarding", beyond->link);
  return write_file(path, "1") && is_reached(beyond->address, beyond->port, TRY_MS);
}

void beyond_end(struct beyond *beyond) {
  if (beyond->link[0] != 0) link_delete(beyond->host, beyond->link);
  for (int at = 0; at < 4; at++) {
    int handle = (int[]){beyond->listener, beyond->inside, beyond->space, beyond->host}[at];
    if (handle >= 0) close(handle);
  }
}

bool beyond_is_reached(const struct beyond *beyond) {
  bool is_there = false;
  // On a busy machine an answer may take longer than one try.
  for (int tries = 0; tries < TRIES && !is_there; tries++) is_there = is_reached(beyond->address, beyond->port, TRY_MS);
  return is_there;
}

// It says so to our starter itself; one that finds nothing wrong, or cannot try, says nothing.
static _Noreturn void try_way(pid_t sandd, int space) {
  uint8_t dropped[9] = {0, 0, 0, 5, DROPPED};
  struct beyond beyond;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  prctl(PR_SET_NAME, "sandd-trial", 0, 0, 0);
  if (getppid() != sandd || dup2(space, SPACE) != SPACE) _exit(1);
  close_between(SPACE + 1, ~0u); // others hear that sandd has closed its ends
  bool is_made = beyond_begin(&beyond);
  if (is_made && setns(SPACE, CLONE_NEWNET) == 0 && !beyond_is_reached(&beyond)) send(PARENT, dropped, sizeof dropped, MSG_NOSIGNAL);
  beyond_end(&beyond);
  _exit(0);
}

int64_t trial_due(int64_t now) {
  static int64_t due; // 0: the first time; INT64_MAX: it was made
  struct net net;
  if (due == 0) due = network_is_on() && strcmp(network_carrier(), "kernel") == 0 ? now + TRIAL_AFTER_MS : INT64_MAX;
  if (now < due) return due;
  due = INT64_MAX;
  if (network_take(&net, true) != NULL) return due; // starts of instances will tell
  pid_t sandd = getpid();
  if (fork() == 0) try_way(sandd, net.handle); // reaped by the loop
  close(net.handle);
  return due;
}
