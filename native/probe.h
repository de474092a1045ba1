// What probe.c (begins trials, judges them) and look.c (runs in them) share.
#pragma once
#include "sandbox.h"
#include <sys/socket.h>
#include <sys/un.h>

enum { few_processes = 16, little_memory_mb = 16, trial_ms = 10 * 1000 };
extern char directory[64];           // of all trials; holds `canary`
extern struct sockaddr_un outside;   // an abstract socket of the host
extern socklen_t outside_length;
extern bool is_counted;              // the number of processes is limited: exceed() tries it. Else each would only be memory

// In the place of a program, in an instance.
void look_around(void);
void look_around_restricted(void);
void exceed(void);
