# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing a mail as WhisperBack writes it: encrypted to the desk, not signed, from nobody."""

from email.encoders import encode_7or8bit
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from mail.openpgp import packets, status
from mail.openpgp.ephemeral_homes import passing_home
from mail.openpgp.keyring import GpgLimits, SealRefused
from mail.openpgp.process import GuardedGpg, in_memory

NOBODY = "devnull@tails.boum.org"
"""The sender of every report; the user's address stands inside."""


def write_report(report: str, *, report_id: str, recipient: str, desk_key: bytes) -> bytes:
    """Return the mail that carries a report (PGP/MIME, RFC 3156, 4) to the armored or binary `desk_key`.

    Raises SealRefused when GnuPG does not encrypt to exactly this key.
    """
    inner = MIMEText(report, "plain", "utf-8")
    version = MIMEApplication("Version: 1\n", "pgp-encrypted", encode_7or8bit)
    sealed = MIMEApplication(
        _encrypt(inner.as_bytes(), desk_key).decode("ascii"),
        "octet-stream",
        encode_7or8bit,
        name="encrypted.asc",
    )
    mail = MIMEMultipart("encrypted", None, [version, sealed], protocol="application/pgp-encrypted")
    mail["Content-Disposition"] = "inline"
    mail["Subject"] = f"Bug report: {report_id}"
    mail["From"] = NOBODY
    mail["To"] = recipient
    return mail.as_bytes()


def _encrypt(data: bytes, key: bytes) -> bytes:
    with passing_home() as home, in_memory([packets.dearmor(key)]) as ring:
        [path], files = ring
        gpg = GuardedGpg(home, GpgLimits())
        run = gpg.run(["--armor", "--encrypt", "--recipient-file", path], data, files=files)
    if run.returncode != 0 or not status.encrypted(run.lines):
        raise SealRefused("GnuPG did not encrypt to the key it was given.")
    return run.data
