// The networks of instances: network.c (router, namespaces), uplink.c (the way out of the host), doorway.c (its sockets).
#pragma once
#include "netlink.h"
#include <sys/types.h>

enum {
  DOORWAY = 0x64640288,       // 100.100.2.136: the one address that every instance can reach
  INSIDE = 0x64641000,        // 100.100.16.0/20: addresses of instances, seen by nobody but them and the doorway
  INSIDE_BITS = 20,
  LINKS = 0xa9fe4000,         // 169.254.64.0/18: the links between hosts and routers, four addresses each
  LINK_COUNT = 4096,
  PASTA_LINK = 0xa9fe8000,    // 169.254.128.0/30: the link of an ordinary user's router, seen by nobody else
  READY_MAX = 4,              // namespaces made before they are asked for
  REST_MS = 1000,             // after one that could not be made
};

// A namespace with its interface, its address and its way to the router. `handle` -1: the host's.
struct net { int handle; uint32_t address; uint16_t number; };

// Makes the router; NULL, or what is wrong, and nothing is left. `leads_out` false: nobody's packets leave it, and the host is left alone.
const char *network_begin(const struct policy *policy, bool leads_out);
bool network_is_on(void);
const char *network_carrier(void); // what takes packets out of the router; "" for nothing
uint32_t network_host_end(void); // an address of the host: that of its end of the link
const int *network_doorway(void); // its DOORWAY_SOCKETS sockets
// A namespace for one instance that begins now; its `handle` is the caller's to close. `is_open` false: the doorway only.
// NULL, or what is wrong.
const char *network_take(struct net *net, bool is_open);
bool network_enter(const struct net *net); // this process goes there; back with network_leave
void network_leave(void);
int network_host_changes(void); // readable when the host's addresses may have changed; -1 where its own table looks at them
void network_follow_host(void);
bool network_wants_more(void); // fewer are ready than should be
void network_make_ready(void); // makes one
void network_end(void);

// -- uplink.c: forwarding on the interfaces that lead out, shared with other servers of this host
void uplink_follow(const struct policy *policy); // turns it on where routes lead to what instances may reach
void uplink_end(void);  // and off again where nobody else needs it
int uplink_clean(void); // what killed servers left; how many

// -- pasta.c: the way out for an ordinary user
const char *pasta_begin(void);      // while we are in the host's network: NULL, or why it cannot be had
const char *pasta_go(void);         // once we are in the router's: it carries packets, or why it does not
bool pasta_is_on(void);
int pasta_keeper(void);             // readable when pasta has ended or the process that keeps it has; -1 without one
void pasta_hear(void);              // it is
int64_t pasta_due(int64_t now);     // does what is due; when the next is
bool pasta_wants_keeper(void);      // our starter was asked for one
void pasta_take_keeper(int socket, pid_t pid); // it is there
void pasta_end(void);
int keep(const char *run_dir);      // the command that becomes one (pasta-run.c)

// -- beyond.c: a host beyond this machine, for a moment
struct beyond { int host, space, inside, listener; uint16_t port; uint32_t address; char link[16]; };
bool beyond_begin(struct beyond *beyond); // as root, in the host's network, which reaches it; beyond_end() in any case
bool beyond_is_reached(const struct beyond *beyond); // from the network that we are in
void beyond_end(struct beyond *beyond);
bool is_reached(uint32_t host, uint16_t port, int limit_ms); // by a connection
int listen_anywhere(uint16_t *port);
int64_t trial_due(int64_t now); // once, in the background: our starter is told when the host drops what instances send; when it is due

// -- probe-network.c
int probe_network(void);

// -- doorway.c
enum { DOORWAY_HTTP, DOORWAY_DNS, DOORWAY_DNS_STREAM, DOORWAY_SOCKETS };
const char *doorway_open(int sockets[DOORWAY_SOCKETS]); // in the router's namespace
bool doorway_lend(int to, const int sockets[DOORWAY_SOCKETS], const void *bytes, size_t length);
int lend(const char *run_dir); // the command: takes them and hands them on to the Node that started it
