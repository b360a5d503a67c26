"""What the tester has to know beyond the OpenAPI documents. Everything that is let pass is named here, with its reason."""

import schemathesis

# Codes by which a national system refuses a request that its contract allows: an amount that does not add up, a
# province that does not exist, a card of somebody else. The connector passes such refusals on as 422. What the host
# itself finds wrong with a request has the code `invalid-request`; a valid request must never be answered with that.
REFUSED_BY_THE_SYSTEM = {"invalid", "rejected", "amount-mismatch"}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if type(failure).__name__ == "RejectedPositiveData" and response.status_code == 422:
        return response.json().get("code") not in REFUSED_BY_THE_SYSTEM
    return True
