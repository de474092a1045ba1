// Whether networks can be made here, found out by making one and trying from inside what must and what must not be
// reached. Prints key=value lines as probe.c does. Called by `sandd probe-network`, for `yunmen doctor`.
#define _GNU_SOURCE
#include "network.h"
#include "sandbox.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TRY_MS = 300 };

int probe_network(void) {
  static struct policy policy; // nothing is refused but what never may be reached
  struct net net;
  uint16_t port;
  struct beyond beyond;
  int listener = listen_anywhere(&port);
  if (listener < 0) return 1;
  const char *wrong = network_begin(&policy, true);
  if (wrong == NULL) wrong = network_take(&net, true);
  bool tries_beyond = wrong == NULL && geteuid() == 0, has_beyond = tries_beyond && beyond_begin(&beyond);
  if (wrong == NULL && network_enter(&net)) {
    bool is_open = is_reached(DOORWAY, htons(80), TRY_MS);
    bool is_shut = !is_reached(INADDR_LOOPBACK, port, TRY_MS) && !is_reached(network_host_end(), port, TRY_MS);
    bool is_forwarded = has_beyond && beyond_is_reached(&beyond);
    network_leave();
    // It does listen there. Who is not root is in the router then, which reaches it by pasta and by nothing else.
    bool is_there = false;
    for (int tries = 0; tries < 3 && !is_there; tries++) is_there = is_reached(network_host_end(), port, TRY_MS);
    is_shut = is_shut && is_there;
    if (has_beyond) printf("network.forwarding=%s\n", is_forwarded ? "yes" : "no");
    printf("network.doorway=%s\nnetwork.own-host=%s\n", is_open ? "yes" : "no", is_shut ? "yes" : "no");
    if (!is_open || !is_shut) wrong = "it does not hold what it promises";
    close(net.handle);
  }
  const char *by = network_carrier();
  if (tries_beyond) beyond_end(&beyond);
  network_end();
  if (wrong == NULL) printf("network-by=%s\n", by);
  static char first[160];
  snprintf(first, sizeof first, "%s", wrong == NULL ? "ok" : wrong);
  // What lacks may be the way out alone.
  if (wrong != NULL && geteuid() != 0) printf("network-none=%s\n", network_begin(&policy, false) == NULL ? "yes" : "no");
  printf("network=%s\n", first);
  return 0;
}
