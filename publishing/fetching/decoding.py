"""The bytes of a page as text, decoded as browsers decode them."""

import codecs
import re

# What the Encoding Standard names, by Python's names. Others (utf-7, unicode_escape, idna …)
# would let a page say one thing to us and another to its readers.
_CODECS = re.compile(
    r"utf-8|utf-16(-le|-be)?|iso8859-\d+|cp125\d|cp866|cp874|cp932|cp949|koi8-[ru]|gbk|gb18030"
    r"|gb2312|mac-(roman|cyrillic)|big5(hkscs)?|euc_(jp|kr)|shift_jis|iso2022_jp"
)
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_CONTROLS = {
    code: None for code in (*range(0x20), 0x7F, 0xFFFE, 0xFFFF) if chr(code) not in "\t\n\r"
}
_REFERENCE = re.compile(
    r"&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])(?!\d)|x0*(?:[0-8bcef]|1[\da-f]|d[89a-f]..|fff[ef])(?![\da-f]));?",
    re.IGNORECASE,
)
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.IGNORECASE)


def decode(body: bytes, charset: str) -> str:
    """Decode by byte order mark, the header's charset, meta element, UTF-8, Windows-1252.

    The text holds no NUL and no lone surrogate, which neither Postgres nor JSON could keep, and no
    other control character or reference to one, which no tree of XML takes.
    """
    text = _REFERENCE.sub("", _decode(body, charset)).translate(_CONTROLS)
    return text.encode(errors="ignore").decode()


def _decode(body: bytes, charset: str) -> str:
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return body.decode(codec, errors="replace")
    meta = _META.search(body[:1024])  # HTML asks for it within the first 1,024 bytes
    declared = _codec(charset) or _codec(meta[1].decode("ascii") if meta else "")
    if declared:
        return body.decode(declared, errors="replace")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _codec(label: str) -> str | None:
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
    if name in ("iso8859-1", "ascii"):
        return "cp1252"  # as the Encoding Standard has it
    return name if _CODECS.fullmatch(name) else None
