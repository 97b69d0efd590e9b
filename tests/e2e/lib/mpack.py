# SPDX-License-Identifier: Apache-2.0
"""The part of msgpack that the control socket uses, written apart from the daemon's code.

None, bool, int, str, bytes, list and dict. Packing gives the shortest form, as petreld demands.
"""
import struct


def pack(value):
    if value is None:
        return b"\xc0"
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _pack_int(value)
    if isinstance(value, str):
        data = value.encode("utf-8")
        return _head(len(data), 0xA0, 31, (0xD9, 0xDA, 0xDB)) + data
    if isinstance(value, (bytes, bytearray)):
        return _head(len(value), None, -1, (0xC4, 0xC5, 0xC6)) + bytes(value)
    if isinstance(value, (list, tuple)):
        return _head(len(value), 0x90, 15, (None, 0xDC, 0xDD)) + b"".join(map(pack, value))
    if isinstance(value, dict):
        return _head(len(value), 0x80, 15, (None, 0xDE, 0xDF)) + b"".join(
            pack(k) + pack(v) for k, v in value.items())
    raise TypeError(type(value))


def _pack_int(value):
    if 0 <= value < 128:
        return bytes([value])
    if -32 <= value < 0:
        return struct.pack("b", value)
    table = (("B", 0xCC), (">H", 0xCD), (">I", 0xCE), (">Q", 0xCF)) if value >= 0 else (
        ("b", 0xD0), (">h", 0xD1), (">i", 0xD2), (">q", 0xD3))
    for form, tag in table:
        try:
            return bytes([tag]) + struct.pack(form, value)
        except struct.error:
            continue
    raise OverflowError(value)


def _head(length, fix, fix_max, tags):
    if length <= fix_max:
        return bytes([fix | length])
    for tag, form, limit in zip(tags, ("B", ">H", ">I"), (0xFF, 0xFFFF, 0xFFFFFFFF)):
        if tag is not None and length <= limit:
            return bytes([tag]) + struct.pack(form, length)
    raise OverflowError(length)


class NeedMore(Exception):
    """The buffer ends inside a value."""


def unpack(buffer, at=0):
    """(value, position behind it); NeedMore when the buffer is too short."""
    tag, at = _take(buffer, at, 1)
    tag = tag[0]
    if tag < 0x80:
        return tag, at
    if tag >= 0xE0:
        return tag - 256, at
    if tag < 0x90:
        return _unpack_map(buffer, at, tag & 15)
    if tag < 0xA0:
        return _unpack_array(buffer, at, tag & 15)
    if tag < 0xC0:
        data, at = _take(buffer, at, tag & 31)
        return data.decode("utf-8"), at
    if tag in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[tag], at
    form = {0xCC: "B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: "b", 0xD1: ">h", 0xD2: ">i",
            0xD3: ">q", 0xC4: "B", 0xC5: ">H", 0xC6: ">I", 0xD9: "B", 0xDA: ">H", 0xDB: ">I",
            0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}.get(tag)
    if form is None:
        raise ValueError(f"byte {tag:#x} is not used on the control socket")
    data, at = _take(buffer, at, struct.calcsize(form))
    number = struct.unpack(form, data)[0]
    if 0xCC <= tag <= 0xD3:
        return number, at
    if tag >= 0xDE:
        return _unpack_map(buffer, at, number)
    if tag >= 0xDC:
        return _unpack_array(buffer, at, number)
    data, at = _take(buffer, at, number)
    return (data.decode("utf-8") if tag >= 0xD9 else data), at


def _take(buffer, at, count):
    if len(buffer) - at < count:
        raise NeedMore
    return bytes(buffer[at:at + count]), at + count


def _unpack_array(buffer, at, count):
    values = []
    for _ in range(count):
        value, at = unpack(buffer, at)
        values.append(value)
    return values, at


def _unpack_map(buffer, at, count):
    values = {}
    for _ in range(count):
        key, at = unpack(buffer, at)
        values[key], at = unpack(buffer, at)
    return values, at
