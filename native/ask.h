// Commands of ours that speak to a running sandd (ask.c).
#pragma once
#include "messages.h"

enum { ANSWER_SECONDS = 5 };
bool ask_sandd(int handle, const char *run_dir, enum word word); // `handle`: a socket of its own, connected by this; the answer comes there
