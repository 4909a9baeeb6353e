#!/bin/sh
PYTHONDONTWRITEBYTECODE=1 exec python3 tests/metrics_elsewhere/follow_run_check.py
