// Whether networks can be made here, found out by making one and trying from inside what must and what must not be
// reached. Prints key=value lines as probe.c does. Called by `sandd probe-network`, for `yunmen doctor`.
#define _GNU_SOURCE
#include "network.h"
#include "sandbox.h"
#include <arpa/inet.h>
#include <netinet/in.h>
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

int probe_network(void) {
  static struct policy policy; // nothing is refused but what never may be reached
  struct sockaddr_in everywhere = {.sin_family = AF_INET};
  socklen_t length = sizeof everywhere;
  struct net net;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&everywhere, length) != 0 || listen(listener, 4) != 0) return 1;
  if (getsockname(listener, (struct sockaddr *)&everywhere, &length) != 0) return 1;
  const char *wrong = geteuid() == 0 ? network_begin(&policy) : "it needs root";
  if (wrong == NULL) wrong = network_take(&net, true);
  if (wrong == NULL && network_enter(&net)) {
    bool is_open = is_reached(DOORWAY, htons(80));
    bool is_shut = !is_reached(INADDR_LOOPBACK, everywhere.sin_port) && !is_reached(network_host_end(), everywhere.sin_port);
    network_leave();
    is_shut = is_shut && is_reached(network_host_end(), everywhere.sin_port); // it does listen there
    printf("network.doorway=%s\nnetwork.own-host=%s\n", is_open ? "yes" : "no", is_shut ? "yes" : "no");
    if (!is_open || !is_shut) wrong = "it does not hold what it promises";
    close(net.handle);
  }
  network_end();
  printf("network=%s\n", wrong == NULL ? "ok" : wrong);
  return 0;
}
