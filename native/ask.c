// What commands of ours ask of a running sandd, at its socket, with its token. Called by doorway.c and pasta-run.c.
#define _GNU_SOURCE
#include "ask.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// The token comes on standard input, so that nobody sees it among arguments or in an environment.
bool ask_sandd(int handle, const char *run_dir, enum word word) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  uint8_t request[9 + 2 + TOKEN_MAX + 1] = {[4] = (uint8_t)word};
  ssize_t length = read(0, request + 11, TOKEN_MAX);
  while (length > 0 && request[11 + length - 1] < ' ') length--;
  if (length <= 0) return false;
  request[11 + length] = 0;
  request[10] = (uint8_t)(length + 1);
  write_u32(request, (uint32_t)(5 + 2 + length + 1));
  snprintf(address.sun_path, sizeof address.sun_path, "%s/launcher.sock", run_dir);
  size_t whole = (size_t)(11 + length + 1);
  return connect(handle, (struct sockaddr *)&address, sizeof address) == 0 && send(handle, request, whole, MSG_NOSIGNAL) == (ssize_t)whole;
}
