"""A fuzz target: NAME is its function, for the corpus test, and NAME_fuzz the binary under libFuzzer, which only --config=fuzz can link."""

def fuzz_target(name, deps):
    native.cc_library(
        name = name,
        srcs = [name + ".cc"],
        alwayslink = True,  # it adds itself to the list of targets
        deps = [":fuzz_target", "//third_party:absl"] + deps,
    )
    native.cc_binary(
        name = name + "_fuzz",
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [":" + name, ":libfuzzer_entry"],
    )
