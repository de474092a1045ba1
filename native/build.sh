#!/bin/sh
# Builds native/build/sandd, or the file that is named, when it is older than its source. Says nothing when that is done; one line
# when it cannot be.
set -eu
cd -- "$(dirname -- "$0")"
out=${1:-build/sandd}
newest=$(ls -t ./*.c ./*.h build.sh | head -n 1)
if [ -x "$out" ] && [ "$out" -nt "$newest" ]; then exit 0; fi
for compiler in "${CC:-}" cc gcc clang; do
  if [ -n "$compiler" ] && command -v "$compiler" > /dev/null 2>&1; then break; fi
  compiler=
done
if [ -z "$compiler" ]; then
  echo "no C compiler (apt-get install -y gcc libc6-dev)"
  exit 1
fi
mkdir -p "$(dirname -- "$out")"
# Who starts meanwhile waits for it, and finds it built: on a busy machine each further compiler makes all of them slower.
if command -v flock > /dev/null 2>&1; then
  exec 9< "$(dirname -- "$out")"
  flock 9
  if [ -x "$out" ] && [ "$out" -nt "$newest" ]; then exit 0; fi
fi
# Written aside and moved, so that nobody starts half a program; the name is this process's own.
made=$out.$$
trap 'rm -f "$made" "$made.log"' EXIT
if "$compiler" -std=gnu11 -static -O2 -Wall -Wextra -Werror -Wformat=2 -Wno-format-nonliteral -fstack-protector-strong \
  -fno-common -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -Wl,-z,relro,-z,now -Wl,-z,noexecstack -s -o "$made" \
  sandd.c owner.c table.c handles.c spares.c program.c messages.c instance.c exec.c keeper.c relay.c tree.c root.c rights.c cgroups.c allowed.c files.c restricted.c become.c look.c probe.c \
  network.c netlink.c firewall.c uplink.c pasta.c pasta-run.c ask.c doorway.c beyond.c probe-network.c > "$made.log" 2>&1; then
  mv -f "$made" "$out"
else
  echo "$compiler failed: $(grep -m 1 -E 'error|cannot' "$made.log" || head -n 1 "$made.log")"
  exit 1
fi
