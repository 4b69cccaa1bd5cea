"""What goes wrong with AWS, in words: one form for every API that is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import botocore.exceptions
import botocore.parsers

from swarmctl.errors import SwarmctlError
from swarmctl.reading.texts import one_line

MAX_REASON = 500  # characters of an answer that are shown


class CloudError(SwarmctlError):
    """AWS cannot be used, or refused a call.

    Attributes:
        code: AWS's name of the error without ``Exception``; ``""`` when there was no answer.
    """

    def __init__(self, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


@contextmanager
def errors_in_words(
    api: str, kind: type[CloudError] = CloudError, *, with_code: bool = True
) -> Iterator[None]:
    """Turn every error that botocore raises for a call into ours.

    Args:
        api: as messages name it.
        kind: what to raise.
        with_code: whether AWS's name of the error is said; EC2's messages are clear without.
    """
    try:
        yield
    except botocore.exceptions.ClientError as fault:
        error = fault.response.get("Error", {})
        code = str(error.get("Code", "")).removesuffix("Exception")
        why = one_line(error.get("Message") or str(fault), MAX_REASON)
        words = f"{code}: {why}" if with_code else why
        raise kind(
            f"{api} refused {fault.operation_name}: {words}", _ADVICE.get(code, ""), code
        ) from fault
    except botocore.exceptions.NoCredentialsError as fault:
        raise kind(
            "no AWS credentials were found",
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
            'or, for the lab: eval "$(swarmctl lab env)"',
        ) from fault
    except botocore.exceptions.EndpointConnectionError as fault:
        hint = "check AWS_REGION and the network; for the lab: swarmctl lab status"
        raise kind(str(fault), hint) from fault
    except botocore.parsers.ResponseParserError as fault:  # its text has the whole answer
        why = one_line(str(fault), MAX_REASON)
        raise kind(f"{api} gave an answer that cannot be read: {why}") from fault
    except botocore.exceptions.BotoCoreError as fault:
        raise kind(f"the call to {api} failed: {one_line(str(fault), MAX_REASON)}") from fault


_ADVICE = {
    "AuthFailure": "check the credentials: aws sts get-caller-identity",
    "UnauthorizedOperation": "the credentials lack a permission; see docs/iam/README.md",
    "RequestExpired": "the credentials have expired, or this machine's clock is wrong",
    "IncorrectInstanceState": "wait until the instance is stopped, then try again",
    "IncorrectState": "wait until the instance is stopped, then try again",
    "InvalidInstanceID.NotFound": "it was terminated, or is in another region",
}
