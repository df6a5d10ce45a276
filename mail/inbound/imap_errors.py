# SPDX-License-Identifier: AGPL-3.0-or-later
"""What goes wrong with an IMAP server, as sentences without the server's own words, which may name people."""

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from mail.inbound.mailbox import LoginRefused, MailboxTrouble

_CODE = re.compile(r"\[([A-Z][A-Z-]{1,30})[\] ]")
_NOT_UNDERSTOOD = (AssertionError, LookupError, TypeError, ValueError)
"""What the library raises for answers that are no IMAP."""


@contextlib.contextmanager
def told(
    wish: str = "do what it is asked for", refusal: type[MailboxTrouble] = MailboxTrouble
) -> Iterator[None]:
    """Raise MailboxTrouble for what goes wrong in the block; `refusal` when the server says no."""
    try:
        yield
    except LoginError as error:
        raise LoginRefused(f"The mail server refuses the login{_code(error)}.") from None
    except IMAPClientAbortError as error:
        raise MailboxTrouble(f"The mail server has ended the connection{_code(error)}.") from None
    except IMAPClientError as error:
        raise refusal(f"The mail server does not {wish}{_code(error)}.") from None
    except OSError as error:
        raise MailboxTrouble(_of_line(error)) from None
    except _NOT_UNDERSTOOD:
        raise MailboxTrouble("The mail server's answer cannot be understood.") from None


def _code(error: Exception) -> str:
    """The response code (RFC 9051, 7.1), such as OVERQUOTA: one of a fixed list of words."""
    found = _CODE.search(str(error))
    return f" ({found[1]})" if found else ""


def _of_line(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The mail server's certificate is not trusted: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return "The mail server makes no secure connection; maybe it wants the other kind of security."
    if isinstance(error, socket.gaierror):
        return "The mail server's name is not known."
    if isinstance(error, TimeoutError):
        return "The mail server does not answer in time, or it wants the other kind of security."
    if isinstance(error, FileNotFoundError):
        return "The ca_file does not exist."
    return f"The mail server cannot be reached: {error.strerror or type(error).__name__}."
