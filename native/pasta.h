// What pasta.c, in sandd, and pasta-run.c, in the process that starts pasta, say to each other: orders of one byte, and texts
// of PASTA_TEXT bytes, zeros at their end, that pasta has ended.
#pragma once

enum { PASTA_GO = 'g', PASTA_STOP = 's' };
enum { PASTA_TEXT = 160 };

const char *pasta_program(void); // NULL: it is not installed
_Noreturn void pasta_keep(int control);
