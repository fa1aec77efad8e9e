"""Native code: LLVM modules, their cache, and kernels made of loop plans. Only this package uses llvmlite."""
