// Messages to the kernel about interfaces, addresses, routes (netlink.c) and filters (firewall.c).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "policy.h"

// One request that is being written. Bounded; what does not fit makes it fail when it is sent.
struct request { size_t length, head; bool is_full; uint32_t sequence, awaited; _Alignas(4) uint8_t bytes[64 * 1024]; }; // all rules of the longest policy take 52 KB

void request_begin(struct request *request); // forgets what was there
void message_begin(struct request *request, int type, int flags, const void *head, size_t length);
void message_end(struct request *request);
void message_wants_answer(struct request *request); // the last one that was ended
void add_bytes(struct request *request, int type, const void *value, size_t length);
void add_text(struct request *request, int type, const char *text);
void add_number(struct request *request, int type, uint32_t value); // as the kernel's netlink of routes wants it
void add_be32(struct request *request, int type, uint32_t value);   // as that of filters wants it
void add_head(struct request *request, const void *head, size_t length); // of a nested message
size_t nest_begin(struct request *request, int type);
void nest_end(struct request *request, size_t at);

int netlink_open(int protocol);
int netlink_hear_addresses(void); // readable whenever an address of the namespace comes or goes
// Sends it and waits for the answer to the message that wants one. 0, or the first error (negative errno).
int netlink_do(int socket, struct request *request);

// -- the few things that are done with interfaces; 0 or a negative errno
int link_pair(int socket, const char *name, const char *peer, int peer_ns, uint32_t group);
int link_up(int socket, const char *name);
int link_group(int socket, const char *name, uint32_t group);
int link_index(int socket, const char *name); // or a negative errno
bool link_passes(int socket, const char *name); // up, and the kernel has got round to it
int link_delete(int socket, const char *name);
int address_add(int socket, int index, uint32_t address, int bits); // addresses in host order
int addresses_of(int socket, struct blocks *own); // what the namespace of `socket` takes for itself, but loopback; sorted as the kernel does
void address_text(char *text, size_t size, uint32_t address);
int route_add(int socket, int index, uint32_t to, int bits, uint32_t gateway); // gateway 0: on the link; on it in any case

// -- firewall.c: 0 or a negative errno. What was added is gone when `socket` is closed, however that comes about.
enum { GROUP_SHUT = 1, GROUP_OPEN = 2 }; // of interfaces towards instances
int firewall_router(int socket, const char *uplink, uint32_t doorway, const struct policy *policy, bool is_again); // is_again: in the place of what it made before
int firewall_host(int socket, const char *table, const char *link, uint32_t inside);
