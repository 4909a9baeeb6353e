#!/usr/bin/env python3
"""Reads a file of events as its format is written down, with nothing of Mimeo's and nothing of TensorBoard's: records with their checksums,
and the few fields of the messages. Prints one JSON line for each event.

  read_events.py FILE
"""
import json
import struct
import sys


def table():
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        yield number


TABLE = list(table())


def masked_crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    while data:
        length, of_length = struct.unpack_from("<QI", data)
        assert masked_crc32c(data[:8]) == of_length, "checksum of a length"
        record = data[12:12 + length]
        (of_record,) = struct.unpack_from("<I", data, 12 + length)
        assert masked_crc32c(record) == of_record, "checksum of a record"
        yield record
        data = data[16 + length:]


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """Number and value of each field: an int, or bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, at = varint(data, at)
            value = data[at:at + size]
            at += size
        yield key >> 3, value


def event(record):
    shown = {"step": 0}
    for number, value in fields(record):
        if number == 1:
            shown["wall_time"] = struct.unpack("<d", value)[0]
        elif number == 2:
            shown["step"] = value
        elif number == 3:
            shown["file_version"] = value.decode()
        elif number == 7:
            shown["session"] = dict(fields(value)).get(1)
        elif number == 5:
            shown["values"] = {}
            for _, one in fields(value):
                parts = dict(fields(one))
                number = struct.unpack("<f", parts.get(2, b"\0\0\0\0"))[0]
                shown["values"][parts[1].decode()] = number if number == number else None
    return shown


for each in records(open(sys.argv[1], "rb").read()):
    print(json.dumps(event(each)))
