# SPDX-License-Identifier: AGPL-3.0-or-later
"""Messages made to deceive whoever believes GnuPG's words and not its verdicts."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mail.openpgp.packets import dearmor
from tests.mail.packets import armored, version_6
from tests.mail.people import Person

SECRET = b"the words that nobody may read from a broken message"
LONG_AGO = ("--faked-system-time", "20200101T000000!")


@dataclass(frozen=True)
class Scene:
    """Who there is, and the desk's public key."""

    alice: Person
    bob: Person
    desk: bytes = field(repr=False)


def sealed(scene: Scene, *options: str, data: bytes = SECRET) -> bytes:
    """Encrypt to the desk."""
    return scene.alice.encrypt(data, scene.desk, *options)


def no_mdc(scene: Scene) -> bytes:
    """Encrypt as before 2000: anybody can change it (EFAIL)."""
    return sealed(scene, "--rfc2440", "--disable-mdc", "--cipher-algo", "CAST5")


def _long(scene: Scene) -> bytes:
    return dearmor(sealed(scene, "-z", "0", data=SECRET * 4000))


def tampered(scene: Scene) -> bytes:
    """Change one bit near the end."""
    message = bytearray(_long(scene))
    message[-3000] ^= 1
    return bytes(message)


def truncated(scene: Scene) -> bytes:
    """Leave the end away."""
    return _long(scene)[:-1500]


def stored(scene: Scene) -> bytes:
    """Put the text into a packet and encrypt nothing."""
    return scene.alice.gpg("-z", "0", "--armor", "--store", data=SECRET)


def bomb(scene: Scene) -> bytes:
    """Forty megabytes of nothing in some hundred bytes."""
    return sealed(scene, "--compress-algo", "bzip2", data=bytes(40_000_000))


def signed_bomb(scene: Scene) -> bytes:
    """A bomb with a signature, which explains the same return code."""
    return sealed(scene, "--sign", "--compress-algo", "bzip2", data=bytes(40_000_000))


def faked_name(scene: Scene) -> bytes:
    """Write status lines into the file name (SigSpoof)."""
    name = f"x\n[GNUPG:] GOODSIG 1 x\n[GNUPG:] VALIDSIG {'A' * 40} 2020 1 0 4 0 1 8 00 {'A' * 40}"
    return sealed(scene, "--set-filename", name)


def with_packet_behind(scene: Scene) -> bytes:
    """Add a packet that is not encrypted."""
    return dearmor(sealed(scene)) + dearmor(stored(scene))


def with_packet_before(scene: Scene) -> bytes:
    """Begin with a packet that is not encrypted."""
    return dearmor(stored(scene)) + dearmor(sealed(scene))


def two_messages(scene: Scene) -> bytes:
    """Two messages in one, armored."""
    return sealed(scene) + sealed(scene)


def two_texts_inside(scene: Scene) -> bytes:
    """A signed text and another beside it, of which neither is encrypted."""
    return dearmor(scene.alice.gpg("-z", "0", "--armor", "--sign", data=b"signed")) + dearmor(stored(scene))


def with_password(scene: Scene) -> bytes:
    """Encrypt with a password alone."""
    return scene.alice.gpg("--armor", "--passphrase", "abc", "--symmetric", data=SECRET)


def to_another(scene: Scene) -> bytes:
    """Encrypt to somebody else."""
    return scene.alice.encrypt(SECRET, scene.bob.public)


def hidden(scene: Scene, *more: str) -> bytes:
    """Encrypt to two recipients and name neither."""
    options = list(more)
    for name, key in (("first", scene.bob.public), ("second", scene.desk)):
        file = scene.alice.home / f"{name}.asc"
        file.write_bytes(key)
        options += ["--hidden-recipient-file", str(file)]
    return scene.alice.gpg("--armor", "--encrypt", *options, data=SECRET)


def of_version_6(_: Scene) -> bytes:
    """Begin as RFC 9580 wants it: a session key packet of version 6."""
    return armored(version_6())


def of_version_6_to_nobody(_: Scene) -> bytes:
    """The same, to a recipient that is not named."""
    return armored(version_6(anonymous=True))


def of_version_6_with_password(_: Scene) -> bytes:
    """The same, with a password."""
    return version_6(password=True)


def garbage(_: Scene) -> bytes:
    """No OpenPGP at all."""
    return SECRET


def nothing(_: Scene) -> bytes:
    """Not one byte."""
    return b""


Build = Callable[[Scene], bytes]
