// Which addresses instances may reach. Read by messages.c, kept by firewall.c.
#pragma once
#include <stdint.h>

struct block { uint32_t address; uint8_t bits; }; // host order
enum { BLOCKS_MAX = 64 };
struct blocks { int count; struct block list[BLOCKS_MAX]; };
// Who is in both is allowed; who is in neither, too. `own`: the host's addresses, refused in any case, where it has no table of its own to say so.
struct policy { struct blocks allowed, refused, own; };
