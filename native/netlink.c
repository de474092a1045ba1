// Speaking netlink: messages are written into one bounded request, sent, and answered. Called by network.c and firewall.c;
// everything is small and comes from us, nothing from instances.
#define _GNU_SOURCE
#include "netlink.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { answer_seconds = 5, DUMP_TRIES = 3, OPERATES = 6 }; // IF_OPER_UP

void request_begin(struct request *request) {
  request->length = 0;
  request->is_full = false;
}

static void put(struct request *request, const void *value, size_t length) {
  size_t whole = NLMSG_ALIGN(length);
  if (request->is_full || whole > sizeof request->bytes - request->length) {
    request->is_full = true;
    return;
  }
  memset(request->bytes + request->length, 0, whole);
  if (length > 0) memcpy(request->bytes + request->length, value, length);
  request->length += whole;
}

void add_head(struct request *request, const void *head, size_t length) { put(request, head, length); }

void message_begin(struct request *request, int type, int flags, const void *head, size_t length) {
  struct nlmsghdr header = {.nlmsg_type = (uint16_t)type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags), .nlmsg_seq = ++request->sequence};
  request->head = request->length;
  put(request, &header, sizeof header);
  put(request, head, length);
}

void message_end(struct request *request) {
  uint32_t length = (uint32_t)(request->length - request->head);
  memcpy(request->bytes + request->head, &length, sizeof length);
}

void message_wants_answer(struct request *request) {
  struct nlmsghdr *head = (struct nlmsghdr *)(request->bytes + request->head);
  head->nlmsg_flags |= NLM_F_ACK;
  request->awaited = head->nlmsg_seq;
}

void add_bytes(struct request *request, int type, const void *value, size_t length) {
  struct nlattr head = {.nla_len = (uint16_t)(NLA_HDRLEN + length), .nla_type = (uint16_t)type};
  put(request, &head, sizeof head);
  put(request, value, length);
}

void add_text(struct request *request, int type, const char *text) { add_bytes(request, type, text, strlen(text) + 1); }
void add_number(struct request *request, int type, uint32_t value) { add_bytes(request, type, &value, sizeof value); }
void add_be32(struct request *request, int type, uint32_t value) { add_number(request, type, htonl(value)); }

size_t nest_begin(struct request *request, int type) {
  struct nlattr head = {.nla_type = (uint16_t)(type | NLA_F_NESTED)};
  size_t at = request->length;
  put(request, &head, sizeof head);
  return at;
}

void nest_end(struct request *request, size_t at) {
  uint16_t length = (uint16_t)(request->length - at);
  if (!request->is_full) memcpy(request->bytes + at, &length, sizeof length);
}

int netlink_open(int protocol) {
  struct timeval limit = {answer_seconds, 0};
  int handle = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (handle >= 0) setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return handle;
}

int netlink_hear_addresses(void) {
  struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_ROUTE};
  int handle = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (handle >= 0 && bind(handle, (struct sockaddr *)&groups, sizeof groups) != 0) {
    close(handle);
    return -1;
  }
  return handle;
}

int netlink_do(int socket, struct request *request) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  _Alignas(4) uint8_t answer[8192];
  int first = 0;
  if (request->is_full) return -EMSGSIZE;
  if (sendto(socket, request->bytes, request->length, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -errno;
  for (;;) {
    ssize_t length = recv(socket, answer, sizeof answer, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return errno == EAGAIN || length == 0 ? -ETIMEDOUT : -errno;
    int left = (int)length;
    for (struct nlmsghdr *head = (struct nlmsghdr *)answer; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
      if (head->nlmsg_type != NLMSG_ERROR || head->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) continue;
      const struct nlmsgerr *told = NLMSG_DATA(head);
      if (first == 0) first = told->error;
      if (head->nlmsg_seq == request->awaited) return first;
    }
  }
}

static int do_link(int socket, int flags, const char *name, void (*rest)(struct request *, const void *), const void *with, struct ifinfomsg head) {
  static struct request request;
  request_begin(&request);
  message_begin(&request, RTM_NEWLINK, flags, &head, sizeof head);
  add_text(&request, IFLA_IFNAME, name);
  if (rest != NULL) rest(&request, with);
  message_end(&request);
  message_wants_answer(&request);
  return netlink_do(socket, &request);
}

struct pair { const char *peer; int peer_ns; uint32_t group; };

static void add_pair(struct request *request, const void *with) {
  const struct pair *pair = with;
  struct ifinfomsg head = {0};
  add_number(request, IFLA_GROUP, pair->group);
  size_t info = nest_begin(request, IFLA_LINKINFO);
  add_text(request, IFLA_INFO_KIND, "veth");
  size_t data = nest_begin(request, IFLA_INFO_DATA), peer = nest_begin(request, VETH_INFO_PEER);
  add_head(request, &head, sizeof head);
  add_text(request, IFLA_IFNAME, pair->peer);
  add_number(request, IFLA_NET_NS_FD, (uint32_t)pair->peer_ns);
  nest_end(request, peer);
  nest_end(request, data);
  nest_end(request, info);
}

// `name` here and `peer` in another namespace.
int link_pair(int socket, const char *name, const char *peer, int peer_ns, uint32_t group) {
  struct pair pair = {peer, peer_ns, group};
  return do_link(socket, NLM_F_CREATE | NLM_F_EXCL, name, add_pair, &pair, (struct ifinfomsg){0});
}

int link_up(int socket, const char *name) {
  return do_link(socket, 0, name, NULL, NULL, (struct ifinfomsg){.ifi_flags = IFF_UP, .ifi_change = IFF_UP});
}

static void add_group(struct request *request, const void *with) {
  add_number(request, IFLA_GROUP, *(const uint32_t *)with);
}

int link_group(int socket, const char *name, uint32_t group) {
  return do_link(socket, 0, name, add_group, &group, (struct ifinfomsg){0});
}

int link_delete(int socket, const char *name) {
  static struct request request;
  struct ifinfomsg head = {0};
  request_begin(&request);
  message_begin(&request, RTM_DELLINK, 0, &head, sizeof head);
  add_text(&request, IFLA_IFNAME, name);
  message_end(&request);
  message_wants_answer(&request);
  return netlink_do(socket, &request);
}

// Asks about a link in the socket's own namespace, whichever we are in. Its number; -errno; `state`: whether packets pass.
static int ask_link(int socket, const char *name, uint8_t *state) {
  static struct request request;
  struct ifinfomsg head = {0};
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  _Alignas(4) uint8_t answer[8192];
  request_begin(&request);
  message_begin(&request, RTM_GETLINK, 0, &head, sizeof head);
  add_text(&request, IFLA_IFNAME, name);
  message_end(&request);
  if (sendto(socket, request.bytes, request.length, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -errno;
  ssize_t length = recv(socket, answer, sizeof answer, 0);
  if (length < (ssize_t)sizeof(struct nlmsghdr)) return length < 0 ? -errno : -EIO;
  struct nlmsghdr *told = (struct nlmsghdr *)answer;
  if (told->nlmsg_type == NLMSG_ERROR) return ((const struct nlmsgerr *)NLMSG_DATA(told))->error;
  if (told->nlmsg_type != RTM_NEWLINK || length < (ssize_t)NLMSG_LENGTH(sizeof head)) return -EIO;
  int left = (int)IFLA_PAYLOAD(told);
  for (struct rtattr *each = IFLA_RTA(NLMSG_DATA(told)); RTA_OK(each, left); each = RTA_NEXT(each, left))
    if (each->rta_type == IFLA_OPERSTATE) *state = *(const uint8_t *)RTA_DATA(each);
  return ((const struct ifinfomsg *)NLMSG_DATA(told))->ifi_index;
}

int link_index(int socket, const char *name) {
  uint8_t state;
  return ask_link(socket, name, &state);
}

bool link_passes(int socket, const char *name) {
  uint8_t state = 0;
  return ask_link(socket, name, &state) > 0 && state == OPERATES;
}

int address_add(int socket, int index, uint32_t address, int bits) {
  static struct request request;
  struct ifaddrmsg head = {.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)bits, .ifa_index = (uint32_t)index};
  request_begin(&request);
  message_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
  add_be32(&request, IFA_LOCAL, address);
  add_be32(&request, IFA_ADDRESS, address);
  message_end(&request);
  message_wants_answer(&request);
  return netlink_do(socket, &request);
}

void address_text(char *text, size_t size, uint32_t address) {
  struct in_addr in = {htonl(address)};
  if (inet_ntop(AF_INET, &in, text, (socklen_t)size) == NULL) abort();
}

// Routes of the kind `local`, in every table: addresses are among them, and blocks that the host answers to without one.
static int ask_own(int socket, struct blocks *own) {
  static struct request request;
  struct rtmsg head = {.rtm_family = AF_INET};
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  static _Alignas(4) uint8_t answer[32 * 1024];
  bool is_torn = false, is_full = false;
  own->count = 0;
  request_begin(&request);
  message_begin(&request, RTM_GETROUTE, NLM_F_DUMP, &head, sizeof head);
  message_end(&request);
  if (sendto(socket, request.bytes, request.length, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -errno;
  for (;;) {
    ssize_t length = recv(socket, answer, sizeof answer, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return length < 0 ? -errno : -EIO;
    int left = (int)length;
    for (struct nlmsghdr *told = (struct nlmsghdr *)answer; NLMSG_OK(told, left); told = NLMSG_NEXT(told, left)) {
      is_torn = is_torn || (told->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      if (told->nlmsg_type == NLMSG_DONE) return is_torn ? -EAGAIN : is_full ? -E2BIG : 0;
      if (told->nlmsg_type == NLMSG_ERROR) return ((const struct nlmsgerr *)NLMSG_DATA(told))->error;
      const struct rtmsg *about = NLMSG_DATA(told);
      if (told->nlmsg_type != RTM_NEWROUTE || about->rtm_type != RTN_LOCAL) continue;
      struct block block = {0, about->rtm_dst_len};
      int rest = (int)RTM_PAYLOAD(told);
      for (struct rtattr *each = RTM_RTA(about); RTA_OK(each, rest); each = RTA_NEXT(each, rest))
        if (each->rta_type == RTA_DST) block.address = ntohl(*(const uint32_t *)RTA_DATA(each));
      if (block.address >> 24 == 127) continue; // no router passes those on
      is_full = is_full || own->count == BLOCKS_MAX;
      if (!is_full) own->list[own->count++] = block;
    }
  }
}

int addresses_of(int socket, struct blocks *own) {
  int error = -EAGAIN;
  for (int tries = 0; error == -EAGAIN && tries < DUMP_TRIES; tries++) error = ask_own(socket, own); // torn: it changed meanwhile
  return error;
}

int route_add(int socket, int index, uint32_t to, int bits, uint32_t gateway) {
  static struct request request;
  struct rtmsg head = {
    .rtm_family = AF_INET, .rtm_dst_len = (uint8_t)bits, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
    .rtm_scope = gateway == 0 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST, .rtm_flags = gateway == 0 ? 0 : RTNH_F_ONLINK,
  };
  request_begin(&request);
  message_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
  if (bits > 0) add_be32(&request, RTA_DST, to);
  if (gateway != 0) add_be32(&request, RTA_GATEWAY, gateway);
  add_number(&request, RTA_OIF, (uint32_t)index);
  message_end(&request);
  message_wants_answer(&request);
  return netlink_do(socket, &request);
}
