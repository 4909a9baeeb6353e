"""The machine's CUDA toolkit as an external repository; looked at only to build //worker/cuda:libmimeo_cuda.so."""

def _cuda_impl(ctx):
    home = ctx.path(ctx.os.environ.get("CUDA_HOME") or "/usr/local/cuda")
    if not home.get_child("include").get_child("nccl.h").exists:
        fail("no include/nccl.h in {}: libmimeo_cuda.so needs CUDA with NCCL's headers; set CUDA_HOME".format(home))
    ctx.symlink(home.get_child("include"), "include")
    ctx.symlink(Label("//third_party/cuda:cuda.BUILD"), "BUILD")

cuda = repository_rule(implementation = _cuda_impl, environ = ["CUDA_HOME"], local = True)
