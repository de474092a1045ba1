// Which addresses instances may reach. Read by messages.c, kept by firewall.c.
#pragma once
#include <stdint.h>

struct block { uint32_t address; uint8_t bits; }; // host order
enum { BLOCKS_MAX = 64 };
struct blocks { int count; struct block list[BLOCKS_MAX]; };
struct policy { struct blocks allowed, refused; }; // who is in both is allowed; who is in neither, too
