// Networks of instances. One namespace is the router: every instance's namespace has a link to it, it has one link to the
// host, and all filtering is done in it (firewall.c). Nothing keeps any of it but open descriptors of this process: killed,
// all of it goes. Called by table.c and the loop; namespaces are made ahead, while nothing else is to do.
#define _GNU_SOURCE
#include "network.h"
#include "sandbox.h"
#include "server.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
  bool is_on, leads_out;
  int host, router;             // namespaces
  int host_routes, routes;      // sockets that speak of interfaces: of the host, of the router
  int host_filter, filter;      // sockets that speak of filters
  char link[IFNAMSIZ];          // the host's end
  uint32_t outside;             // its address
  struct policy policy;
  struct net ready[READY_MAX];
  int ready_count;
  uint16_t next;                // number of the next instance's link
  int64_t rests_until;          // none is made ahead before
} network = {.host = -1, .router = -1, .host_routes = -1, .routes = -1, .host_filter = -1, .filter = -1};
static int doorway[DOORWAY_SOCKETS] = {-1, -1, -1};
static int host_changes = -1; // tells that the host's addresses may have changed
static char why[160];

static const char *wrong(const char *what, int error) {
  snprintf(why, sizeof why, "%s: %s", what, strerror(error < 0 ? -error : error));
  return why;
}

const char *network_carrier(void) { return !network.leads_out ? "" : pasta_is_on() ? "pasta" : "kernel"; }
bool network_is_on(void) { return network.is_on; }
uint32_t network_host_end(void) { return network.outside; }
const int *network_doorway(void) { return doorway; }
int network_host_changes(void) { return host_changes; }

// Without the way back everything would go on in the wrong place: then nothing may go on.
void network_leave(void) {
  if (setns(network.host, CLONE_NEWNET) != 0) abort();
}

bool network_enter(const struct net *net) {
  return net->handle < 0 || setns(net->handle, CLONE_NEWNET) == 0;
}

// A new namespace, its handle, and a socket that speaks of its interfaces.
static int make_namespace(int *socket) {
  int handle = -1;
  if (unshare(CLONE_NEWNET) != 0) return -errno;
  handle = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  *socket = netlink_open(NETLINK_ROUTE);
  if (handle < 0 || *socket < 0) {
    int error = errno;
    if (handle >= 0) close(handle);
    if (*socket >= 0) close(*socket);
    network_leave();
    return -error;
  }
  return handle; // and we are in it
}

// In the router's namespace.
static const char *set_router_up(void) {
  int loopback, error;
  const char *broken = NULL;
  network.filter = netlink_open(NETLINK_NETFILTER);
  if (network.filter < 0) broken = wrong("cannot speak of filters", errno);
  else if ((loopback = link_index(network.routes, "lo")) < 0 || (error = link_up(network.routes, "lo")) != 0) broken = wrong("cannot use the router's own link", loopback < 0 ? loopback : error);
  else if ((error = address_add(network.routes, loopback, DOORWAY, 32)) != 0) broken = wrong("cannot give the doorway its address", error);
  else if (!write_file("/proc/sys/net/ipv4/ip_forward", "1") || !write_file("/proc/sys/net/ipv4/conf/all/rp_filter", "1")) broken = wrong("cannot make it route", errno);
  else if (access("/proc/sys/net/ipv6", F_OK) == 0 && !(write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1") && write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"))) broken = wrong("cannot turn IPv6 off", errno);
  else if ((error = firewall_router(network.filter, "up", DOORWAY, &network.policy, false)) != 0) broken = wrong("the kernel does not take the filters (nf_tables)", error);
  else broken = doorway_open(doorway);
  return broken;
}

static const char *make_router(void) {
  if ((network.router = make_namespace(&network.routes)) < 0) return wrong("cannot make a network namespace", network.router);
  const char *broken = set_router_up();
  network_leave();
  return broken;
}

static const char *make_uplink(void) {
  char path[96];
  int error = -EEXIST, at = getpid() % LINK_COUNT, index, tries = 0;
  for (; error == -EEXIST && tries < LINK_COUNT; tries++, at = (at + 1) % LINK_COUNT) {
    snprintf(network.link, sizeof network.link, "yunmen%d", at);
    error = link_pair(network.host_routes, network.link, "up", network.router, 0);
    if (error == 0) break;
  }
  if (error != 0) {
    network.link[0] = 0; // that name is somebody else's, if it is anybody's
    return wrong("cannot make a link to the host", error);
  }
  uint32_t outside = LINKS + 4 * (uint32_t)at + 1, inside = outside + 1;
  network.outside = outside;
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", network.link);
  if (access(path, F_OK) == 0 && !write_file(path, "1")) return wrong("cannot turn IPv6 off on the link", errno);
  if ((error = firewall_host(network.host_filter, network.link, network.link, inside)) != 0) return wrong("the kernel does not take the host's filters (nf_tables)", error);
  if ((index = link_index(network.host_routes, network.link)) < 0) return wrong("cannot find the link", index);
  if ((error = address_add(network.host_routes, index, outside, 30)) != 0 || (error = link_up(network.host_routes, network.link)) != 0) return wrong("cannot use the link", error);
  snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/forwarding", network.link);
  if (!write_file(path, "1")) return wrong("cannot forward from the link", errno);
  if ((index = link_index(network.routes, "up")) < 0) return wrong("cannot find the router's link", index);
  if ((error = address_add(network.routes, index, inside, 30)) != 0 || (error = link_up(network.routes, "up")) != 0) return wrong("cannot use the router's link", error);
  if ((error = route_add(network.routes, index, 0, 0, outside)) != 0) return wrong("cannot route out", error);
  uplink_follow(&network.policy);
  return NULL;
}

// -- without root: in a user namespace of our own, which holds the router and the namespaces of all instances. There is no
// way back from it into the host's network, so we live in the router's; pasta is the link to the host.

static bool map_ourselves(uid_t uid, gid_t gid) {
  char line[64];
  snprintf(line, sizeof line, "%u %u 1\n", uid, uid);
  if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", line)) return false;
  snprintf(line, sizeof line, "%u %u 1\n", gid, gid);
  return write_file("/proc/self/gid_map", line);
}

// The host's own addresses, which nobody may be carried to, and pasta: both from where the host's network is.
static const char *begin_way_out(void) {
  if ((host_changes = netlink_hear_addresses()) < 0) return wrong("cannot hear of the host's addresses", errno);
  int error = addresses_of(network.host_routes, &network.policy.own); // what changes from now on is heard
  if (error != 0) return wrong("cannot ask for the host's addresses", error);
  for (int at = 0; at < network.policy.own.count; at++)
    if (network.policy.own.list[at].bits == 32) network.outside = network.policy.own.list[at].address;
  return pasta_begin();
}

static const char *begin_as_user(void) {
  const char *broken;
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (network.leads_out && (broken = begin_way_out()) != NULL) return broken;
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return wrong("cannot make namespaces", errno);
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  bool is_mapped = map_ourselves(uid, gid);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (!is_mapped) return wrong("cannot map ourselves", errno);
  network.host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  network.router = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  network.routes = netlink_open(NETLINK_ROUTE);
  if (network.host < 0 || network.router < 0 || network.routes < 0) return wrong("cannot speak of networks", errno);
  if ((broken = set_router_up()) != NULL) return broken;
  return network.leads_out ? pasta_go() : NULL;
}

// What cannot be undone is tried by somebody else first.
static const char *try_as_user(void) {
  int answer[2];
  if (pipe2(answer, O_CLOEXEC) != 0) return wrong("cannot try", errno);
  pid_t trying = fork();
  if (trying == 0) {
    const char *broken = begin_as_user();
    if (broken != NULL && write(answer[1], broken, strlen(broken)) < 0) _exit(1);
    pasta_end();
    _exit(broken != NULL);
  }
  close(answer[1]);
  ssize_t length = read(answer[0], why, sizeof why - 1);
  close(answer[0]);
  why[length < 0 ? 0 : length] = 0;
  int status = -1;
  if (trying > 0) waitpid(trying, &status, 0);
  if (status != 0 && why[0] == 0) return "networks could not be tried";
  return why[0] == 0 ? NULL : why;
}

// The addresses of the host change; what it has now is refused.
void network_follow_host(void) {
  struct blocks own;
  char told[4096];
  while (recv(host_changes, told, sizeof told, MSG_DONTWAIT) > 0) {} // what it says is asked for anew, and an overrun says it too
  int error = addresses_of(network.host_routes, &own);
  if (error != 0) { // what cannot be known cannot be refused
    report("functions are ended: %s", error == -E2BIG ? "this machine has more addresses than can be refused (64)" : wrong("cannot ask for the host's addresses", error));
    begin_end();
    return;
  }
  if (own.count == network.policy.own.count && memcmp(own.list, network.policy.own.list, (size_t)own.count * sizeof *own.list) == 0) return;
  network.policy.own = own;
  if (firewall_router(network.filter, "up", DOORWAY, &network.policy, true) != 0) abort(); // rather no server than an open one
}

const char *network_begin(const struct policy *policy, bool leads_out) {
  const char *broken = NULL;
  network.leads_out = leads_out;
  network.policy = *policy;
  if (geteuid() != 0) {
    network.host_routes = netlink_open(NETLINK_ROUTE);
    if (network.host_routes < 0) return wrong("cannot speak of networks", errno);
    if ((broken = try_as_user()) == NULL) {
      if ((broken = begin_as_user()) != NULL) { // we are in neither network as we should be
        report("networks cannot be made any more: %s", broken);
        _exit(1);
      }
      network.is_on = true;
    }
    return broken;
  }
  uplink_clean();
  network.host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  network.host_routes = netlink_open(NETLINK_ROUTE);
  network.host_filter = netlink_open(NETLINK_NETFILTER);
  if (network.host < 0 || network.host_routes < 0 || network.host_filter < 0) broken = wrong("cannot speak of networks", errno);
  if (broken == NULL) broken = make_router();
  if (broken == NULL && leads_out) broken = make_uplink();
  if (broken != NULL) network_end();
  network.is_on = broken == NULL;
  return broken;
}

static int configure_inside(int socket, uint32_t address) {
  int index = link_index(socket, "eth0"), error = link_up(socket, "lo");
  if (index < 0) return index;
  if (error == 0) error = address_add(socket, index, address, 32);
  if (error == 0) error = link_up(socket, "eth0");
  return error != 0 ? error : route_add(socket, index, 0, 0, DOORWAY);
}

static const char *make_net(struct net *net) {
  char name[IFNAMSIZ];
  int inside, error = -EEXIST, index;
  if ((net->handle = make_namespace(&inside)) < 0) return wrong("cannot make a network namespace", net->handle);
  network_leave();
  // A link of an instance that has just ended may still be there.
  for (int tries = 0; error == -EEXIST && tries < 1 << (32 - INSIDE_BITS); tries++) {
    network.next = (uint16_t)((network.next + 1) % (1 << (32 - INSIDE_BITS)));
    if (network.next < 2) continue;
    snprintf(name, sizeof name, "i%u", network.next);
    error = link_pair(network.routes, name, "eth0", net->handle, GROUP_OPEN);
  }
  net->number = network.next;
  net->address = INSIDE + network.next;
  const char *broken = NULL;
  if (error != 0) broken = wrong("cannot link a namespace", error);
  else if ((error = configure_inside(inside, net->address)) != 0) broken = wrong("cannot set a namespace up", error);
  else if ((index = link_index(network.routes, name)) < 0) broken = wrong("cannot find its link", index);
  else if ((error = link_up(network.routes, name)) != 0 || (error = route_add(network.routes, index, net->address, 32, 0)) != 0) broken = wrong("cannot route to it", error);
  // Until the kernel has got round to both ends packets are lost, and a first connection waits half a second.
  for (int tries = 0; broken == NULL && tries < 40 && !(link_passes(network.routes, name) && link_passes(inside, "eth0")); tries++) usleep(250);
  close(inside);
  if (broken != NULL) close(net->handle);
  return broken;
}

bool network_wants_more(void) { return network.is_on && network.ready_count < READY_MAX && now_ms() >= network.rests_until; }

void network_make_ready(void) {
  if (geteuid() == 0 && network.leads_out) uplink_follow(&network.policy);
  if (make_net(&network.ready[network.ready_count]) == NULL) network.ready_count++;
  else network.rests_until = now_ms() + REST_MS; // what lacks is not there the next moment either
}

const char *network_take(struct net *net, bool is_open) {
  char name[IFNAMSIZ];
  if (!network.is_on) return "there are no networks here";
  if (is_open && !network.leads_out) return "no network here leads out";
  if (network.ready_count > 0) *net = network.ready[--network.ready_count];
  else {
    const char *broken = make_net(net);
    if (broken != NULL) return broken;
  }
  if (is_open) return NULL;
  snprintf(name, sizeof name, "i%u", net->number);
  int error = link_group(network.routes, name, GROUP_SHUT);
  if (error == 0) return NULL;
  close(net->handle);
  return wrong("cannot shut a namespace", error);
}

static void close_at(int *handle) {
  if (*handle >= 0) close(*handle);
  *handle = -1;
}

void network_end(void) {
  for (; network.ready_count > 0; network.ready_count--) close(network.ready[network.ready_count - 1].handle);
  for (int at = 0; at < DOORWAY_SOCKETS; at++) close_at(&doorway[at]);
  if (network.link[0] != 0) link_delete(network.host_routes, network.link);
  network.link[0] = 0;
  uplink_end();
  pasta_end();
  close_at(&host_changes);
  close_at(&network.filter);
  close_at(&network.host_filter);
  close_at(&network.routes);
  close_at(&network.host_routes);
  close_at(&network.router);
  close_at(&network.host);
  network.is_on = false;
}
