"""Tests of code that uses libtorch, whose headers are most of what such a test costs to compile.

torch_test is cc_test with the headers of torch_test_headers.h parsed once, before all tests, and loaded by each of them: a third of
the compiler's time (docs/benchmarks/build.md). A test still includes everything that it uses, since editors and clang's tools
compile it without that file.
"""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

_CPP_COMPILE = "c++-compile"

def _precompiled_header_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(ctx = ctx, cc_toolchain = toolchain, requested_features = ctx.features)
    merged = cc_common.merge_cc_infos(cc_infos = [dep[CcInfo] for dep in ctx.attr.deps]).compilation_context

    # The header beside the compiled form may not be the source itself: gcc takes the first of both that it finds.
    header = ctx.actions.declare_file(ctx.label.name + ".h")
    compiled = ctx.actions.declare_file(ctx.label.name + ".h.gch")
    ctx.actions.write(header, '#include "{}"\n'.format(ctx.file.header.path))

    # The same flags as the tests have, or gcc refuses the compiled form (-Winvalid-pch tells).
    variables = cc_common.create_compile_variables(
        cc_toolchain = toolchain,
        feature_configuration = features,
        source_file = header.path,
        output_file = compiled.path,
        use_pic = True,
        user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts + ctx.attr.copts,
        preprocessor_defines = merged.defines,
        quote_include_directories = merged.quote_includes,
        system_include_directories = merged.system_includes,
    )
    arguments = cc_common.get_memory_inefficient_command_line(
        feature_configuration = features,
        action_name = _CPP_COMPILE,
        variables = variables,
    )
    arguments = arguments[:arguments.index("-c")] + ["-x", "c++-header"] + arguments[arguments.index("-c"):]
    ctx.actions.run(
        executable = cc_common.get_tool_for_action(feature_configuration = features, action_name = _CPP_COMPILE),
        arguments = arguments,
        env = cc_common.get_environment_variables(feature_configuration = features, action_name = _CPP_COMPILE, variables = variables),
        inputs = depset([header, ctx.file.header], transitive = [toolchain.all_files, merged.headers]),
        outputs = [compiled],
        mnemonic = "PrecompileHeader",
        use_default_shell_env = True,
    )
    own = cc_common.create_compilation_context(headers = depset([header, compiled, ctx.file.header]))
    return [
        DefaultInfo(files = depset([header, compiled])),
        cc_common.merge_cc_infos(cc_infos = [CcInfo(compilation_context = own)] + [dep[CcInfo] for dep in ctx.attr.deps]),
    ]

precompiled_header = rule(
    implementation = _precompiled_header_impl,
    attrs = {
        "header": attr.label(mandatory = True, allow_single_file = [".h"]),
        "copts": attr.string_list(),
        "deps": attr.label_list(providers = [CcInfo]),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    doc = "A header compiled once, for targets that have this one among their deps and begin with `-include NAME.h`.",
)

def torch_test(deps, **attributes):
    """cc_test of code that uses libtorch."""

    # No error where gcc refuses the compiled form (after an update of gcc, say): it then reads the headers themselves.
    native.cc_test(
        copts = ["-include", "third_party/libtorch/test_prelude.h", "-Winvalid-pch", "-Wno-error=invalid-pch"],
        deps = deps + ["//third_party/libtorch:test_prelude"],
        **attributes
    )
