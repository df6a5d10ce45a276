# SPDX-License-Identifier: AGPL-3.0-or-later
# ruff: noqa: E501 - a pattern reads best on one line
"""What in logs leads to a person or their machine: a table of patterns, each with its kind.

All repetitions are bounded or end at the line, and no pattern can fail slowly: logs come from strangers.
The group `secret` is what is replaced. Order counts: what an earlier rule took, a later one does not see.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

_H = "[0-9A-Fa-f]"
_DASH = r"(?:-|\\x2d|_2d|_)"  # as it stands, as systemd escapes it, and as D-Bus does
_TAKEN = re.compile(r"\[(?:[A-Z0-9]+ REMOVED|[a-z0-9]+-[0-9]+)\]")
"""A placeholder, the sender's or ours."""
_EVERYBODY = frozenset(
    {
        "amnesia",
        "root",
        "user",
        "users",
        "live",
        "tails",
        "debian",
        "localhost",
        "tor",
        "debian-tor",
        "nobody",
        "persistent",
        "clearnet",
        "gdm",
        "debian-gdm",
        "tca",
        "tps",
        "sudo",
        "shared",
        "public",
        "default",
        "guest",
        "none",
        "null",
        "unknown",
        "true",
        "false",
        "lo",
        "n/a",
        "not",
    }
)
"""Names that all Tails systems share, or that name nobody."""
_NO_HOSTNAMES = frozenset(
    {"is", "to", "was", "from", "and", "set", "changed", "mode", "service", "user-setup"}
)
"""What follows the word "hostname" in a sentence."""
_UNIT_ENDINGS = frozenset(
    {"service", "socket", "target", "slice", "scope", "mount", "automount", "timer", "path", "device", "swap"}
)
_OPEN_DOMAINS = ("lists.debian.org", "tails.boum.org", "gnome-shell-extensions.gcampax.github.com")
_OPEN_SITES = (
    "tails.net",
    "boum.org",
    "debian.org",
    "torproject.org",
    "kernel.org",
    "gnome.org",
    "freedesktop.org",
    "systemd.io",
    "gnupg.org",
)
_LABELS = frozenset({"TAILS", "Tails", "TailsData", "null", "none"})
_WIRED = re.compile(r"(?:Wired connection|Ethernet) ?\d{0,3}|lo", re.IGNORECASE)


def _is_somebody(value: str) -> bool:
    return value.casefold() not in _EVERYBODY and not value.isdigit()


def _is_hostname(value: str) -> bool:
    return _is_somebody(value) and value.casefold() not in _NO_HOSTNAMES


def _is_local_host(value: str) -> bool:
    return _is_somebody(value.partition(".")[0])


def _is_address(value: str) -> bool:
    domain = re.split("@|%40", value.casefold())[-1]
    return domain.rpartition(".")[2] not in _UNIT_ENDINGS and domain not in _OPEN_DOMAINS


def _is_private_site(value: str) -> bool:
    host = re.split(r"[/:?#]", value.casefold().partition("://")[2], maxsplit=1)[0]
    return not any(host == site or host.endswith(f".{site}") for site in _OPEN_SITES)


def _is_ipv4(value: str) -> bool:
    """Loopback, "any", masks and multicast name nobody, and 0.x is a version."""
    octets = [int(each) for each in value.split(".")]
    if max(octets) > 255:  # noqa: PLR2004
        return False
    address = IPv4Address(bytes(octets))
    return not (address.is_loopback or address.is_multicast or octets[0] in {0, 255})


def _is_network(value: str) -> bool:
    return not _WIRED.fullmatch(value)


def _is_serial(value: str) -> bool:
    """USB tells the index of a string in the same words; it has a digit or two."""
    return any(sign.isdigit() for sign in value) and not (value.isdigit() and len(value) < 4)  # noqa: PLR2004


def _is_label(value: str) -> bool:
    return value.partition(" ")[0] not in _LABELS


@dataclass(frozen=True)
class Rule:
    """One spelling of one kind of secret."""

    kind: str
    pattern: re.Pattern[str]
    is_secret: Callable[[str], bool] | None = None
    spreads: bool = False
    """The same words are replaced wherever else they stand, as they mean nothing but this."""

    def takes(self, value: str) -> bool:
        """Tell whether a match is to be replaced."""
        if not value.strip() or _TAKEN.fullmatch(value.strip()):
            return False
        return self.is_secret is None or self.is_secret(value)


def _quoted(begin: str, quote: str) -> str:
    """What stands in quotes, with quotes inside: up to the last that can be the closing one, else all."""
    # IEEE 802.11 has 32 bytes for a name; escaped, each takes four characters.
    inside = rf"[^\n]{{0,160}}(?={quote}(?:[\s),.;(\]}}]|$))|[^\n]{{0,160}}"
    return rf"{begin}{quote}(?P<secret>{inside})"


_KEYS_OF_NETWORKS = r"(?<![A-Za-z])(?:E?SSID|ssid)[\"']?[ \t]*[:=]?[ \t]*[Pp]?"
_NM_NAMES = (
    r"(?:\b(?:connection|access point|wireless network|Wi-Fi network|[Nn]etwork|'ssid' value)[ :]{1,2}"
    r"|\bop=\"connection[^\n]{0,160} name=|\(" + _H + r"{8}(?:-" + _H + r"{4}){3}-" + _H + r"{12}, ?)"
)
_KEYS_OF_SECRETS = (
    r"\b(?:psk|password|passphrase|passwd|wep[_-]key[0-9]?|private_key_passwd|wpa_passphrase|pin)"
)


def _rule(
    kind: str,
    pattern: str,
    is_secret: Callable[[str], bool] | None = None,
    *,
    spreads: bool = False,
    flags: int = 0,
) -> Rule:
    return Rule(kind, re.compile(pattern, re.MULTILINE | flags), is_secret, spreads)


_KEYS = (
    # An armored key holds its owner's address.
    _rule(
        "key", r"-----BEGIN PGP [A-Z ]{1,30}-----[^-]*(?:-(?!----)[^-]*)*(?:-----END PGP [A-Z ]{1,30}-----)?"
    ),
    _rule("fingerprint", rf"(?<!\w){_H}{{4}}(?: {{1,2}}{_H}{{4}}){{9}}(?!\w)"),
    _rule("fingerprint", rf"^OpenPGP-Key: (?P<secret>(?:0x)?{_H}{{8,40}})$"),
)

_NETWORKS = (
    _rule("password", _KEYS_OF_SECRETS + r"[ \t]*[=:][ \t]*(?!(?:session|auth|account)\))(?P<secret>[^\s,;<>][^\n]{0,200})", flags=re.IGNORECASE),
    *(_rule("essid", _quoted(_KEYS_OF_NETWORKS, quote), spreads=True) for quote in "'\""),
    *(_rule("essid", _quoted(_NM_NAMES, quote), _is_network, spreads=True) for quote in "'\""),
    _rule("essid", r"(?<![A-Za-z])(?:E?SSID|ssid)[ \t]*[:=][ \t]*(?P<secret>(?!P\")[^\s\"'][^\n]{0,160})", spreads=True),
    _rule("essid", r"\b(?:connection\.id|GENERAL\.CONNECTION|^id)[ \t]*[:=][ \t]*(?P<secret>[^\n]{1,160})", _is_network, spreads=True),
    _rule("essid", r"system-connections/(?P<secret>[^/\n]{1,160}?)(?=\.nmconnection|[\"')]|$)", spreads=True),
    _rule("bluetooth", r"\binput: (?P<secret>[^\n]{1,200}?) as /devices/virtual/", spreads=True),
    _rule("bluetooth", rf"\bDevice (?:{_H}{{2}}[:_-]){{5}}{_H}{{2}} (?P<secret>(?![A-Za-z]{{2,20}}: )[^\n]{{1,250}})", spreads=True),
    _rule("bluetooth", r"^[ \t]{0,40}(?:Name|Alias|Device name|Local name):[ \t]{1,8}(?P<secret>\S[^\n]{0,250})", spreads=True, flags=re.IGNORECASE),
    _rule("bluetooth", _quoted(r"(?:\bhci[0-9]|\b[Bb]luetoothd?)[^'\n]{0,120}(?:name|device|Alias)[ =:]{1,3}", "['\"]"), spreads=True),
)  # fmt: skip

_DISKS = (
    _rule("serial", rf"by{_DASH}id[-/](?P<secret>[^\s\"',]{{1,255}})"),
    _rule("disk", r"\bata[0-9]{1,3}\.[0-9]{2}: ATA(?:PI)?(?:-[0-9]{1,2})?: (?P<secret>[^\n]{1,120}?)(?=, max |$)"),
    _rule("serial", r"\biSerial[ \t]{1,40}[0-9]{1,3}[ \t](?P<secret>\S[^\n]{0,200})", spreads=True),
    _rule("serial", r"(?:serial(?:[ _-]?(?:number|no\.?|short)|#)?|\bS/N|\bSN|asset[ _]tag|service[ _]tag)[\"']?[ \t]{0,40}[:=]#?[ \t]{0,40}[\"']?(?!8250/)(?P<secret>[^\s\"',;]{2,200}(?: [A-Z0-9-]{2,40}){0,3})", _is_serial, spreads=True, flags=re.IGNORECASE),
    _rule("serial", r"\b[Ss]erial(?: [Nn]umber| [Nn]o\.?)? (?P<secret>(?=[A-Z-]{0,40}[0-9])[A-Z0-9][A-Z0-9-]{6,40})(?!\w)", spreads=True),
    _rule("serial", r"\b(?:imei(?:sv)?|imsi|iccid|meid|msisdn)\b[^\w\n]{1,4}(?P<secret>[0-9]{8,20})", spreads=True, flags=re.IGNORECASE),
    _rule("serial", rf"\bwwn(?: device id)?[: \t]{{1,4}}(?P<secret>{_H} {_H}{{6}} {_H}{{9}})(?!{_H})", flags=re.IGNORECASE),
    _rule("serial", rf"\b(?:wwn|wwid|naa|eui|nguid)[\"']?[-.:= \t]{{1,4}}[\"']?(?P<secret>(?:0x)?{_H}[0-9A-Fa-f.]{{7,63}})", flags=re.IGNORECASE),
    _rule("uuid", rf"(?:(?<!{_H})|(?<=_2d)|(?<=\\x2d)){_H}{{8}}(?:{_DASH}{_H}{{4}}){{3}}{_DASH}{_H}{{12}}(?!{_H})"),
    _rule("uuid", rf"uuid[\"']?[ \t]{{0,4}}[:=][ \t]{{0,4}}[\"']?(?P<secret>{_H}[0-9A-Fa-f-]{{3,63}})", flags=re.IGNORECASE),
    _rule("uuid", rf"\buuid[ \t]{{1,4}}(?P<secret>{_H}{{4}}-{_H}{{4}})(?![\w-])", flags=re.IGNORECASE),
    _rule("uuid", rf"by{_DASH}(?:part)?uuid[-/](?P<secret>{_H}(?:{_H}|{_DASH}){{3,63}}?)(?![0-9A-Fa-f\\_-])"),
    _rule("uuid", r"(?<![\w-])(?=[0-9-]{0,8}[A-F])[0-9A-F]{4}-[0-9A-F]{4}(?![\w-])"),
    _rule("uuid", rf"(?<![0-9A-Za-z])(?<!Bug report: )(?<!wb:)(?<!md5:){_H}{{32}}(?![0-9A-Za-z])"),
    _rule("label", rf"by{_DASH}label[-/](?P<secret>[^\s\"',]{{1,255}})", _is_label),
    _rule("label", r"(?<![a-z])(?:part)?label\"?[ \t]{0,4}[:=][ \t]{0,4}\"(?P<secret>[^\"\n]{1,255})", _is_label, flags=re.IGNORECASE),
    _rule("label", r" type \S{1,30} \([^)\n]{0,400}\) \[(?P<secret>[^\n]{1,255})\]$", _is_label),
)  # fmt: skip

_PEOPLE = (
    _rule("fingerprint", rf"\$?(?<![0-9A-Fa-f])[0-9A-F]{{40}}(?!{_H})"),
    _rule("fingerprint", rf"\b(?:[Bb]ridge|obfs4|webtunnel|snowflake|meek_lite|vanilla)\b[^\n]{{0,200}}?(?<![0-9A-Fa-f])(?P<secret>{_H}{{40}})(?!{_H})"),
    _rule("fingerprint", r"\bcert=(?P<secret>[A-Za-z0-9+/=]{20,200})"),
    _rule("onion", r"(?<![a-z2-7])(?:[a-z2-7]{56}|[a-z2-7]{16})\.onion\b", flags=re.IGNORECASE),
    _rule("url", r"\b(?:https?|ftp|wss?|magnet|socks5h?)://[^\s\"'<>\[\]]{1,2000}", _is_private_site, flags=re.IGNORECASE),
    _rule("account", r"(?<![\w@])@[\w.=/+-]{1,255}:[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?![\w@])"),
    _rule("email", r"[\w.+'=-]{1,64}+(?:@|%40)[\w-]{1,63}+(?:\.[\w-]{1,63}+){1,8}", _is_address),
    _rule("email", r"\"[^\"\n]{1,64}\"@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"),
    _rule("email", r"(?<![\w.+'-])[\w.+'-]{1,64} @ [\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z]{2,24}\b"),
    _rule("email", r"(?<![\w.+'-])[\w.+'-]{1,64} AT [\w-]{1,63}(?: DOT [\w-]{1,63}){1,8}"),
    _rule("email", r"(?<![\w.+'-])[\w.+'-]{1,64} ?(?:\(at\)|\[at\]|\{at\}|<at>) ?[\w-]{1,63}(?:(?:\.| ?(?:\(dot\)|\[dot\]|\{dot\}|<dot>) ?)[\w-]{1,63}){1,8}", flags=re.IGNORECASE),
    _rule("file", r"/(?:Persistent|Documents|Desktop|Downloads|Pictures|Music|Videos|Tor Browser|dotfiles)/(?P<secret>[^\n\"':;)>]{1,255})"),
    _rule("label", r"/media/[^\s/\"']{1,64}/(?P<secret>(?:\\ | (?!type )(?=[^\s/\"'][^\n/\"']{0,40}(?:/| type |$))|[^\s/\"':,;)>]){1,255})", _is_label),
    _rule("label", r"/Volumes/(?P<secret>(?:\\ | (?=[^\s/\"'][^\n/\"']{0,40}(?:/|$))|[^\s/\"':,;)>]){1,255})", _is_label),
    _rule("user", r"/(?:home|run/media|media|Users|AccountsService/(?:users|icons))/(?P<secret>(?!user/)(?:\\ |%20|[^\s/\\\"'<>:,;()\[\]]){1,64})", _is_somebody, spreads=True),
    _rule("user", r"\b[A-Za-z]:(?:\\{1,2}|/)(?:Users|Documents and Settings)(?:\\{1,2}|/)(?P<secret>[^\\/\n\"'<>:;,]{1,64}?)(?=[\\/\n\"'<>:;,]|$)", _is_somebody, spreads=True, flags=re.IGNORECASE),
    _rule("user", r"\b(?:(?:for|of|by) (?:invalid )?user|USER|USERNAME|LOGNAME|user(?:name)?)[= ]'?(?P<secret>[A-Za-z_][\w.-]{0,63})(?=[\s(';,]|$)", _is_somebody),
    _rule("user", r"(?:\b(?:[ea]?uid|gid|groups)=\d{1,10}|(?<=,)\d{4,10})\((?P<secret>[A-Za-z_][\w.-]{0,63})\)", _is_somebody, spreads=True),
    _rule("user", r"\b(?:Accepted|Failed) [\w/-]{1,30} for (?:invalid user )?(?P<secret>[\w.-]{1,64})(?= from )", _is_somebody, spreads=True),
    _rule("user", r"(?<![\w/~.])~(?P<secret>[A-Za-z_][\w.-]{0,63})/", _is_somebody, spreads=True),
    _rule("user", r"\bsudo(?:\[\d{1,8}\])?:[ \t]{1,20}(?P<secret>[A-Za-z_][\w.-]{0,63}) : ", _is_somebody, spreads=True),
    _rule("user", r"(?<![\w.@-])(?P<secret>[A-Za-z_][\w-]{0,63})@[A-Za-z][\w-]{0,63}:[~/]", _is_somebody, spreads=True),
    _rule("host", r"@(?P<secret>[A-Za-z][\w-]{0,63}):[~/]", _is_somebody, spreads=True),
    _rule("host", r"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S{8,30}) (?P<secret>[^\s:\[]{1,64}) (?=[^\s:\[]{1,64}(?:\[\d{1,8}\])?: )", _is_somebody, spreads=True),
    _rule("host", r"(?:\bhost[-_]?name(?: set)?(?: to|[ \t]{0,20}=>|:|=|)|\bnodename:?)[ \t]{0,8}['\"<]?(?P<secret>[A-Za-z0-9][\w.-]{0,253})(?=['\">\s,;]|$)", _is_hostname, spreads=True, flags=re.IGNORECASE),
    _rule("host", r"\bdomain_name[ \t]{1,20}=> '(?P<secret>[^'\n]{1,253})'"),
    _rule("host", r"(?<![\w.-])[A-Za-z0-9][\w-]{0,63}(?:\.[\w-]{1,63}){0,4}\.(?:local|lan|home|localdomain|internal|fritz\.box|home\.arpa|speedport\.ip|in-addr\.arpa|ip6\.arpa)(?![\w.-]*\w)", _is_local_host),
)  # fmt: skip

_VERSION_BEFORE = (
    r"(?<!version )(?<!Version )(?<!version: )(?<!Version: )(?<!version=)(?<!\bkernel )(?<!\bLinux )(?<!\blinux )"
    r"(?<!\bdriver )(?<!\bfirmware )(?<!\brelease )(?<!\brev )(?<!\bver )(?<!\bAPI )(?<!\bBIOS )(?<!\bTor )(?<!\bTails )"
)
_ADDRESSES = (
    _rule("mac", rf"(?:wl|en|ww|sl|ib)x(?P<secret>{_H}{{12}})(?!{_H})"),
    _rule("mac", rf"\b(?:mac|hwaddr|hw_addr|ether|bssid|lladdr|bd_?addr|addr|address|station|ieee)[ \t:=_-]{{0,4}}(?:(?:is|address|addr|of|now)[ \t:=]{{1,3}}){{0,2}}[\"'(<]?(?:0x)?(?P<secret>{_H}{{12}}|{_H}{{2}}(?: {_H}{{2}}){{5}})(?!{_H})", flags=re.IGNORECASE),
    _rule("mac", rf"(?<![\w.+-])(?<!commit )(?={_H}{{0,11}}[A-Fa-f])(?={_H}{{0,11}}[0-9]){_H}{{12}}(?![\w+-])(?!\.\w)"),
    *(_rule("mac", rf"(?<!{_H})(?<!{_H}{separator}){_H}{{2}}(?:{separator}{_H}{{2}}){{5,63}}(?!{_H})(?!{separator}{_H})") for separator in (":", "-", "_", r"\\x3a")),
    _rule("mac", rf"(?<![\w:.])(?:{_H}{{1,2}}:){{5}}{_H}{{1,2}}(?![\w:])"),
    _rule("mac", rf"(?<!{_H})(?:{_H}{{2}}%3[Aa]){{5}}{_H}{{2}}(?!{_H})"),
    _rule("mac", rf"(?<![\w.]){_H}{{4}}\.{_H}{{4}}\.{_H}{{4}}(?![\w.]*\w)"),
    _rule("ipv6", r"(?<=\[IPV6 REMOVED\])[0-9A-Fa-f:]{2,45}"),
    _rule("ipv4", rf"{_VERSION_BEFORE}(?<![\w.])(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?!\.?\d)(?![A-Za-z~+_])(?!-(?!(?:\d{{1,3}}\.){{3}}))", _is_ipv4),
    _rule("ipv4", r"(?<![\d.])192\.168\.\d{1,3}\.\d{1,3}(?!\d)", _is_ipv4),
    _rule("ipv4", r"(?:\bIP|>) (?P<secret>(?:\d{1,3}\.){3}\d{1,3})(?=\.\d)", _is_ipv4),
)  # fmt: skip

RULES = (*_KEYS, *_NETWORKS, *_DISKS, *_PEOPLE, *_ADDRESSES)

HEX_RUN = re.compile(r"(?<![0-9A-Fa-f:.])[0-9A-Fa-f.]*+:[0-9A-Fa-f:.]*+")


def ipv6_in(run: str, *, after_word: bool, before_word: bool) -> str | None:
    """Return the IPv6 address in a run of hexadecimal digits, colons and dots; None if there is none.

    The first or last piece of a run that touches a word belongs to the word ("std::runtime").
    """
    if after_word:
        run = run[run.index(":") :]
    if before_word:
        run = run[: run.rindex(":") + 1]
    shorter = run if run.endswith("::") else run.rstrip(".").removesuffix(":")
    for tried in (
        run,
        shorter,
        run.partition(".")[0],
        shorter.removeprefix(":"),
        shorter.rpartition(":")[0].removeprefix(":"),
    ):
        is_of_words = (after_word or before_word) and len(tried.strip(":").split(":")) == 1
        if _is_ipv6(tried) and not is_of_words:
            return tried
    # What is left of an address whose head was taken still holds the machine's own half.
    return run.strip(":.") if _EUI64.search(run) else None


_EUI64 = re.compile(rf"(?:^|:){_H}{{0,2}}ff:fe{_H}{{2}}:{_H}{{1,4}}(?:$|:)", re.IGNORECASE)


def _is_ipv6(text: str) -> bool:
    try:
        address = IPv6Address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback or address.is_multicast)
