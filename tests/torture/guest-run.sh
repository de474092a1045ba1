# Runs a file of tests in a guest: guest-run.sh <word before each line> <file>, or with a tier instead of the file the launchers'
# contract in that tier. The time-out is for all that software emulation does, on a busy machine too.
cd /y
case $2 in
  *.ts) file=$2 ;;
  *) file=tests/contract/sandd-ordinary.ts ;;
esac
SANDD=/usr/bin/sandd SANDD_TIERS=$2 node --test --test-force-exit --test-timeout=600000 "$file" 2>&1 | sed "s/^/guest: $1 /"
