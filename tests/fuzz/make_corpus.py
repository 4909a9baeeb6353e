#!/usr/bin/env python3
"""Writes the first inputs of the fuzz targets whose inputs are no files of people: protos, tars, archives, logs.

  make_corpus.py     from the repository's root; needs protoc, and nothing else. What is there already stays.

Pictures are copies of small files of data/testdata, and beside them stand inputs that a fuzzer found, each named after its fault.
"""
import io
import json
import pathlib
import pickle
import struct
import subprocess
import tarfile
import zipfile

CORPUS = pathlib.Path("tests/fuzz/corpus")


def keep(target, name, data):
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(data)


def proto(message, text):
    file = "proto/snapshot.proto"
    return subprocess.run(["protoc", f"--encode={message}", "-I.", file], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout


def pieces(*parts):
    """As Pieces of fuzz_target.h reads them."""
    return b"".join(struct.pack("<H", len(part)) + part for part in parts)


def event(text):
    return proto("mimeo.v1.Event", "time { seconds: 1700000000 } " + text)


def journals():
    worker = event('worker_registered { worker { id: "w0" incarnation: "1" slots: 2 host: "::1" devices { device: DEVICE_CPU } } }')
    submitted = event('job_submitted { job_id: "j1" request_id: "r1" spec { seed: 7 resources { num_ranks: 2 } objective { name: "pixels" } } }')
    placed = event('gang_placed { job_id: "j1" generation: 1 worker_ids: "w0" worker_ids: "w0" }')
    pinned = event('dataset_pinned { job_id: "j1" digest: "d" num_samples: 100 total_steps: 50 }')
    saved = event('checkpoint_committed { manifest { job_id: "j1" generation: 1 step: 10 } }')
    failed = event('gang_ended { job_id: "j1" generation: 1 end: GANG_END_FAILED status_code: 13 failures { worker_id: "w0" status_code: 13 message: "boom" } }')
    ended = event('gang_ended { job_id: "j1" generation: 1 end: GANG_END_COMPLETED }')
    keep("journal", "a_job_that_succeeds", pieces(worker, submitted, placed, pinned, saved, ended))
    keep("journal", "a_job_that_fails_and_is_cancelled", pieces(
        worker, submitted, placed, saved, failed, event('job_controlled { job_id: "j1" want: WANT_CANCEL }'),
        event('job_finished { job_id: "j1" state: JOB_STATE_CANCELLED reason: "a person" }'), event('job_deleted { job_id: "j1" }')))
    keep("journal", "pauses_and_checkpoints", pieces(
        worker, submitted, placed, saved, event('checkpoint_committed { manifest { job_id: "j1" generation: 1 step: 20 } }'),
        event('checkpoint_deleted { job_id: "j1" step: 10 }'), failed, event('job_paused { job_id: "j1" reason: "full" status_code: 8 }'),
        event('job_controlled { job_id: "j1" want: WANT_RUN }')))
    keep("journal", "teachers_and_drains", pieces(
        event('teacher_registered { name: "clip" incarnation: "1" address: "h:1" }'), submitted,
        event('teacher_pinned { job_id: "j1" contract { name: "clip" feature_width: 4 } }'), event('teacher_forgotten { name: "clip" }'), worker,
        event('worker_drained { worker_id: "w0" drained: true }'), event('worker_forgotten { worker_id: "w0" }')))


    largest = (1 << 31) - 1
    keep("journal", "slots_of_two_workers_overflow_together", pieces(
        event('worker_registered { worker { id: "w0" slots: %d } }' % largest), event('worker_registered { worker { id: "w1" slots: %d } }' % largest)))
    keep("journal", "time_that_overflows_in_milliseconds", pieces(proto(
        "mimeo.v1.Event", 'time { seconds: %d } job_submitted { job_id: "j1" request_id: "r1" }' % ((1 << 63) - 1))))


def snapshots():
    record = lambda text: proto("mimeo.SnapshotRecord", text)
    keep("snapshot", "one_of_each_kind", pieces(
        record("counts { next_sequence: 5 }"),
        record('job { id: "j1" sequence: 1 request_id: "r" state: JOB_STATE_RUNNING want: WANT_RUN generation: 3 placement: "w0" placement: "w0" '
               'failures { worker_id: "w0" } teachers { name: "clip" } checkpoint_steps: 10 spec { seed: 1 } }'),
        record('worker { id: "w0" incarnation: "1" slots: 2 }'), record('teacher { name: "clip" address: "h:1" }'), record('drained_worker: "w9"')))


    largest = (1 << 63) - 1
    keep("snapshot", "number_of_the_last_job_possible", pieces(
        record('job { id: "j1" sequence: %d request_id: "r" state: JOB_STATE_PENDING }' % largest)))
    keep("snapshot", "generation_of_the_last_number_possible", pieces(
        record('job { id: "j1" sequence: 1 request_id: "r" state: JOB_STATE_PENDING generation: %d }' % largest)))
    keep("snapshot", "slots_of_two_workers_overflow_together", pieces(
        record('worker { id: "w0" slots: 2147483647 }'), record('worker { id: "w1" slots: 2147483647 }')))
    keep("snapshot", "two_jobs_of_one_request", pieces(
        record('job { id: "j1" sequence: 1 request_id: "r" state: JOB_STATE_PENDING }'),
        record('job { id: "j2" sequence: 2 request_id: "r" state: JOB_STATE_PENDING }')))


def teachers():
    frame = lambda text: proto("mimeo.v1.FeatureRequest", text)
    image = "payload: '" + "a" * 192 + "'"
    head = "num_images: 1 channels: 3 height_px: 8 width_px: 8"
    keep("teacher_request", "all_patches", pieces(frame("request_id: 1 header { wish { rows: 4 cols: 4 } %s }" % head), frame("request_id: 1 " + image)))
    keep("teacher_request", "patches_by_index_in_two_payloads", pieces(
        frame("request_id: 1 header { wish { rows: 4 cols: 4 layer: 2 } num_indices: 2 %s }" % head),
        frame("request_id: 1 " + image), frame(r"request_id: 1 payload: '\000\000\000\000\017\000\000\000'")))
    keep("teacher_request", "focused_draw", pieces(
        frame("request_id: 1 header { wish { rows: 4 cols: 4 class_token: true focused { num_visible: 3 } } %s }" % head),
        frame("request_id: 1 " + image), frame("request_id: 1 payload: '" + "k" * 16 + "'")))
    reply = lambda text: proto("mimeo.v1.FeatureReply", text)
    keep("teacher_reply", "in_two_frames", bytes([4, 11]) + pieces(
        reply("request_id: 7 total_bytes: 16 type: TENSOR_TYPE_FLOAT32 payload: 'drawfeat'"), reply("request_id: 7 payload: 'ures1234'")))
    contract_of = lambda width, side, patch, images, most_bytes: proto(
        "mimeo.v1.TeacherContract", f"name: 'clip' weights_digest: 'ab' family: 'mimeo-vit' feature_width: {width} image_height_px: {side} "
        f"image_width_px: {side} patch_px: {patch} channels: 3 mean: [0, 0, 0] std: [1, 1, 1] num_blocks: 2 block_width: {width} "
        "has_class_token: true feature_type: TENSOR_TYPE_FLOAT32 max_requests_in_flight: 2 "
        f"max_images_per_request: {images} max_request_bytes: {most_bytes}")
    header = lambda text: proto("mimeo.v1.FeatureRequestHeader", text)
    largest = (1 << 31) - 1
    keep("teacher_contract", "contract_and_header", pieces(contract_of(4, 32, 8, 8, 1 << 20), header("wish { rows: 4 cols: 4 } " + head)))
    keep("teacher_contract", "images_and_width_whose_product_overflows", pieces(
        contract_of(largest, 32, 8, largest, (1 << 63) - 1),
        header("wish { rows: 4 cols: 4 } num_images: %d channels: 3 height_px: 8 width_px: 8" % largest)))
    keep("teacher_contract", "sides_whose_product_overflows", pieces(
        contract_of(4, largest, 1, 8, 1 << 20), header("wish { rows: 4 cols: 4 } " + head)))


def tar(members, format=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def shards():
    members = [("a/1.jpg", b"\xff\xd8jpeg"), ("a/1.cls", b"3\n"), ("a/2.json", b'{"label": "cat"}')]
    keep("tar", "pax", tar(members))
    keep("tar", "gnu_long_name", tar([("n" * 150 + ".cls", b"7")], tarfile.GNU_FORMAT))
    keep("tar", "ustar", tar(members, tarfile.USTAR_FORMAT))
    keep("tar", "size_of_nearly_2_to_the_63", with_size(tar(members, tarfile.USTAR_FORMAT), (1 << 63) - 2))
    keep("labels", "texts_and_json", pieces(b"1.cls", b" cat ", b"2.json", b'{"label": 3}', b"3.json", b'{"cls": "dog"}', b"a/4.b.cls", b"9"))
    keep("labels", "images_and_their_labels", pieces(b"a/1.0.jpg", b"", b"a/1.0.cls", b"7", b"a/2.png", b"", b"a/2.json", b'{"label": "cat"}'))
    keep("labels", "numbers", pieces(b"1.cls", b"0", b"2.cls", b"12"))
    keep("labels", "nan_utf16_and_empty_json", pieces(b"1.json", b'{"label": NaN}', b"2.json", '{"label": 1}'.encode("utf-16"), b"3.json", b""))
    keep("labels", "number_of_2_to_the_64", pieces(b"1.json", b'{"label": 18446744073709551615}'))


def with_size(archive, size):
    """The first member's size in base 256, as GNU writes what eleven octal digits do not hold."""
    header = bytearray(archive[:512])
    header[124:136] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + archive[512:]


def archives():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": [1, 2.5, "text"]}, protocol=2))
        archive.writestr("archive/data/0", b"\0" * 16)
        archive.writestr(zipfile.ZipInfo("archive/zip64"), b"64", zipfile.ZIP_STORED)
        archive.writestr("archive/compressed", b"z" * 64, zipfile.ZIP_DEFLATED)
    keep("zip", "stored_and_compressed", out.getvalue())
    for protocol in range(2, 6):
        keep("pickle", f"protocol_{protocol}", pickle.dumps({"a": [1, -5, 2.5, "text", True, None, (1, 2)], "b": {}, "n": 1 << 40}, protocol=protocol))
    # Each \x93 joins the text on the stack with itself: 44 bytes that name a gigabyte.
    keep("pickle", "global_that_doubles_itself", b"\x80\x04" + b"X\x08\0\0\0abcdefgh" + b"q\x01h\x01\x93" * 27 + b".")


def tensor_files():
    def stream(header, data):
        text = json.dumps(header).encode() if isinstance(header, dict) else header
        return struct.pack("<Q", len(text)) + text + data
    two = {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
           "b": {"dtype": "I64", "shape": [], "data_offsets": [8, 16]}}
    keep("safetensors", "two_tensors", stream(two, b"\0" * 16))
    keep("safetensors", "empty_tensor", stream({"a": {"dtype": "BF16", "shape": [0, 3], "data_offsets": [0, 0]}}, b""))
    keep("safetensors", "shape_that_overflows", stream({"a": {"dtype": "U8", "shape": [1 << 62, 8, 0], "data_offsets": [0, 0]}}, b""))
    keep("safetensors", "name_of_5000_bytes_in_the_error", stream({"n" * 5000: {"dtype": "F99", "shape": [], "data_offsets": [0, 4]}}, b"\0" * 4))
    keep("safetensors", "escape_sequence_in_the_error", stream({"\x1b[2J": 1}, b""))
    hugging_face = {"num_attention_heads": 12, "image_size": 224, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "image_mean": [0.5], "image_std": [0.5]}
    keep("config_json", "hugging_face", json.dumps(hugging_face).encode())
    keep("config_json", "vision_config", json.dumps({"vision_config": dict(hugging_face, hidden_act="quick_gelu", image_size=[224, 160])}).encode())
    keep("config_json", "timm", json.dumps({"architecture": "vit_base_patch16_clip_224", "model_args": {"num_heads": 3, "act_layer": "gelu"},
                                            "pretrained_cfg": {"input_size": [3, 224, 224], "mean": [0.1], "std": [0.2]}}).encode())
    keep("config_json", "job_of_the_metadata", b"encoder { vit { heads: 3 norm_epsilon: 1e-6 } } data { image_px: 64 pixel_mean: 0.5 pixel_std: 0.5 }")
    keep("config_json", "heads_of_20000_lists", b'{"num_attention_heads": ' + b"[" * 20000 + b"]" * 20000 + b"}")
    keep("config_json", "activation_of_5000_bytes", json.dumps({"hidden_act": "\x1b" + "g" * 5000}).encode())


def logs():
    def crc(data):
        value = 0xFFFFFFFF
        for byte in data:
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        return value ^ 0xFFFFFFFF
    def piece(kind, data):
        check = crc(bytes([kind]) + data)
        masked = ((check >> 15 | check << 17) + 0xA282EAD8) & 0xFFFFFFFF
        return struct.pack("<IHB", masked, len(data), kind) + data
    keep("log_file", "two_records", piece(1, b"first") + piece(1, b"second"))
    keep("log_file", "record_in_three_pieces", piece(2, b"be") + piece(3, b"gi") + piece(4, b"n"))
    keep("log_file", "torn_end", piece(1, b"first") + piece(2, b"begun"))
    keep("log_file", "damaged_middle", piece(1, b"first") + b"\0" * 9 + piece(1, b"third"))


def texts():
    keep("address", "name_and_port", b"host.example:7070")
    keep("address", "ipv6", b"[fd00::1%25eth0]:1")
    keep("address", "ipv6_zone_with_an_escape_sequence", b"[fe80::1%\x1b[2J]:1")
    keep("address", "ipv6_with_bytes_behind_a_nul", b"[::1\0\xff]:1")
    keep("address", "unix_socket", b"unix:/tmp/a b.sock")
    keep("text", "every_kind_of_character", b"a\\\n\t\x1b[2J\xff\xc3\xa9\xe2\x80\xae\xf0\x9f\x98\x80\xed\xa0\x80\xef\xbb\xbf")
    keep("text", "cut_inside_a_character", "日本語の名前".encode()[:-1])
    keep("assignment", "fields", b"schedule.epochs=3\nobjective[mimic].weight=0.5\nencoder.vit.depth=4\nseed=7\nschedule.epochs=\ndata.path=/x y\nwidth=3\nobjective[9].weight=1")
    for name in ("mae_tiny", "dino_tiny", "mr_mae_tiny", "tiny_mae", "tiny_dino", "tiny_mr_mae"):
        path = pathlib.Path("recipes", name + ".textproto")
        if path.exists():
            keep("recipe", name, path.read_bytes())
    keep("recipe", "unknown_fields", b"encoder { vit { widht: 3 depth: TRUE } } nope: [1, 2 } 'x' seed: 99999999999999999999")
    keep("recipe", "deeply_nested", b"a{" * 5000)
    keep("recipe", "extreme_numbers", b"seed: -1 schedule { epochs: 1e308 } resources { num_ranks: 2147483647 } data { global_batch: -2147483648 }")


def pictures():
    for target, names in {"png": ["alpha.png", "grey16.png", "grey_alpha.png", "one_bit.png", "palette.png", "rgb16.png", "wide.png"],
                          "jpeg": ["cmyk.jpg", "grey.jpg", "photo.jpg"], "webp": ["animated.webp", "lossless.webp", "lossy.webp"]}.items():
        for name in names:
            keep(target, name, pathlib.Path("data/testdata", name).read_bytes())
    keep("zip", "torch_whole_module.pth", pathlib.Path("tests/golden/torch_archives/whole_module.pth").read_bytes())


if __name__ == "__main__":
    for make in (journals, snapshots, teachers, shards, archives, tensor_files, logs, texts, pictures):
        make()
