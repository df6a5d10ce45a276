# SPDX-License-Identifier: AGPL-3.0-or-later
# ruff: noqa: E501 - a line of a log is a line
"""What leaves the store holds nothing that leads to a person, and all that developers need."""

import ipaddress
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from desk.redaction.redact import redact

UUID = "5d3f6a10-7d2e-4d55-a1f5-1f8f4ad3b1c2"
ONION = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"
FINGERPRINT = "2B280B23E1107BB62ABFC40DDCC8824814F80A72"

# What WhisperBack's own pass leaves, as the lines of a report.
MISSED = [
    ("ata1.00: ATA-8: WDC WD5000BPKX-22HPJT0 WX31A1, 01.01A01, max UDMA/133", "ata1.00: ATA-8: [disk-1], max UDMA/133"),
    (f'   "uuid": "{UUID}",', '   "uuid": "[uuid-1]",'),
    ('   "ptuuid": "17b81da0"', '   "ptuuid": "[uuid-1]"'),
    ('   "partuuid": "17b81da0-01"', '   "partuuid": "[uuid-1]"'),
    ('   "uuid": "7A3E-19C4",', '   "uuid": "[uuid-1]",'),
    ('   "uuid": "01D4A9B2C3D4E5F6"', '   "uuid": "[uuid-1]"'),
    ("vsyscall=none FSUUID=4C1F-A0D2 quiet", "vsyscall=none FSUUID=[uuid-1] quiet"),
    (f"starting connection '[ESSID REMOVED]' ({UUID})", "starting connection '[ESSID REMOVED]' ([uuid-1])"),
    (f"[CRYPT-LUKS2-{UUID.replace('-', '')}-TailsData_unlocked]", "[CRYPT-LUKS2-[uuid-1]-TailsData_unlocked]"),
    ("mac 00-1F-16-AA-BB-CC now", "mac [mac-1] now"),
    (f"Bridge obfs4 192.0.2.7:443 {FINGERPRINT} cert=abcdefghijklmnopqrstuvwxyz/+ iat-mode=0", "Bridge obfs4 [ipv4-1]:443 [fingerprint-1] cert=[fingerprint-2] iat-mode=0"),
    ("(SSID='[ESSID REMOVED]'s Wifi' freq=2437 MHz)", "(SSID='[essid-1]' freq=2437 MHz)"),
    ("SRC=[IPV6 REMOVED]1ff:fe23:4567:890a DST=", "SRC=[IPV6 REMOVED][ipv6-1] DST="),
    ("tail 1ff:fe23:4567:890a left", "tail [ipv6-1] left"),
    ("opened /home/amnesia/Persistent/names of us.odt: ok", "opened /home/amnesia/Persistent/[file-1]: ok"),
]  # fmt: skip

SPELLINGS = [
    ("mac", "link/ether 00:1f:16:aa:bb:cc brd ff", "00:1f:16:aa:bb:cc"),
    ("mac", "HWaddr 00:1F:16:AA:BB:CC", "00:1F:16:AA:BB:CC"),
    ("mac", "from 001f.16aa.bbcc to", "001f.16aa.bbcc"),
    ("mac", "BSSID=001f16aabbcc", "001f16aabbcc"),
    ("mac", "permanent MAC address is 001F16AABBCC", "001F16AABBCC"),
    ("mac", "wlx001f16aabbcc: authenticate", "001f16aabbcc"),
    ("mac", "enx001f16aabbcc: link up", "001f16aabbcc"),
    ("mac", "/org/bluez/hci0/dev_00_1F_16_AA_BB_CC", "00_1F_16_AA_BB_CC"),
    ("mac", "MAC=00:1f:16:aa:bb:cc:11:22:33:44:55:66:08:00 SRC", "00:1f:16:aa:bb:cc:11:22:33:44:55:66:08:00"),
    ("mac", r"dev-00\x3a1f\x3a16\x3aaa\x3abb\x3acc", r"00\x3a1f\x3a16\x3aaa\x3abb\x3acc"),
    ("mac", "mac%3D?a=00%3A1f%3A16%3Aaa%3Abb%3Acc", "00%3A1f%3A16%3Aaa%3Abb%3Acc"),
    ("ipv6", "inet6 addr:fe80::21f:16ff:feaa:bbcc/64", "fe80::21f:16ff:feaa:bbcc"),
    ("ipv6", "[2001:db8::1]:443", "2001:db8::1"),
    ("ipv6", "address fe80::1%wlan0: failed", "fe80::1"),
    ("ipv6", "SRC=2001:0db8:0000:0000:0211:22ff:fe33:4455 ", "2001:0db8:0000:0000:0211:22ff:fe33:4455"),
    ("ipv6", "mapped ::ffff:192.0.2.1.", "192.0.2.1"),
    ("mac", "MAC: 00 1f 16 aa bb cc", "00 1f 16 aa bb cc"),
    ("mac", "the card 001F16AABBCC.", "001F16AABBCC"),
    ("mac", "arp 0:1f:16:a:bb:c on en0", "0:1f:16:a:bb:c"),
    ("ipv4", "SRC=192.168.1.7 DST", "192.168.1.7"),
    ("ipv4", "from 192.168.1.7-router", "192.168.1.7"),
    ("ipv6", "IP6 fd00::1.53 > x", "fd00::1"),
    ("ipv4", "nameserver 203.0.113.5", "203.0.113.5"),
    ("ipv4", "the DNS server 203.0.113.5.", "203.0.113.5"),
    ("ipv4", "to 10.0.0.1:9050, ok", "10.0.0.1"),
    ("ipv4", "range 10.0.0.1-10.0.0.9.", "10.0.0.9"),
    ("ipv4", "IP 10.0.0.1.53 > 10.0.0.2.53:", "10.0.0.2"),
    ("ipv4", "net 203.0.113.0/24", "203.0.113.0"),
    ("uuid", UUID.upper(), UUID.upper()),
    ("uuid", r"dev-disk-by\x2duuid-5d3f6a10\x2d7d2e\x2d4d55\x2da1f5\x2d1f8f4ad3b1c2.device", "1f8f4ad3b1c2"),
    ("uuid", "block_devices/luks_2d5d3f6a10_2d7d2e_2d4d55_2da1f5_2d1f8f4ad3b1c2", "1f8f4ad3b1c2"),
    ("uuid", "/dev/disk/by-uuid/7A3E-19C4 -> ../../sda1", "7A3E-19C4"),
    ("uuid", "/dev/disk/by-partuuid/12345678-01", "12345678-01"),
    ("uuid", "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal", "0123456789abcdef0123456789abcdef"),
    ("uuid", "FAT 7A3E-19C4 found", "7A3E-19C4"),
    ("serial", "iSerial                 3 E0D55EA573F3", "E0D55EA573F3"),
    ("serial", "usb 2-1: SerialNumber: 4C530001", "4C530001"),
    ("serial", "Serial Number: PF0ABC12", "PF0ABC12"),
    ("serial", '  "serial": "S2R5NX0H"', "S2R5NX0H"),
    ("serial", "ID_SERIAL_SHORT=S2R5NX0H", "S2R5NX0H"),
    ("serial", "Asset Tag: NB-0815", "NB-0815"),
    ("serial", "/dev/disk/by-id/usb-SanDisk_Ultra_4C530001-0:0-part1 -> x", "4C530001"),
    ("serial", r"dev-disk-by\x2did-ata\x2dSAMSUNG_S2R5NX0H.device: x", "S2R5NX0H"),
    ("serial", "/dev/disk/by-id/wwn-0x5002538d40878f8e", "5002538d40878f8e"),
    ("serial", '"wwn": "0x5002538d40878f8e"', "5002538d40878f8e"),
    ("essid", 'wlan0  IEEE 802.11  ESSID:"Bob\'s \\"Wifi\\"" Mode:Managed', "Bob"),
    ("essid", "Trying to associate with SSID 'Bob's Wifi'", "Wifi"),
    ("essid", 'CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="Bobs net" auth_failures=1', "Bobs net"),
    ("essid", "Config: added 'ssid' value 'Bobs net'", "Bobs net"),
    ("essid", "Activation: (wifi) access point 'Bobs net' has security", "Bobs net"),
    ("essid", 'Connected to wireless network "Bobs net"', "Bobs net"),
    ("essid", "policy: auto-activating connection 'Bobs net'", "Bobs net"),
    ("essid", 'audit: op="connection-activate" uuid="x" name="Bobs net" pid=1', "Bobs net"),
    ("essid", "/etc/NetworkManager/system-connections/Bobs net.nmconnection", "Bobs net"),
    ("essid", "AP[1].SSID: Bobs net", "Bobs net"),
    ("essid", "802-11-wireless.ssid:        Bobs net", "Bobs net"),
    ("essid", "\tSSID: Bobs net", "Bobs net"),
    ("essid", "ssid=426f6273206e6574", "426f6273206e6574"),
    ("essid", 'ssid=P"Bob\\xe2\\x80\\x99s"', "Bob"),
    ("essid", "event: connect-info, ssid: Bobs net, bss: x", "Bobs net"),
    ("essid", "connection.id:      Bobs net", "Bobs net"),
    ("password", "psk=correct horse battery", "horse"),
    ("email", "write to <Kim.O'Neil+tails@mail.user.example>, please", "Neil+tails"),
    ("email", "search?q=camille%40example.net", "camille"),
    ("account", "I am @kim:matrix.example", "kim"),
    ("onion", f"resolve {ONION}.", ONION),
    ("url", "visited https://secret.example/a?b#c now", "secret.example"),
    ("user", "/home/kim/.config", "kim"),
    ("user", "file:///home/kim%20lee/x", "lee"),
    ("user", "/run/media/kim/", "kim"),
    ("user", r"C:\Users\Kim Lee\AppData", "Kim Lee"),
    ("user", r"c:\\Users\\Kim\\x", "Kim"),
    ("user", "session opened for user kim(uid=1000)", "kim"),
    ("user", "sudo[12]:      kim : TTY=pts/0 ; PWD=/", "kim"),
    ("user", "kim@amnesia:~$ ls", "kim"),
    ("user", "uid=1000(kim) gid=1000(kim) groups=1000(kim),27(sudo),1001(kim)", "kim"),
    ("user", "sshd[7]: Accepted password for kim from port 22", "kim"),
    ("user", "sshd[7]: Failed password for invalid user kim from port 22", "kim"),
    ("user", "cat ~kim/notes", "kim"),
    ("email", '"kim lee"@mail.example', "kim"),
    ("email", "kim @ mail.example", "kim"),
    ("email", "kim AT mail DOT example", "kim"),
    ("host", "dhcp4 (wlan0):   option host_name            => 'kims-laptop'", "kims-laptop"),
    ("host", "dhcp4 (wlan0):   option domain_name          => 'kim.example'", "kim.example"),
    ("uuid", "UUID 1234-5678", "1234-5678"),
    ("label", "/Volumes/Kim Lee/a", "Lee"),
    ("email", "write to kim (at) example.org", "kim"),
    ("email", "kim[at]mail.example [dot] org", "kim"),
    ("serial", "Serial No.: 12345678", "12345678"),
    ("serial", "Serial#: C02ABC12345", "C02ABC12345"),
    ("serial", "nvme nvme0: serial S4EVNX0R123456", "S4EVNX0R123456"),
    ("serial", "LU WWN Device Id: 5 000c50 0a1b2c3d4", "0a1b2c3d4"),
    ("serial", "modem: IMEI: 356938035643809", "356938035643809"),
    ("label", "/media/amnesia/Kims-Stick", "Kims-Stick"),
    ("label", "/media/amnesia/Kim Lee Stick/a", "Lee"),
    ("label", "/dev/sdb1 16G 1% /media/amnesia/Kim Lee", "Lee"),
    ("label", "/dev/sdb1 on /media/amnesia/Kim Lee type vfat (rw,nosuid)", "Lee"),
    ("label", "/dev/disk/by-label/Kims", "Kims"),
    ("label", '"label": "Kims stick",', "Kims stick"),
    ("label", "/dev/sdb1 on /mnt type vfat (ro,noatime) [Kims stick]", "Kims stick"),
    ("host", "Nov 14 10:03:12 kims-laptop kernel: x", "kims-laptop"),
    ("host", "systemd[1]: Hostname set to <kims-laptop>.", "kims-laptop"),
    ("host", "dhclient: hostname 'kims-laptop'", "kims-laptop"),
    ("host", "avahi: found kims-laptop.local.", "kims-laptop"),
    ("host", "amnesia@kims-laptop:~$", "kims-laptop"),
    ("bluetooth", "Device 00:1F:16:AA:BB:CC Kim's AirPods", "AirPods"),
    ("bluetooth", "input: Kim's AirPods (AVRCP) as /devices/virtual/input/input25", "AirPods"),
    ("bluetooth", "\tAlias: Kim's phone", "phone"),
    ("bluetooth", "Bluetooth: hci0: remote name 'Kim's phone'", "phone"),
    ("fingerprint", "OpenPGP-Key: A490 D0F4 D311 A415 3E2B  B7CA DBB8 02B2 58AC D84F", "58AC D84F"),
    ("fingerprint", "OpenPGP-Key: 0x58ACD84F", "58ACD84F"),
    ("key", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME-x\n-----END PGP PUBLIC KEY BLOCK-----", "mDME-x"),
    ("key", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEawN7wRY", "mDMEawN7wRY"),
    ("fingerprint", f"guard ${FINGERPRINT}~nick", FINGERPRINT),
    ("fingerprint", f"obfs4 1 {FINGERPRINT.lower()}", FINGERPRINT.lower()),
]  # fmt: skip

KEPT = """\
Nov 14 10:03:12 amnesia kernel: Linux version 6.1.0-27-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)
Linux 6.1.0.31 and linux-image-6.1.0.31-amd64, version 1.2.3.4, driver 6.30.223.271, firmware 24.11.0.1, 36.79ff3ccf.0
version 1.2.3.4 and v1.2.3.4 and 1.2.3.4-1~deb12u1 and 1.2.3.4+dfsg and 1.2.3.4.5 and 390.157.0.1
pci 0000:00:1f.2: [8086:9c83] type 00 class 0x010600
03:00.0 Network controller [0280]: Intel Corporation Wireless 7265 [8086:095b] (rev 59)
sd 2:0:0:0: [sda] 60062500 512-byte logical blocks: (30.8 GB/28.6 GiB)
usb 2-1: New USB device found, idVendor=0bda, idProduct=b00a, bcdDevice= 1.00
usb 2-1: New USB device strings: Mfr=1, Product=2, SerialNumber=3
Serial: 8250/16550 driver, 4 ports, IRQ sharing enabled
BIOS-e820: [mem 0x000000022adf559a-0x000000084155d7ef] reserved
2024-11-14T10:03:12.345678+01:00 and 2024-11-14 10:03:12 and 10:03:12.345 and 01:02
TAILS_GIT_COMMIT="5a1c3bd0f6a4b3f4f93a9c0e6d0c1b2a39485766"
terminate called after throwing an instance of 'std::runtime_error' in Foo::Bar and de::Backend
listening on 127.0.0.1:9050, 0.0.0.0, [::1]:9050 and 224.0.0.251, mask 255.255.255.0
Starting tor@default.service, user@1000.service, getty@tty1.service and dev-sda1.device
PWD=/home/amnesia ; USER=root ; COMMAND=/usr/local/sbin/tails-debugging-info
tsc: mask: 0xffffffffffffffff max_cycles: 0x2b2c7bc1b5a, at 0x001f16aabbcc, commit 1a2b3c4d5e6f, ~rc1 and 1.2~rc1/x
00000000: 00 1f 16 aa bb cc 00 1f, serial 8250, Serial number 3 of 4, uid=0(root), status=203(EXEC), 202411141003
gdm-password]: pam_unix(gdm-password:session): session opened for user amnesia(uid=1000) by (uid=0)
Intel(R) Core(TM) i7 CPU @ 2.40GHz and mmc0 @ pci 1.2
/dev/sda1 on /media/amnesia/TAILS type vfat (ro,noatime,fmask=0022)
/home/amnesia/.mozilla and /media/amnesia/TAILS and "label": "TailsData" and by-label/TAILS
amnesia@amnesia:~$ ls
https://gitlab.tails.boum.org/tails/tails/-/issues/12345 and http://www.debian.org/support
iwlwifi 0000:03:00.0 wlan0: renamed from wlp3s0
starting connection 'Wired connection 1'
[MAC REMOVED] (SSID='[ESSID REMOVED]' freq=2437 MHz) SRC=[IPV4 REMOVED] [UUID REMOVED] [SN REMOVED]
Bug report: 40cd8f2ebf1326ba950bb700fcf4e633
   12345 function calls in 0.812 seconds; 8086-1616; 2023-2024"""


@pytest.mark.parametrize(("line", "left"), MISSED)
def test_what_the_sender_s_pass_misses_is_found(line: str, left: str):
    assert redact(line).text == left


@pytest.mark.parametrize(("kind", "line", "secret"), SPELLINGS)
def test_each_spelling_is_known(kind: str, line: str, secret: str):
    found = redact(line)
    assert secret not in found.text
    assert f"[{kind}-1]" in found.text
    assert found.counts[kind] >= 1


@pytest.mark.parametrize("line", KEPT.split("\n"))
def test_what_developers_need_is_kept(line: str):
    assert redact(line).text == line


def test_one_secret_has_one_name_whatever_its_spelling():
    found = redact("00:1f:16:aa:bb:cc and 001F.16AA.BBCC and 00-1F-16-AA-BB-CC, but 00:1f:16:aa:bb:cd")
    assert found.text == "[mac-1] and [mac-1] and [mac-1], but [mac-2]"
    assert found.counts == {"mac": 4}


def test_a_name_that_was_found_once_is_found_wherever_it_stands():
    found = redact(
        "yes:Bobs Hütte:80\nssid='Bobs Hütte' freq=1\nNov 14 10:03:12 kims-pc a: b\nfrom kims-pc, Bobs x"
    )
    assert found.text == (
        "yes:[essid-1]:80\nssid='[essid-1]' freq=1\nNov 14 10:03:12 [host-1] a: b\nfrom [host-1], Bobs x"
    )


def test_what_is_redacted_stays_as_it_is():
    once = redact("\n".join(line for _, line, _ in SPELLINGS)).text
    assert redact(once).text == once


HEX = "0123456789abcdef"
PAIRS = st.lists(st.text(HEX, min_size=2, max_size=2), min_size=6, max_size=6)
NAME = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=5, max_size=20)
AROUND = st.sampled_from(["", " ", "\n", "(", "[", '"', "'", ", ", "= ", ": ", "\t", "<", ">", ";"])


@st.composite
def secrets_in_lines(draw: st.DrawFn) -> tuple[str, str]:
    """Return a line and the secret in it."""
    before, after = draw(AROUND), draw(AROUND)
    pairs, name = draw(PAIRS), draw(NAME)
    essid = draw(
        st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=32)
    )
    user = draw(st.from_regex(r"[b-z][a-z0-9-]{4,20}", fullmatch=True))
    quads = str(draw(st.ip_addresses(v=4)))
    uuid = str(draw(st.uuids()))
    by_itself = draw(
        st.sampled_from([
            draw(st.sampled_from([":".join(pairs), "-".join(pairs), "_".join(pairs)])),
            re.sub(r"(....)(?!$)", r"\1.", "".join(pairs)),
            uuid, uuid.upper(), uuid.replace("-", r"\x2d"), uuid.replace("-", ""),
            str(draw(st.ip_addresses(v=6))), draw(st.ip_addresses(v=6)).exploded, quads,
            f"{user}@{draw(st.from_regex(r'[a-z]{2,9}[.](?:org|example)', fullmatch=True))}",
            draw(st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=56, max_size=56)) + ".onion",
        ])
    )  # fmt: skip
    in_context = draw(
        st.sampled_from([
            (f"(SSID='{essid}' freq=2412 MHz)", essid), (f'ESSID:"{essid}"', essid), (f"ssid={essid}", essid),
            (f"starting connection '{name}' ({uuid})", name), (f"/home/{user}/x", user),
            (f"C:\\Users\\{user}\\x", user), (f"iSerial  3 {name}1", f"{name}1"), (f"addr {''.join(pairs)}", "".join(pairs)),
            (f"Set hostname to <{user}>", user), (f"Device {':'.join(pairs)} {name}", name),
        ])
    )  # fmt: skip
    return draw(
        st.sampled_from(
            [(f"{before}{by_itself}{after}", by_itself), (f"{before}{in_context[0]}", in_context[1])]
        )
    )


def names_somebody(secret: str) -> bool:
    try:
        address = ipaddress.ip_address(secret)
    except ValueError:
        return len(secret.strip("0:.-'\" ")) > 3
    is_open = address.is_loopback or address.is_unspecified or address.is_multicast
    return not is_open and not (address.version == 4 and address.packed[0] in {0, 255})


@given(
    st.lists(st.text(max_size=30), max_size=3), secrets_in_lines(), st.lists(st.text(max_size=30), max_size=3)
)
def test_no_secret_survives_in_any_surroundings(above: list[str], drawn: tuple[str, str], below: list[str]):
    line, secret = drawn
    assume(names_somebody(secret))
    around = "\n".join((*above, *below))
    assume(
        secret not in around
        and secret not in "SSID freq MHz starting connection home Users iSerial hostname Device"
    )
    assert secret not in redact("\n".join((*above, line, *below))).text


@given(st.text())
def test_nothing_raises(text: str):
    assert redact(redact(text).text).text is not None


UNITS = (
        "a", "0", "a:", "00:", "1.", ":", "a@", "a.", "%40", "ssid='", "SSID=", "connection '", 'ssid="\\"', "0a-", "-", "_",
        "/home/", "C:\\Users\\", "serial: ", "uuid=", "input: ", "Device ", "https://", "Bridge ", "hostname ", " ", "\n",
        "ata1.00: ATA-8: ", " type x (", "aa00.bb11.", "by-uuid/", "password: ", "Nov 14 10:03:12 a", "sudo: ", "é", "fe80::",
        "-----BEGIN PGP X-----", "-", "A490 ",
)  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", UNITS)
def test_no_repetition_takes_long(unit: str):
    """Quadratic time would be minutes."""
    redact(unit * (100_000 // len(unit)))


@pytest.mark.timeout(60)
def test_no_megabyte_takes_long():
    redact("".join(unit * (1_000_000 // len(UNITS) // len(unit)) for unit in UNITS))


@pytest.mark.timeout(60)
def test_many_names_do_not_take_long():
    names = [f"ssid='net{number} {number}'" for number in range(5_000)]
    again = [f"net{number} {number}" for number in range(5_000)]
    assert redact("\n".join((*names, *again))).counts["essid"] >= 10_000
    redact("\n".join(f"ssid='same {number}'" for number in range(5_000)) + " same" * 50_000)
