// Whether networks can be made here, found out by making one and trying from inside what must and what must not be
// reached. Prints key=value lines as probe.c does. Called by `sandd probe-network`, for `yunmen doctor`.
#define _GNU_SOURCE
#include "network.h"
#include "sandbox.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static bool is_reached(uint32_t host, uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port, .sin_addr = {htonl(host)}};
  struct timeval limit = {0, 300 * 1000};
  int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(handle, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  bool is_there = handle >= 0 && connect(handle, (struct sockaddr *)&address, sizeof address) == 0;
  if (handle >= 0) close(handle);
  return is_there;
}

// A host beyond this one that listens: a namespace behind a link of its own, at an address of a range that has been given
// back. Called by `yprobe…`, so that rules for what instances' links are called do not take it for one.
static struct { int host, space, inside, listener; uint16_t port; uint32_t address; char link[IFNAMSIZ]; } beyond = {-1, -1, -1, -1, 0, 0, ""};

static int open_listener(uint16_t *port) {
  struct sockaddr_in everywhere = {.sin_family = AF_INET};
  socklen_t length = sizeof everywhere;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&everywhere, length) != 0 || listen(listener, 4) != 0) return -1;
  if (getsockname(listener, (struct sockaddr *)&everywhere, &length) != 0) return -1;
  *port = everywhere.sin_port;
  return listener;
}

static bool begin_beyond(void) {
  char path[96];
  uint32_t here = 0xc0586300u + 4 * ((uint32_t)getpid() % 64) + 1; // 192.88.99.0/24
  beyond.address = here + 1;
  beyond.host = netlink_open(NETLINK_ROUTE);
  if (beyond.host < 0 || unshare(CLONE_NEWNET) != 0) return false;
  beyond.space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  beyond.inside = netlink_open(NETLINK_ROUTE);
  beyond.listener = open_listener(&beyond.port);
  network_leave();
  if (beyond.space < 0 || beyond.inside < 0 || beyond.listener < 0) return false;
  snprintf(beyond.link, sizeof beyond.link, "yprobe%d", getpid() % 1000000);
  if (link_pair(beyond.host, beyond.link, "eth0", beyond.space, 0) != 0) {
    beyond.link[0] = 0;
    return false;
  }
  if (address_add(beyond.host, link_index(beyond.host, beyond.link), here, 30) != 0 || link_up(beyond.host, beyond.link) != 0) return false;
  if (address_add(beyond.inside, link_index(beyond.inside, "eth0"), beyond.address, 30) != 0 || link_up(beyond.inside, "eth0") != 0) return false;
  for (int tries = 0; tries < 400 && !(link_passes(beyond.host, beyond.link) && link_passes(beyond.inside, "eth0")); tries++) usleep(250);
  snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/forwarding", beyond.link);
  return write_file(path, "1");
}

static void end_beyond(void) {
  if (beyond.link[0] != 0) link_delete(beyond.host, beyond.link);
  for (int at = 0; at < 4; at++) {
    int handle = (int[]){beyond.listener, beyond.inside, beyond.space, beyond.host}[at];
    if (handle >= 0) close(handle);
  }
}

int probe_network(void) {
  static struct policy policy; // nothing is refused but what never may be reached
  struct net net;
  uint16_t port;
  int listener = open_listener(&port);
  if (listener < 0) return 1;
  const char *wrong = network_begin(&policy, true);
  if (wrong == NULL) wrong = network_take(&net, true);
  bool has_beyond = wrong == NULL && geteuid() == 0 && begin_beyond() && is_reached(beyond.address, beyond.port);
  if (wrong == NULL && network_enter(&net)) {
    bool is_open = is_reached(DOORWAY, htons(80));
    bool is_shut = !is_reached(INADDR_LOOPBACK, port) && !is_reached(network_host_end(), port);
    bool is_forwarded = false;
    // On a busy machine an answer may take longer than one try.
    for (int tries = 0; tries < 3 && has_beyond && !is_forwarded; tries++) is_forwarded = is_reached(beyond.address, beyond.port);
    network_leave();
    // It does listen there. Who is not root is in the router then, which reaches it by pasta and by nothing else.
    bool is_there = false;
    for (int tries = 0; tries < 3 && !is_there; tries++) is_there = is_reached(network_host_end(), port);
    is_shut = is_shut && is_there;
    if (has_beyond) printf("network.forwarding=%s\n", is_forwarded ? "yes" : "no");
    printf("network.doorway=%s\nnetwork.own-host=%s\n", is_open ? "yes" : "no", is_shut ? "yes" : "no");
    if (!is_open || !is_shut) wrong = "it does not hold what it promises";
    close(net.handle);
  }
  const char *by = network_carrier();
  end_beyond();
  network_end();
  if (wrong == NULL) printf("network-by=%s\n", by);
  static char first[160];
  snprintf(first, sizeof first, "%s", wrong == NULL ? "ok" : wrong);
  // What lacks may be the way out alone.
  if (wrong != NULL && geteuid() != 0) printf("network-none=%s\n", network_begin(&policy, false) == NULL ? "yes" : "no");
  printf("network=%s\n", first);
  return 0;
}
