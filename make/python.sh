#!/bin/sh
# Prints the Python that .venv is made with: python3, or the system's where that is clearly faster. A python3 that was
# compiled without profile-guided optimization (pyenv's default) takes up to 1.6 times as long; the images' has it.
system=${SYSTEM_PYTHON:-/usr/bin/python3}
# Hundredths of milliseconds of a loop at its best, or nothing where this Python will not do.
speed() {
  "$1" - 2>/dev/null <<'END'
import ensurepip, sys, time
if sys.version_info < (3, 11):
    sys.exit(1)
def loop():
    began, found = time.process_time(), {}
    for number in range(40_000):
        key = str(number % 100)
        found[key] = found.get(key, 0) + 1
    return time.process_time() - began
print(round(min(loop() for _ in range(9)) * 100_000))
END
}
ours=$(speed python3)
theirs=$(speed "$system")
if [ -n "$theirs" ] && [ "$((theirs * 5))" -lt "$((${ours:-0} * 4))" ]; then
  echo "$system"
elif [ -z "$ours" ] && [ -n "$theirs" ]; then
  echo "$system"
else
  echo python3
fi
