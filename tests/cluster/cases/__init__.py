"""One case a file: LOADS, what it is under; SITE, what servers it has, where they differ from one; `prepare`, before they
start, where there is something to prepare; and `run`."""
