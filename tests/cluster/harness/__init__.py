"""The parts of the suite: processes, keys, the control plane, loads, one case's Forescale, the record, a case's words."""
