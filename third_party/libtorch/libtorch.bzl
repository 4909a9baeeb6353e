"""libtorch as an external repository: the folder that scripts/setup unpacked the pinned wheel into."""

def _libtorch_impl(ctx):
    home = ctx.os.environ.get("MIMEO_LIBTORCH")
    if not home:
        cache = ctx.os.environ.get("XDG_CACHE_HOME") or ctx.os.environ.get("HOME", "") + "/.cache"
        home = cache + "/mimeo/libtorch-2.11.0"
    root = ctx.path(home)
    if not root.get_child("torch").exists:
        fail("libtorch is not at {}: run scripts/setup, or set MIMEO_LIBTORCH to the folder that holds torch/ and nvidia/".format(home))
    ctx.symlink(root.get_child("torch"), "torch")
    ctx.symlink(root.get_child("nvidia"), "nvidia")
    ctx.template("BUILD", Label("//third_party/libtorch:libtorch.BUILD"), {"%HOME%": home})

libtorch = repository_rule(
    implementation = _libtorch_impl,
    environ = ["MIMEO_LIBTORCH", "XDG_CACHE_HOME", "HOME"],
    local = True,
)
