// Starts further processes in a running instance: sandd hands the order to the instance's first process, which has been in
// all of its namespaces and groups from the beginning and starts a keeper (keeper.c) for each session.
#define _GNU_SOURCE
#include "exec.h"
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void close_handed(const int handed[3]) {
  for (int at = 0; at < 3; at++)
    if (handed[at] >= 0) close(handed[at]);
}

// -- in sandd

static const char *open_terminal(int ends[2], const struct exec *exec, uid_t uid) {
  struct winsize size = {.ws_row = exec->rows, .ws_col = exec->columns};
  int unlocked = 0;
  ends[0] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ends[0] < 0 || ioctl(ends[0], TIOCSPTLCK, &unlocked) != 0) return "there are no terminals here";
  // By descriptor: what is mounted at /dev/pts does not matter.
  ends[1] = ioctl(ends[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ends[1] < 0 || ioctl(ends[0], TIOCSWINSZ, &size) != 0) return "the terminal cannot be opened";
  return !place.is_root || uid == geteuid() || fchown(ends[1], uid, (gid_t)-1) == 0 ? NULL : "the terminal cannot be given away";
}

static const char *hand_over(int control, const struct message *message, const int *handed, size_t count) {
  char word = RUN_MORE;
  struct iovec parts[2] = {{&word, 1}, {(void *)(uintptr_t)message->bytes, message->length}};
  union { char bytes[CMSG_SPACE(3 * sizeof(int))]; struct cmsghdr head; } room = {0};
  struct msghdr sent = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = room.bytes, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  room.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&room.head), handed, count * sizeof(int));
  return sendmsg(control, &sent, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? "the instance does not listen" : NULL;
}

void exec_instance(const struct message *message, uint32_t call) {
  uid_t uid = 0;
  int control = running_control(message->id, &uid), handed[3] = {take_attached(message->session), -1, -1};
  const char *wrong = control < 0 ? "there is no such instance" : handed[0] < 0 ? "nobody is attached for that session" : NULL;
  if (wrong == NULL && message->exec.has_terminal) wrong = open_terminal(handed + 1, &message->exec, uid);
  if (wrong == NULL) wrong = hand_over(control, message, handed, message->exec.has_terminal ? 3 : 1);
  close_handed(handed);
  if (wrong == NULL) say(DONE, call, "", 0);
  else say_failed(call, wrong);
}

// -- in the first process

static pid_t keepers[EXECS_MAX]; // 0: none
static uint8_t heard[1 + EXEC_MAX];

// The first three; no other stays open. False: they are not what was sent, as when this process may open no more.
static bool take_descriptors(struct msghdr *message, int handed[3]) {
  bool is_whole = (message->msg_flags & MSG_CTRUNC) == 0;
  int count = 0, each;
  for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL; head = CMSG_NXTHDR(message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = CMSG_LEN(0); at + sizeof each <= head->cmsg_len; at += sizeof each) {
      memcpy(&each, (char *)head + at, sizeof each);
      if (count < 3) {
        handed[count++] = each;
        continue;
      }
      close(each);
      is_whole = false;
    }
  }
  return is_whole;
}

enum ordered exec_hear(int control, struct assigned *word, struct order *order) {
  union { char bytes[CMSG_SPACE(3 * sizeof(int))]; struct cmsghdr head; } room;
  int handed[3] = {-1, -1, -1};
  struct iovec into = {heard, sizeof heard};
  struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room.bytes};
  ssize_t length = recvmsg(control, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return ORDER_NONE;
  bool is_whole = length > 0 && take_descriptors(&message, handed);
  if (length <= 0 || heard[0] != RUN_MORE) {
    close_handed(handed);
    *word = (struct assigned){KILL, 0};
    if (length > 0) memcpy(word, heard, (size_t)length < sizeof *word ? (size_t)length : sizeof *word);
    return ORDER_WORD;
  }
  *order = (struct order){heard + 1, (size_t)length - 1, handed[0], handed[1], handed[2], is_whole};
  return ORDER_EXEC;
}

static const char *check_order(const struct order *order, struct message *message) {
  if (!order->is_whole || order->socket < 0) return "its descriptors did not all come";
  const char *wrong = parse_message(order->bytes, order->length, message);
  if (wrong != NULL) return wrong;
  if (message->word != EXEC) return "that is no command";
  bool has_terminal = message->exec.has_terminal;
  return (order->master >= 0) == has_terminal && (order->terminal >= 0) == has_terminal ? NULL : "its terminal did not come";
}

void exec_begin(const struct start *start, const struct place *place, uid_t uid, int members, struct order order) {
  static struct message message;
  int at = 0;
  while (at < EXECS_MAX && keepers[at] != 0) at++;
  const char *wrong = at == EXECS_MAX ? "the instance has too many sessions" : check_order(&order, &message);
  pid_t keeper = wrong == NULL ? fork() : -1;
  if (keeper == 0) keep_session((struct session){start, place, &message.exec, uid, members, order.socket, order.master, order.terminal});
  if (keeper > 0) keepers[at] = keeper;
  else exec_refuse(order.socket, wrong == NULL ? strerror(errno) : wrong);
  close_handed((int[]){order.socket, order.master, order.terminal});
  explicit_bzero(order.bytes, order.length); // its environment
}

void exec_ended(pid_t pid) {
  for (int at = 0; at < EXECS_MAX; at++)
    if (keepers[at] == pid) keepers[at] = 0;
}
