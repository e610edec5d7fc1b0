#!/usr/bin/env bash
# Runs all tests, with nothing left behind when it is interrupted. Arguments are options of pytest, such as `-k lag`.
#
# Tests of Kafka mostly wait, so two run at a time; the others run beside them, and give way to them. What starts
# servers of its own besides Kafka, or computes for long, comes after them, because the bounds of Kafka's are tight.
set -euo pipefail
cd "$(dirname "$0")/.."

# Even one at a time in a worker, so that a test that hangs and is ended takes no other test with it.
pytest=(.venv/bin/pytest --durations=5 --dist loadfile)
# What has a verb of its own: `make scan`.
elsewhere=(tests/scan)
heavy=(tests/commands tests/compose tests/dashboards tests/elastic tests/helm tests/logpath tests/logproof tests/logstash tests/systemd)
grace_seconds=30 # for fixtures to end what they started
no_tests=5       # pytest's exit code where the options leave nothing to run

log=$(mktemp)
running=()
code=$no_tests

alive() {
  local pid
  for pid in "${running[@]}"; do
    kill -0 "$pid" 2>/dev/null && return 0 # said, because in a trap it would be that of before
  done
  return 1
}

end() {
  trap - EXIT INT TERM HUP
  local pid tenths
  for pid in "${running[@]}"; do
    kill -INT -- "-$pid" 2>/dev/null || true # what Ctrl-C does: pytest ends its tests in good order
  done
  tenths=0
  while alive && ((++tenths <= 10 * grace_seconds)); do
    sleep 0.1
  done
  for pid in "${running[@]}"; do
    kill -KILL -- "-$pid" 2>/dev/null || true # guards end the servers
  done
  cat "$log" # what was not shown yet
  rm -f "$log"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Start a command beside this script, in a group of processes of its own, which can be interrupted as a whole. Without
# it (`set -m`) the shell would have the command ignore Ctrl-C.
start() {
  set -m
  "$@" &
  set +m
  running+=("$!")
}

# Wait for a command that was started, and keep the code of the first that failed.
finish() {
  local found=0
  wait "$1" || found=$?
  if ((found != no_tests)) && ((code == 0 || code == no_tests)); then
    code=$found
  fi
}

start nice -n 5 "${pytest[@]}" -n 2 --ignore=tests/kafka "${heavy[@]/#/--ignore=}" "${elsewhere[@]/#/--ignore=}" "$@" >"$log" 2>&1
start "${pytest[@]}" -n 2 tests/kafka "$@"
finish "${running[1]}"
finish "${running[0]}"
running=()
cat "$log"
: >"$log"
start "${pytest[@]}" -n 2 "${heavy[@]}" "$@"
finish "${running[0]}"
running=()
exit "$code"
