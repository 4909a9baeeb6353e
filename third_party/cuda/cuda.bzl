"""CUDA's and NCCL's headers as an external repository; looked at only to build //worker/cuda:libmimeo_cuda.so."""

def _cuda_impl(ctx):
    home = ctx.path(ctx.os.environ.get("CUDA_HOME") or "/usr/local/cuda")
    libtorch = ctx.os.environ.get("MIMEO_LIBTORCH")
    if not libtorch:
        cache = ctx.os.environ.get("XDG_CACHE_HOME") or ctx.os.environ.get("HOME", "") + "/.cache"
        libtorch = cache + "/mimeo/libtorch-2.11.0"
    nvidia = ctx.path(libtorch + "/nvidia")
    if home.get_child("include").get_child("nccl.h").exists:
        ctx.symlink(home.get_child("include"), "include")
        ctx.file("nccl_include/unused")
    elif nvidia.get_child("nccl").exists:
        ctx.symlink(nvidia.get_child("cu13").get_child("include"), "include")
        ctx.symlink(nvidia.get_child("nccl").get_child("include"), "nccl_include")
    else:
        fail("no nccl.h in {}/include, nor in {}: libmimeo_cuda.so needs CUDA's and NCCL's headers; scripts/setup --cuda installs them".format(home, nvidia))
    ctx.symlink(Label("//third_party/cuda:cuda.BUILD"), "BUILD")

cuda = repository_rule(implementation = _cuda_impl, environ = ["CUDA_HOME", "MIMEO_LIBTORCH", "XDG_CACHE_HOME", "HOME"], local = True)
