# SPDX-License-Identifier: AGPL-3.0-or-later
"""A short config that is right, to be made wrong in one place at a time."""

from pathlib import Path

RIGHT = """\
data_dir: data
master_key_file: secrets/master.key
matrix:
  homeserver: https://matrix.example.org
  user_id: "@helproom:example.org"
  password_file: secrets/matrix.password
queues:
  - name: en
    language: en
    address: help@example.org
    role_name: Help
    fingerprint: "0000111122223333444455556666777788889999"
  - name: de
    language: de
    address: hilfe@example.org
    role_name: Hilfe
    fingerprint: "9999888877776666555544443333222211110000"
operators:
  admins: ["@admin:example.org"]
agents: ["@ana:example.org"]
shifts:
  - {who: "@ana:example.org", days: mon-fri, from: "09:00", to: "17:00", zone: Europe/Paris, queues: [en]}
mail:
  gnupg_home: gnupg
  passphrase_file: secrets/openpgp.passphrase
  submission:
    host: mail.example.org
    user: helproom
    password_file: secrets/submission.password
replies:
  hold: 60s
"""


def write_config(folder: Path, old: str = "", new: str = "") -> Path:
    """Write the config with one piece of it replaced."""
    assert old in RIGHT
    file = folder / "config.yaml"
    file.write_text(RIGHT.replace(old, new, 1) if old else RIGHT)
    return file
