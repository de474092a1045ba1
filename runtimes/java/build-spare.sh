#!/bin/sh
# Builds build/spare.so, without which no Java process waits for functions. Needs a C compiler; says in one line when it fails.
set -eu
cd "$(dirname -- "$0")"
for compiler in "${CC:-}" cc gcc clang; do
  if [ -n "$compiler" ] && command -v "$compiler" > /dev/null 2>&1; then break; fi
  compiler=
done
if [ -z "$compiler" ]; then
  echo "no C compiler (apt-get install -y gcc libc6-dev)"
  exit 1
fi
mkdir -p build
made=build/spare.$$
trap 'rm -f "$made"' EXIT
"$compiler" -std=gnu11 -shared -fPIC -O2 -Wall -Wextra -Werror -fstack-protector-strong -Wl,-z,relro,-z,now -Wl,-z,noexecstack -s \
  -o "$made" native/spare.c
mv -f "$made" build/spare.so
