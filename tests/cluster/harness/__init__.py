"""The parts of the suite: processes, keys, the control plane, loads, the servers of one case, the record, and the
functions that cases use."""
