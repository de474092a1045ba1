// The doorway's sockets: opened in the router's namespace, served by the data process. A Node process can be handed
// sockets only by a child that it started with an 'ipc' channel, so `sandd lend` is that child: it asks the running sandd
// for them (word `lend`) and passes them on in Node's own words. Called by network.c, owner.c and sandd.c.
#define _GNU_SOURCE
#include "ask.h"
#include "network.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { BACKLOG = 128 };
static const struct { const char *name; int type; uint16_t port; } kinds[DOORWAY_SOCKETS] = {
  {"http", SOCK_STREAM, 80}, {"dns", SOCK_DGRAM, 53}, {"dns-stream", SOCK_STREAM, 53},
};

const char *doorway_open(int sockets[DOORWAY_SOCKETS]) {
  for (int at = 0; at < DOORWAY_SOCKETS; at++) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(kinds[at].port), .sin_addr = {htonl(DOORWAY)}};
    sockets[at] = socket(AF_INET, kinds[at].type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sockets[at] < 0 || bind(sockets[at], (struct sockaddr *)&address, sizeof address) != 0) return "cannot open the doorway's sockets";
    if (kinds[at].type == SOCK_STREAM && listen(sockets[at], BACKLOG) != 0) return "cannot listen at the doorway";
  }
  return NULL;
}

static bool send_with(int to, const void *bytes, size_t length, const int *sockets, size_t count) {
  union { char bytes[CMSG_SPACE(DOORWAY_SOCKETS * sizeof(int))]; struct cmsghdr head; } room = {0};
  struct iovec part = {(void *)(uintptr_t)bytes, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(head), sockets, count * sizeof(int));
  return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)length;
}

bool doorway_lend(int to, const int sockets[DOORWAY_SOCKETS], const void *bytes, size_t length) {
  return sockets[0] >= 0 && send_with(to, bytes, length, sockets, DOORWAY_SOCKETS);
}

static int give_up_lending(const char *what) {
  fprintf(stderr, "%s\n", what);
  return 1;
}

static bool ask(int handle, const char *run_dir, int sockets[DOORWAY_SOCKETS]) {
  if (!ask_sandd(handle, run_dir, LEND)) return false;
  union { char bytes[CMSG_SPACE(DOORWAY_SOCKETS * sizeof(int))]; struct cmsghdr head; } room = {0};
  uint8_t answer[16];
  struct iovec part = {answer, sizeof answer};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room.bytes};
  if (recvmsg(handle, &message, MSG_CMSG_CLOEXEC) < 9 || answer[4] != DONE) return false;
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  if (head == NULL || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(DOORWAY_SOCKETS * sizeof(int))) return false;
  memcpy(sockets, CMSG_DATA(head), DOORWAY_SOCKETS * sizeof(int));
  return true;
}

int lend(const char *run_dir) {
  int sockets[DOORWAY_SOCKETS], handle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const char *channel = getenv("NODE_CHANNEL_FD");
  char text[128];
  struct timeval limit = {ANSWER_SECONDS, 0};
  if (channel == NULL) return give_up_lending("lend is for a Node process that starts it with an 'ipc' channel");
  int node = atoi(channel);
  setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(node, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (!ask(handle, run_dir, sockets)) return give_up_lending("the launcher does not lend the doorway's sockets");
  for (int at = 0; at < DOORWAY_SOCKETS; at++) {
    int length = snprintf(text, sizeof text, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":\"%s\"}\n", kinds[at].name);
    if (!send_with(node, text, (size_t)length, &sockets[at], 1)) return give_up_lending("the sockets cannot be handed on");
    if (recv(node, text, sizeof text, 0) <= 0) return give_up_lending("the sockets were not taken"); // NODE_HANDLE_ACK
  }
  return 0;
}
