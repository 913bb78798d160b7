"""Checks what the demo promises over its whole day: less time short of replicas, for at most a tenth more of them."""

import json
import sys

document = json.load(sys.stdin)
score = {row["name"]: row for row in document["strategies"]}
predictive, reactive = score["predictive"], score["reactive"]
print(
    f"short of replicas: predictive {predictive['tau_u']:.2f} %, reactive {reactive['tau_u']:.2f} %; "
    f"replica-hours {predictive['replica_hours'] / reactive['replica_hours']:.3f} of reactive; "
    f"{document['calls']} calls"
)
assert document["schema"] == 1 and document["steps"], "steps are missing"
assert predictive["tau_u"] < reactive["tau_u"], "predictive is short as often as reactive"
assert predictive["replica_hours"] <= 1.10 * reactive["replica_hours"], "predictive costs over a tenth more"
