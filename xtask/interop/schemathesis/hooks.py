"""What the tester has to know beyond the OpenAPI documents. Everything that is let pass is named here, with its reason."""

import itertools
import os
import re

import schemathesis
from hypothesis import strategies as st

# A number of 64 bits is a text of digits. How large it may be, the document says in words: as a pattern it would be
# unreadable. And docs/contracts.md promises more than the document asks for: such a number may come as a JSON number.
# The tester is told both, so that it tries the bounds, and numbers. (Answers hold texts only; that the clients rely on.)
UNSIGNED = (0, 2**64 - 1)
SIGNED = (-(2**63), 2**63 - 1)


def below(most):
    """A pattern of the numbers from 0 to one of nineteen or twenty digits."""
    digits = str(most)
    smaller = [
        f"{digits[:place]}[0-{int(digit) - 1}][0-9]{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if digit != "0"
    ]
    return "|".join([f"[0-9]{{1,{len(digits) - 1}}}", *smaller, digits])


def number(least, most):
    pattern = f"{below(most)}|-({below(-least)})" if least else below(most)
    return {
        "anyOf": [
            {"type": "string", "pattern": f"^({pattern})$"},
            {"type": "integer", "minimum": least, "maximum": most},
        ]
    }


FORMATS = {"uint64": number(*UNSIGNED), "int64": number(*SIGNED)}


def with_numbers(node):
    if isinstance(node, dict):
        if node.get("type") == "string" and node.get("format") in FORMATS:
            exact = FORMATS[node["format"]]
            for keyword in ("type", "format", "pattern"):
                node.pop(keyword)
            node.update(exact)
        for value in node.values():
            with_numbers(value)
    elif isinstance(node, list):
        for value in node:
            with_numbers(value)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    with_numbers(raw_schema)


# Codes by which a national system refuses a request that its contract allows: an amount that does not add up, a
# province that does not exist, a card of somebody else. The connector passes such refusals on as 422. What the host
# itself finds wrong with a request has the code `invalid-request`; a valid request must never be answered with that.
REFUSED_BY_THE_SYSTEM = {"invalid", "rejected", "amount-mismatch"}


# A component to publish: bytes, which are refused unless they are one.
schemathesis.openapi.media_type("application/wasm", st.binary(max_size=64))


# An idempotency key belongs to one request: with the key of another, which the tester's boundary values are soon, every
# request is refused for that alone. So each valid key is exchanged for a new one; wrong ones stay wrong.
KEY = re.compile(r"[!-~]{1,255}")
keys = itertools.count(1)


@schemathesis.hook
def before_call(context, case, kwargs):
    key = (case.headers or {}).get("idempotency-key")
    if isinstance(key, str) and KEY.fullmatch(key):
        case.headers["idempotency-key"] = f"case-{os.getpid()}-{next(keys)}"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if type(failure).__name__ == "RejectedPositiveData" and response.status_code == 422:
        return response.json().get("code") not in REFUSED_BY_THE_SYSTEM
    # The value of a secret is any text: whatever else the tester writes into such a body is text as well.
    if type(failure).__name__ == "AcceptedNegativeData" and getattr(case, "media_type", None) == "text/plain":
        return False
    return True
