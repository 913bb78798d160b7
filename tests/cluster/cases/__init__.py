"""One case per file: LOADS, its loads; SITE, its servers, if more than one is needed; `prepare`, run before they
start, if there is something to prepare; and `run`."""
