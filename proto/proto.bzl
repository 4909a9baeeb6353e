"""Protocol Buffers and gRPC with the system's protoc: `NAME_proto` holds messages, `NAME_grpc` holds stubs.

What clients see is `package mimeo.v1` (docs/decisions/0020-protocol-versions.md). In C++ v1 is an inline namespace, so the newest version
of a message is mimeo::Job, and an older one is named with its version.
"""

def _inline_namespace(base, suffix):
    """A command that makes v1 an inline namespace in what protoc wrote for BASE."""
    outs = " ".join(["$(GENDIR)/proto/" + base + suffix + end for end in [".h", ".cc"]])
    return " && sed -i 's/^namespace v1 {$$/inline namespace v1 {/' " + outs

def mimeo_proto(name, src, deps = [], grpc = False, visibility = None):
    """Makes :NAME_proto from SRC and, with grpc, :NAME_grpc. `deps` are other names of this package."""
    base = src[:-len(".proto")]
    imports = [d + "_src" for d in deps]
    native.filegroup(name = name + "_src", srcs = [src] + imports)
    native.genrule(
        name = name + "_gen",
        srcs = [":" + name + "_src"],
        outs = [base + ".pb.h", base + ".pb.cc"],
        cmd = "protoc -I. --cpp_out=$(GENDIR) proto/" + src + _inline_namespace(base, ".pb"),
    )
    native.cc_library(
        name = name + "_proto",
        srcs = [base + ".pb.cc"],
        hdrs = [base + ".pb.h"],
        copts = ["-Wno-error"],
        deps = ["//third_party:protobuf"] + [":" + d + "_proto" for d in deps],
        visibility = ["//visibility:public"],
    )
    if grpc:
        native.genrule(
            name = name + "_grpc_gen",
            srcs = [":" + name + "_src"],
            outs = [base + ".grpc.pb.h", base + ".grpc.pb.cc"],
            cmd = "protoc -I. --grpc_out=$(GENDIR) --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin proto/" + src +
                  _inline_namespace(base, ".grpc.pb"),
        )
        native.cc_library(
            name = name + "_grpc",
            srcs = [base + ".grpc.pb.cc"],
            hdrs = [base + ".grpc.pb.h"],
            copts = ["-Wno-error"],
            deps = [":" + name + "_proto", "//third_party:grpc"],
            visibility = visibility,
        )
