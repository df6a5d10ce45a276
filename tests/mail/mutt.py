# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's mutt in a terminal that nobody watches: what it shows of one mail."""

import os
import subprocess
from pathlib import Path

from tests.mail.people import Person

PATIENCE = 30.0
_KEYS = "<display-message><exit>"
_CONFIG = """\
set crypt_use_gpgme=yes crypt_verify_sig=yes
set pager="cp %s {shown} #" prompt_after=no wait_key=no
set sort=date mail_check=0 charset=utf-8 send_charset=utf-8
set folder={folder} record="" postponed=""
set header_cache="" message_cachedir="" history_file=/dev/null certificate_file=/dev/null
ignore *
unignore from to subject
unset mark_old
unset confirmappend
push "{keys}"
"""


def read_with_mutt(folder: Path, reader: Person, raw: bytes) -> str:
    """Put a mail into a mailbox, let mutt open it by gpgme, and return the page that it shows."""
    for name in ("new", "cur", "tmp"):
        (folder / "mutt" / name).mkdir(parents=True)
    (folder / "mutt" / "new" / "one").write_bytes(raw)
    shown, config = folder / "shown", folder / "muttrc"
    config.write_text(_CONFIG.format(folder=folder, shown=shown, keys=_KEYS))
    environment = {
        **os.environ,
        "GNUPGHOME": str(reader.home),
        "HOME": str(folder),
        "TERM": "vt100",
        "LC_ALL": "C.UTF-8",
    }
    mutt = f"mutt -n -R -F {config} -f {folder / 'mutt'}"
    # It wants a terminal, which script(1) gives it.
    subprocess.run(
        ["script", "-qec", mutt, "/dev/null"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    return shown.read_text(encoding="utf-8")
