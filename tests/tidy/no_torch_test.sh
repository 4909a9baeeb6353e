#!/bin/sh
# The coordinator, the client and the agent are small: none of the libraries that they would load is torch's. ARGS: binaries.
[ $# -gt 0 ] || { echo "which binaries?"; exit 1; }
status=0
for binary in "$@"; do
  libraries=$(ldd "$binary") || { echo "$binary: ldd failed"; exit 1; }
  if echo "$libraries" | grep -E 'lib(torch|c10|gloo|nccl|cudart)'; then
    echo "$binary loads torch"
    status=1
  fi
done
exit $status
