# SPDX-License-Identifier: AGPL-3.0-or-later
"""The text of the config that `helproom init` writes."""

import json
from collections.abc import Mapping

from helproom.cli.answers import Answers

_HEAD = """\
# Helproom's config. Every key is explained in config.yaml.example.
# Paths are relative to this file. Secrets stand in files of their own (chmod 600).

data_dir: data
master_key_file: secrets/master.key
"""


def write_config_text(answers: Answers, fingerprints: Mapping[str, str]) -> str:
    """Return the config as YAML; `fingerprints` has the queues' keys by language."""
    sections = [
        _HEAD,
        _section(
            "matrix",
            homeserver=answers.homeserver,
            user_id=answers.user_id,
            password_file="secrets/matrix.password",  # noqa: S106 - a path
        ),
        _queues(answers, fingerprints),
        f"# Who runs Helproom.\noperators:\n  admins: {_list(answers.admins)}\n",
        f"# Who answers.\nagents: {_list(answers.agents)}\n",
        _mail(answers),
    ]
    return "\n".join(sections)


def _quoted(value: str) -> str:
    """A JSON text is a YAML text too."""
    return json.dumps(value, ensure_ascii=False)


def _list(values: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_quoted, values))}]"


def _section(name: str, **values: str) -> str:
    return "\n".join([f"{name}:", *(f"  {key}: {_quoted(value)}" for key, value in values.items()), ""])


def _queues(answers: Answers, fingerprints: Mapping[str, str]) -> str:
    lines = ["# A room, an address and an OpenPGP key for each language.", "queues:"]
    for queue in answers.queues:
        lines += [
            f"  - name: {queue.language}",
            f"    language: {_quoted(queue.language)}",
            f"    address: {_quoted(queue.address)}",
            f"    role_name: {_quoted(answers.role_name)}",
            f"    fingerprint: {_quoted(fingerprints[queue.language])}",
        ]
    return "\n".join([*lines, ""])


def _mail(answers: Answers) -> str:
    return f"""\
mail:
  gnupg_home: gnupg
  passphrase_file: secrets/openpgp.passphrase
  lmtp:
    listen: 127.0.0.1:2525
  submission:
    host: {_quoted(answers.submission_host)}
    port: {answers.submission_port}
    security: starttls
    user: {_quoted(answers.submission_user)}
    password_file: secrets/submission.password
"""
