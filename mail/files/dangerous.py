# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which files are dangerous to open, by name, by media type and by their first bytes."""

_PROGRAM, _SCRIPT, MAY_HOLD_MACROS, HOLDS_MACROS = "a program", "a script", "may hold macros", "holds macros"
ARCHIVE, _PAGE, _SVG = "an archive", "a web page", "a drawing that may hold scripts"
_IMAGE, _SHORTCUT = "a disk image", "a shortcut"
_EXECUTABLE = "application/vnd.microsoft.portable-executable"
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"MZ", _EXECUTABLE),
    (b"\x7fELF", "application/x-executable"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),
    (b"#!", "text/x-shellscript"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "application/x-ms-shortcut"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"MSCF", "application/vnd.ms-cab-compressed"),
    (b"!<arch>\n", "application/x-archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "text/rtf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"-----BEGIN PGP ", "application/pgp"),
)
"""First bytes and the type they show."""
SAME = {
    "application/vnd.rar": frozenset({"application/x-rar", "application/x-rar-compressed"}),
    "application/zip": frozenset(
        {"application/x-zip-compressed", "application/x-zip", "application/epub+zip"}
    ),
    "application/gzip": frozenset({"application/x-gzip", "application/x-compressed-tar"}),
    "image/jpeg": frozenset({"image/jpg", "image/pjpeg"}),
    "image/png": frozenset({"image/x-png"}),
    "text/html": frozenset({"application/xhtml+xml"}),
    "text/rtf": frozenset({"application/rtf", "application/msword"}),
    "application/x-ole-storage": frozenset(
        {"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"}
        | {"application/vnd.ms-outlook"}
    ),
}
"""Other names of a type, with which nothing is hidden."""

ZIPPED = (
    "application/vnd.openxmlformats-",
    "application/vnd.oasis.opendocument.",
    "application/java-archive",
    "application/vnd.android.package-archive",
)
"""How types begin whose files are ZIP archives inside; the first two are documents."""
PGP = frozenset(
    {"application/octet-stream", "text/plain", "application/pgp-keys"}
    | {"application/pgp-encrypted", "application/pgp-signature", "application/pgp"}
)
"""As what armored files are declared."""
_TYPES = {
    _PROGRAM: "application/vnd.microsoft.portable-executable application/x-msdownload application/x-dosexec "
    "application/x-msdos-program application/x-executable application/x-mach-binary application/java-vm "
    "application/java-archive application/vnd.android.package-archive application/x-archive "
    "application/vnd.debian.binary-package application/x-rpm application/x-apple-diskimage",
    _SCRIPT: "application/javascript application/x-javascript text/javascript text/x-shellscript "
    "application/x-sh application/x-shellscript text/x-python application/hta text/vbscript",
    MAY_HOLD_MACROS: "application/x-ole-storage application/msword application/vnd.ms-excel "
    "application/vnd.ms-powerpoint application/vnd.ms-office.macroenabled",
    ARCHIVE: "application/zip application/x-zip-compressed application/vnd.rar application/x-rar-compressed "
    "application/x-7z-compressed application/gzip application/x-gzip application/x-bzip2 application/x-xz "
    "application/zstd application/x-tar application/x-compressed-tar application/vnd.ms-cab-compressed",
    _PAGE: "text/html application/xhtml+xml",
    _SVG: "image/svg+xml",
    _IMAGE: "application/x-iso9660-image application/vnd.efi.iso application/vnd.efi.img",
    _SHORTCUT: "application/x-ms-shortcut application/x-desktop",
}
DANGER_BY_TYPE = {type_: danger for danger, types in _TYPES.items() for type_ in types.split()}
_EXTENSIONS = {
    _PROGRAM: "apk app appimage bat bin class cmd com cpl deb dll dmg elf exe flatpak gadget jar lib msi "
    "msp mst pif pkg rpm run scr snap so sys xpi",
    _SCRIPT: "bash chm hta jnlp js jse mjs pl ps1 psm1 py pyc rb reg sct sh vb vbe vbs ws wsc wsf wsh xll",
    MAY_HOLD_MACROS: "doc docm dot dotm mdb odb one onepkg pot potm ppam ppsm ppt pptm slk xla xlam xls "
    "xlsb xlsm xlt xltm xlw",
    ARCHIVE: "7z ace arj bz2 cab gz gzip lha lz lz4 lzh lzma rar tar tbz tgz txz xz zip zipx zst",
    _PAGE: "htm html mht mhtml shtml xht xhtml xsl",
    _SVG: "svg svgz",
    _IMAGE: "img iso vhd vhdx vmdk",
    _SHORTCUT: "desktop library-ms lnk scf search-ms settingcontent-ms url webloc website",
}
DANGER_BY_EXTENSION = {
    ending: danger for danger, endings in _EXTENSIONS.items() for ending in endings.split()
}
