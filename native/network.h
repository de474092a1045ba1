// The networks of instances: network.c (router, namespaces), uplink.c (the way out of the host), doorway.c (its sockets).
#pragma once
#include "netlink.h"

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

// Makes the router; NULL, or what is wrong, and nothing is left.
const char *network_begin(const struct policy *policy);
bool network_is_on(void);
const char *network_carrier(void); // what takes packets out of the router
uint32_t network_host_end(void); // an address of the host: that of its end of the link
const int *network_doorway(void); // its DOORWAY_SOCKETS sockets
// A namespace for one instance that begins now; its `handle` is the caller's to close. `is_open` false: the doorway only.
// NULL, or what is wrong.
const char *network_take(struct net *net, bool is_open);
bool network_enter(const struct net *net); // this process goes there; back with network_leave
void network_leave(void);
int network_host_changes(void); // readable when the host's addresses may have changed; -1 where its own table looks at them
void network_follow_host(void);
bool network_mend(void); // starts the way out again when it has ended; false: it is for good
bool network_wants_more(void); // fewer are ready than should be
void network_make_ready(void); // makes one
void network_end(void);

// -- uplink.c: forwarding on the interfaces that lead out, shared with other servers of this host
void uplink_follow(const struct policy *policy); // turns it on where routes lead to what instances may reach
void uplink_end(void);  // and off again where nobody else needs it
int uplink_clean(void); // what killed servers left; how many

// -- pasta.c: the way out for an ordinary user
const char *pasta_begin(void); // while we are in the host's network: NULL, or why it cannot be had
bool pasta_go(void);           // once we are in the router's, and while our /proc may be read: it begins to relay
int pasta_keeper(void);        // readable when it has ended; -1 without one
const char *pasta_says(void);  // why it ended last; NULL when it did not
void pasta_end(void);

// -- probe-network.c
int probe_network(void);

// -- doorway.c
enum { DOORWAY_HTTP, DOORWAY_DNS, DOORWAY_DNS_STREAM, DOORWAY_SOCKETS };
const char *doorway_open(int sockets[DOORWAY_SOCKETS]); // in the router's namespace
bool doorway_lend(int to, const int sockets[DOORWAY_SOCKETS], const void *bytes, size_t length);
int lend(const char *run_dir); // the command: takes them and hands them on to the Node that started it
